/* Decoding that can only quote. The answer is one run of words from within one of the spans of the source:
 *
 *     words <end of sequence>
 *
 * and at each step only the tokens are allowed whose bytes go on with words that still stand somewhere, or that end
 * the answer. It works on bytes, since the same words tokenize differently inside a text and at the start of a line. */
#ifndef SKIMD_MODEL_GROUNDED_H
#define SKIMD_MODEL_GROUNDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/token_trie.h"

/* Any bytes; what is quoted begins and ends with words of them. */
struct grounded_span {
	const char *bytes;
	size_t n;
};

/* What was quoted: a place where the words stand, of equal spans in the first one. */
struct grounded_result {
	size_t span; /* index into the spans of grounded_new() */
	size_t start, n; /* bytes of it */
	double log_probability; /* of all tokens, the end of sequence among them */
	size_t n_tokens;
};

/* One answer being decoded; one thread's. */
struct grounded;

/* The trie and the spans' bytes are borrowed and must outlive *ret. eos is the token that ends the answer. Left out are
 * words that cannot be spelled with the vocabulary. -ENOENT: none are left; -EINVAL: eos stands for bytes or is not in the
 * vocabulary; -ENOMEM. Nothing later allocates. */
int grounded_new(const struct token_trie *trie, const struct grounded_span *spans, size_t n, uint32_t eos,
                 struct grounded **ret, struct err *err);
void grounded_free(struct grounded *grounded); /* NULL is allowed */

/* The ids that may come next, rising, never none before grounded_done(); borrowed until the next accept. The end
 * of sequence is among them behind whole words, and nowhere else. */
void grounded_allowed(const struct grounded *grounded, const uint32_t **ret_ids, size_t *ret_n);

/* Take the token that was chosen. -EINVAL: it is not allowed here; nothing has changed then. */
int grounded_accept(struct grounded *grounded, uint32_t id, double log_probability);

bool grounded_done(const struct grounded *grounded); /* the end of sequence was accepted */

/* False before that. */
bool grounded_result(const struct grounded *grounded, struct grounded_result *ret);

#endif
