/* Dense attention in the expanded form: what prefill costs without an indexer, as fast as it can be made. Where the
 * absorbed form multiplies a head's query by kv_lora_rank + qk_rope_head_dim numbers of a key, and its share by
 * kv_lora_rank, keys and values expanded by kv_b take qk_nope_head_dim + qk_rope_head_dim and v_head_dim; but to expand
 * a token costs as much as some hundred queries. So some tokens at a time are expanded, once for all rows of a pass that
 * are of one sequence, and blocks of rows go over them in tiles, with the softmax carried from tile to tile: no row of
 * scores is ever whole.
 *
 * A tile starts at a multiple of DENSE_TILE and every row takes them in order. Keys behind a row's position weigh
 * exactly 0 and so change no sum: what a row gets does not depend on the rows beside it. */
#ifndef SKIMD_MODEL_DENSE_H
#define SKIMD_MODEL_DENSE_H

#include "model/pass.h"

#define DENSE_TILE (2 * CACHE_PAGE_TOKENS) /* keys whose scores stand side by side */

struct mla_weights;

/* Make pass->dense, if it is not there. -ENOMEM. */
int dense_reserve(struct pass *pass);
void dense_free(struct dense *dense, unsigned n_threads); /* NULL is allowed */

/* Fill in pass->heads of the rows that are `expanded`, from their pass->q, which is rotated. The rows' latents and keys must
 * be in the cache. */
void dense_attend(struct pass *pass, const struct mla_weights *mla, uint32_t layer);

#endif
