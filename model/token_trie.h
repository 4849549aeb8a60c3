/* The vocabulary as a trie over bytes: which tokens can come next where the text that must follow is known. */
#ifndef SKIMD_MODEL_TOKEN_TRIE_H
#define SKIMD_MODEL_TOKEN_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/tokenizer.h"

#define TOKEN_TRIE_ROOT 0U
#define TOKEN_TRIE_NONE UINT32_MAX /* no such node, no token here */

/* Read-only once made: threads may share it. */
struct token_trie;

/* The tokenizer is borrowed and must outlive *ret. -ENOMEM; -EFBIG: more than 2^32 - 2 nodes. */
int token_trie_new(const struct tokenizer *tokenizer, struct token_trie **ret, struct err *err);
void token_trie_free(struct token_trie *trie); /* NULL is allowed */

const struct tokenizer *token_trie_tokenizer(const struct token_trie *trie);

/* The node one byte below a node (from TOKEN_TRIE_ROOT on), or TOKEN_TRIE_NONE: no token goes on like that. */
uint32_t token_trie_step(const struct token_trie *trie, uint32_t node, char byte);

/* The token whose bytes lead from the root to this node, or TOKEN_TRIE_NONE. */
uint32_t token_trie_token(const struct token_trie *trie, uint32_t node);

#endif
