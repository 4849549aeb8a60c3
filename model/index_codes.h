/* Indexer keys as codes of 8 bits: half the bytes of bf16, and integers to multiply. What they give is nearly the index
 * score, and how far from it at the most is known; so they tell which few keys must be scored exactly to find the top
 * k, and the choice is that of scoring all.
 *
 * A key k is scale * (code - CODE_ZERO) + dk, a query's head q is unit * level + dq. The products differ by
 * q . dk + dq . (k - dk), and max(0, .) does not spread them, so the scores differ by no more than
 *   sum_j |w_j| (|q_j| max |dk| + |dq_j| max |k - dk|)
 * and what float32 rounds, on both sides. */
#ifndef SKIMD_MODEL_INDEX_CODES_H
#define SKIMD_MODEL_INDEX_CODES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/ops.h"

#define CODE_TOKENS 1024 /* keys of a layer whose codes lie together */

/* The largest errors |dk| and norms |k - dk| among some keys, as the bits of floats: of those that are not negative the
 * larger float has the larger bits. Infinite: some key is not finite. */
struct code_bounds {
	_Atomic uint32_t error, norm;
};

/* One layer's keys of CODE_TOKENS tokens. */
struct index_codes {
	struct code_bounds *bounds;
	float *scales; /* [CODE_TOKENS] */
	uint8_t *codes; /* as score_codes() takes them */
};

/* Whether keys so wide have codes. */
static inline bool has_index_codes(uint32_t width)
{
	return width <= CODE_MOST_WIDTH;
}

/* Bytes of one layer's codes, a multiple of 64, and where they are in them. */
size_t index_codes_bytes(uint32_t width);
struct index_codes index_codes_at(void *memory);

/* Write the code of one key [width], the `place`th. Several threads may write different ones. */
void index_codes_put(const struct index_codes *codes, size_t place, const float *key, uint32_t width);

/* The larger of both. */
void code_bounds_add(struct code_bounds *bounds, const struct code_bounds *other);

/* Memory for queries [n_heads][width]; -ENOMEM. */
int coded_query_init(struct coded_query *query, uint32_t n_heads, uint32_t width);
void coded_query_done(struct coded_query *query);

/* Round a query q [n_heads][width] with the weights w [n_heads]. Returns by how much its scores may differ from the exact
 * ones, for keys within the bounds; not finite: they tell nothing. */
float coded_query_set(struct coded_query *query, const struct ops *ops, const float *q, const float *w,
                      uint32_t n_heads, uint32_t width, const struct code_bounds *bounds);

#endif
