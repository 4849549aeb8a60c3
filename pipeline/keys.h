/* Which sentences of a text stand for it: those that share most with a summary and a title of it, which say what matters
 * in other words, that stand early, and, where there are few, that are central or say what the text does. Behind them stand
 * those that point back at what is not quoted; none says again what another one says. */
#ifndef SKIMD_PIPELINE_KEYS_H
#define SKIMD_PIPELINE_KEYS_H

#include <stddef.h>

#include "model/grounded.h"

struct key_sentence {
	size_t sentence;
	double score; /* 0 to 1 */
};

/* What a text is known to be about; NULL: nothing. */
struct key_guide {
	const char *summary, *title;
};

/* The best n_most of n sentences, the best one first; ret has room for n_most. -ENOMEM. */
int keys_choose(const struct grounded_span *sentences, size_t n, const struct key_guide *guide, size_t n_most,
                struct key_sentence *ret, size_t *ret_n);

/* The sentence that shares most with a text, and how much, 0 to 1. n is at least 1. -ENOMEM. */
int keys_nearest(const struct grounded_span *sentences, size_t n, const char *text, size_t n_text,
                 struct key_sentence *ret);

#endif
