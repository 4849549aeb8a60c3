/* Byte-pair encoding of one piece of text: its bytes as tokens, then the pair of neighbours that was learned
 * first is merged, the leftmost such pair before the others, until no pair is left that was learned. */
#ifndef SKIMD_MODEL_BPE_H
#define SKIMD_MODEL_BPE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/vocab.h"

struct bpe; /* the merges; read-only, shared by threads */

/* "merges" of a tokenizer.json, as ["a", "b"] or "a b", first learned first. vocab is borrowed and must outlive
 * *ret. -EBADMSG: a merge whose parts or result are no tokens, or that comes twice (path names the file). */
int bpe_new(const char *path, const json_t *merges, const struct vocab *vocab, struct bpe **ret,
            struct err *err);
void bpe_free(struct bpe *bpe);

/* The tokens so far and the memory that encoding works in, kept between pieces. Zeroed at first; one thread's. */
struct bpe_work {
	uint32_t *ids; /* the caller may take it, for free() */
	size_t n_ids, cap_ids;
	struct bpe_symbol *symbols;
	uint64_t *heap;
	size_t n_heap, cap_symbols;
};

/* Append a piece's tokens to work->ids, in O(n log n). -ENOENT: no token stands for one of its bytes; -EFBIG: a
 * piece of 2 GiB; -ENOMEM. */
int bpe_encode(const struct bpe *bpe, const char *piece, size_t n, struct bpe_work *work, struct err *err);
int bpe_append(struct bpe_work *work, uint32_t id, struct err *err);
void bpe_work_done(struct bpe_work *work);

#endif
