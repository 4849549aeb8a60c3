/* Where attention went while tokens were appended to a context, by parts of what stands before them. The engine knows no
 * parts: the caller gives each position the number of a bucket. For layer l, a token t that was appended while the record
 * was set, the positions S that it attended to, and the share p[h][s] that head h gave to position s,
 *
 *   n_chosen[l][b] += |{ s in S : bucket(s) = b }|
 *   mass[l][b]     += 1/heads * sum of p[h][s] over the heads and over s in S with bucket(s) = b
 *
 * so that the masses of one layer's buckets sum to 1 for each token. With dense attention the indexer may be asked as
 * well, as if attention were sparse in this layer alone; for its choice C (all positions while they are no more than
 * index_topk)
 *
 *   recalled[l][b] += 1/heads * sum of p[h][s] over the heads and over s in C with bucket(s) = b
 *
 * which is the part of dense attention's mass that sparse attention would have kept. Masses are kept as integers, so
 * that sums do not depend on the order in which threads add. */
#ifndef SKIMD_MODEL_ATTENTION_RECORD_H
#define SKIMD_MODEL_ATTENTION_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define ATTENTION_UNIT 4294967296.0 /* of mass and recalled: so many are one token's attention in one layer */

/* The arrays are the caller's, who clears them before the first token. */
struct attention_record {
	const uint32_t *buckets; /* [n_positions], each below n_buckets */
	size_t n_positions, n_buckets; /* positions from n_positions on are in the last bucket */
	size_t first; /* tokens before this position are not noted, whatever looks at them is */
	uint64_t *mass, *n_chosen; /* [n_layers][n_buckets] */
	uint64_t *recalled; /* likewise; NULL: not wanted. With sparse attention all is recalled */
};

/* One token's attention in one layer, behind its softmax. */
struct attended {
	uint32_t layer;
	const uint32_t *positions; /* [n], rising; NULL: 0 to n - 1 */
	size_t n;
	const uint32_t *chosen; /* [n_chosen] among the positions, rising; NULL: all of them */
	size_t n_chosen;
	const float *shares; /* [n][stride], of which n_heads are heads */
	uint32_t n_heads, stride;
};

/* Any thread, beside others that add to the same record. */
void attention_record_add(const struct attention_record *record, const struct attended *attended);

#endif
