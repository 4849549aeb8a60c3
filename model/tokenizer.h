/* A checkpoint's tokenizer.json: text to token ids and back. Byte-level BPE as DeepSeek, GLM and GPT-2 use it;
 * what a file asks for beyond that is refused, since it would tokenize otherwise than in training. The file's
 * post_processor, truncation and padding are not applied: the prompt's maker adds special tokens by id. */
#ifndef SKIMD_MODEL_TOKENIZER_H
#define SKIMD_MODEL_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Read-only once open: threads may share it. */
struct tokenizer;

/* *ret is the caller's, for tokenizer_close(). -ENOENT and other open errors; -EFBIG: the file has more than
 * 128 MiB; -EBADMSG: damaged or of an unsupported kind, in words; -ENOMEM. */
int tokenizer_open(const char *path, struct tokenizer **ret, struct err *err);
void tokenizer_close(struct tokenizer *tokenizer); /* NULL is allowed */

uint32_t tokenizer_n_vocab(const struct tokenizer *tokenizer); /* 1 + the largest id */

/* The ids of a user's text. Special tokens are never recognised in it: "<｜User｜>" becomes what its letters
 * become. *ret_ids is the caller's, for free(), also where *ret_n is 0. -EILSEQ: not UTF-8; -ENOENT: the
 * vocabulary has no token for one of its bytes; -EFBIG: a piece of 2 GiB, or the file's patterns take too many
 * steps; -ENOMEM. */
int tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t n, uint32_t **ret_ids,
                     size_t *ret_n, struct err *err);

/* An added token's id by its content; -ENOENT: the file has no such token. */
int tokenizer_special(const struct tokenizer *tokenizer, const char *content, uint32_t *ret);

/* What a token stands for: *ret_n bytes, borrowed, not always whole characters. NULL: an added or unused id. */
const char *tokenizer_bytes(const struct tokenizer *tokenizer, uint32_t id, size_t *ret_n);

/* Append the tokens' bytes; added and unused ids are skipped. -EINVAL: an id of n_vocab or more; -ENOMEM. */
int tokenizer_decode(const struct tokenizer *tokenizer, const uint32_t *ids, size_t n, struct buf *ret,
                     struct err *err);

#endif
