/* Sentences of a view. English: see the abbreviations in sentence.c. */
#ifndef SKIMD_PIPELINE_SENTENCE_H
#define SKIMD_PIPELINE_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes [start, end) of a view's text, without white space at either end; never empty. */
struct sentence {
	size_t start, end;
};

/* The sentences of text[start, end), in order, together all that is not white space there. One ends at its
 * mark and the quotes and brackets that close behind it, where white space follows and then what may start
 * a sentence; or at a line break. "e.g.", "Dr.", initials, "3.14", "skimd.yaml", "v1.2" and "wait ... what"
 * end none. text goes on behind end, if only with a NUL. Linear. *ret is the caller's, for free(). -ENOMEM. */
int sentence_find(const char *text, size_t start, size_t end, struct sentence **ret, size_t *ret_n);

/* One that can stand by itself as a quotation: 5 to 60 words on one line, an end mark, a fair start, mostly
 * letters, and these not mostly capitals. */
bool sentence_worth_quoting(const char *text, struct sentence sentence);

/* It begins as a sentence does that cannot be taken for a command: with a capital, or with a letter that is none of ASCII's. */
bool sentence_starts_large(const char *text, struct sentence sentence);

/* One that is understood without what stands before it: it begins neither with a number, as items of a list do, nor in the
 * middle ("of which ..."), nor by pointing back ("Such a file", "They", "For example"), and is not all in quotes; "This
 * manual" points at the text that it stands in. */
bool sentence_stands_alone(const char *sentence, size_t n);

/* One that says what the thing is whose name a title begins with: "Git is a version control system" under "Git - fast". */
bool sentence_defines(const char *sentence, size_t n, const char *title);

/* One that says what its text does: "We show that", "This guide". */
bool sentence_announces(const char *sentence, size_t n);

#endif
