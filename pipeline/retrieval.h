/* Which passages of a text have a question's words: BM25 over stems. */
#ifndef SKIMD_PIPELINE_RETRIEVAL_H
#define SKIMD_PIPELINE_RETRIEVAL_H

#include <stddef.h>

#include "model/grounded.h"

struct retrieval;

/* Index n passages; their bytes are not kept. *ret is the caller's, for retrieval_free(). -ENOMEM. */
int retrieval_new(const struct grounded_span *passages, size_t n, struct retrieval **ret);
void retrieval_free(struct retrieval *retrieval); /* NULL is allowed */

/* A passage and how well it fits: 0 where it has none of the words. */
struct retrieved {
	size_t passage;
	double score;
};

/* Score each passage by a query's words: ret[i] is passage i's, room for all of them. -ENOMEM. */
int retrieval_score(const struct retrieval *retrieval, const char *query, size_t n, double *ret);

/* The best n_most passages, the best one first, equal ones in their order; ret has room for n_most, *ret_n may be fewer.
 * -ENOMEM. */
int retrieval_rank(const struct retrieval *retrieval, const char *query, size_t n, size_t n_most,
                   struct retrieved *ret, size_t *ret_n);

#endif
