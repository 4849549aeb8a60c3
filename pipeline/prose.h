/* What a model wrote, as people shall see it: cleaned, and without what the text that it is about does not have. */
#ifndef SKIMD_PIPELINE_PROSE_H
#define SKIMD_PIPELINE_PROSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Free text as people shall see it: valid UTF-8 without control characters, trimmed, no sentence twice, and cut back to
 * its last whole sentence where it was cut by length. one_line: up to the first line feed. *ret is the caller's, for
 * free(); "" is possible. -ENOMEM. */
int prose_clean(const char *text, bool cut, bool one_line, char **ret);

/* The text that prose is about, and its content words and their pairs, rising, as words_of() has them. */
struct prose_source {
	const char *text;
	size_t n_text;
	const uint64_t *stems;
	size_t n;
};

/* Whether a sentence's words are the source's, names and numbers to the letter: else it is made up. *ret_share: how many of
 * its content words the source has. -ENOMEM. */
int prose_is_supported(const char *sentence, size_t n, const struct prose_source *source, bool *ret,
                       double *ret_share);

/* The same of a title. */
int prose_title_is_supported(const char *title, const struct prose_source *source, bool *ret,
                             double *ret_share);

#endif
