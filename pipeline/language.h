/* The language of a text, as far as it matters: the default model reads English. */
#ifndef SKIMD_PIPELINE_LANGUAGE_H
#define SKIMD_PIPELINE_LANGUAGE_H

#include <stdbool.h>
#include <stddef.h>

/* "en" where English function words are as frequent as they are in prose, else "und" (undetermined, as BCP 47 has it): another
 * language, or no prose at all. A constant. */
const char *language_of(const char *text, size_t n);

/* Whether a text of this language is read, and not only quoted; NULL: nobody knows, and it is. */
bool language_is_read(const char *language);

#endif
