/* Text into the pieces that byte-pair encoding may not cross: the "pre_tokenizer" of a tokenizer.json, a chain
 * of patterns, each applied to what the ones before it left over. No piece reaches into another's sight: a
 * pattern's lookahead ends where its piece ends. */
#ifndef SKIMD_MODEL_PRETOKENIZER_H
#define SKIMD_MODEL_PRETOKENIZER_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

struct pretokenizer; /* read-only, shared by threads */

/* A Split (isolated, not inverted) or a ByteLevel, or a Sequence of Splits that a ByteLevel may end; null splits
 * nothing. Text is always taken as bytes afterwards, ByteLevel or not. -EBADMSG: anything else, in words
 * (path names the file), patterns that do not compile included. */
int pretokenizer_new(const char *path, const json_t *json, struct pretokenizer **ret, struct err *err);
void pretokenizer_free(struct pretokenizer *pretokenizer);

/* Called for each piece, in order; text is never empty, and a negative return ends the splitting. */
typedef int pretokenizer_piece_fn(void *user, const char *text, size_t n, struct err *err);

/* -EILSEQ: not UTF-8 (nothing was called then); -EFBIG: a pattern takes more steps than its piece's length
 * allows; -ENOMEM; what piece returned. */
int pretokenizer_split(const struct pretokenizer *pretokenizer, const char *text, size_t n,
                       pretokenizer_piece_fn *piece, void *user, struct err *err);

#endif
