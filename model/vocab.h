/* What each token id of a byte-level vocabulary stands for, in raw bytes, and the way back from bytes to ids. */
#ifndef SKIMD_MODEL_VOCAB_H
#define SKIMD_MODEL_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define VOCAB_MAX_IDS ((uint32_t)1 << 22)
#define VOCAB_NONE UINT32_MAX /* no such id */

struct vocab;

/* An empty vocabulary with room for the ids below n_ids. -ENOMEM. */
int vocab_new(uint32_t n_ids, struct vocab **ret);
void vocab_free(struct vocab *vocab);

/* Let id, which is below n_ids and not in use, stand for n > 0 bytes (copied). -EEXIST: another id does;
 * -EFBIG: 4 GiB of bytes in all; -ENOMEM. */
int vocab_add(struct vocab *vocab, uint32_t id, const char *bytes, size_t n);

uint32_t vocab_n_ids(const struct vocab *vocab);

/* Borrowed; NULL for an id that stands for no bytes. */
const char *vocab_bytes(const struct vocab *vocab, uint32_t id, size_t *ret_n);

/* The id of exactly these bytes, or VOCAB_NONE. */
uint32_t vocab_find(const struct vocab *vocab, const char *bytes, size_t n);

/* Append the bytes that a tokenizer.json writes as string: GPT-2's alphabet, in which every byte is a printable
 * character. -EILSEQ: some character is none of the 256; ret then has what stood before it. Memory: buf_status(). */
int vocab_read_alphabet(const char *string, size_t n, struct buf *ret);

#endif
