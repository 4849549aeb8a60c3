/* The commands of LaTeX that matter to a reader of its source; of all others the name goes and what is in braces stays. */
#ifndef SKIMD_PIPELINE_FORMATS_LATEX_WORD_H
#define SKIMD_PIPELINE_FORMATS_LATEX_WORD_H

#include <stddef.h>

enum latex_word {
	LATEX_UNKNOWN,
	LATEX_HEADING, /* value: its level */
	LATEX_DROPPED, /* value: how many arguments go with it */
	LATEX_TITLE,
	LATEX_AUTHOR,
	LATEX_DATE,
	LATEX_MAKETITLE,
	LATEX_BEGIN,
	LATEX_END,
	LATEX_ITEM,
	LATEX_FOOTNOTE,
	LATEX_CAPTION,
	LATEX_PARAGRAPH, /* ends one */
	LATEX_VERB,
	LATEX_DEF, /* \def\name#1{...} */
	LATEX_INPUT, /* another file's text belongs here */
	LATEX_CELLS, /* \multicolumn{2}{c}{text} */
	LATEX_BLANK,
	LATEX_TEXT, /* stands for a text */
	LATEX_ACCENT, /* text: the combining mark that goes behind the letter */
};

struct latex_known {
	const char *name;
	enum latex_word word;
	unsigned value;
	const char *text;
};

/* name is n letters, or one other character. Never NULL: an unknown word is one of LATEX_UNKNOWN. */
const struct latex_known *latex_word_find(const char *name, size_t n);

/* The character that a letter, n bytes, and an accent's command make; NULL: there is none, or none that is usual. */
const char *latex_composed(char accent, const char *letter, size_t n);

enum latex_environment {
	LATEX_PLAIN,
	LATEX_LIST, /* its items are text */
	LATEX_VERBATIM, /* nothing within is a command */
	LATEX_MATH, /* kept as source */
	LATEX_TABLE,
	LATEX_COMMENT, /* left out */
	LATEX_DOCUMENT,
};

/* name is n bytes; an asterisk at its end does not count. *ret_n_arguments: that follow \begin{name}. */
enum latex_environment latex_environment_find(const char *name, size_t n, unsigned *ret_n_arguments);

#endif
