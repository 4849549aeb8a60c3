/* Decoding that can only quote. The model answers with whole spans of the source, one a line:
 *
 *     span \n span \n span <end of sequence>
 *
 * and at each step only the tokens are allowed whose bytes go on with a span that is still possible, or that end
 * the answer. It works on bytes, since the same words tokenize differently inside a text and at the start of a
 * line; a token may end a span and hold the line feed behind it, but never the start of the next span.
 *
 * Where parts are allowed the answer is one run of words from within one of the spans:  words <end of sequence> */
#ifndef SKIMD_MODEL_GROUNDED_H
#define SKIMD_MODEL_GROUNDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/token_trie.h"

/* Any bytes but the line feed, which ends a span: put a blank in its place. */
struct grounded_span {
	const char *bytes;
	size_t n;
};

struct grounded_settings {
	uint32_t eos; /* the token that ends the answer; stands for no bytes */
	size_t max_spans; /* at least 1 */
	size_t min_spans; /* the answer cannot end before, unless the spans run out; 0 is 1 */
	bool parts; /* one part of one span, from a word's start to a word's end; max_spans is 1 then */
};

/* One span of the answer. Every token counts for one span: the line feed and the end of sequence for the span
 * that they end, so the sums add up to the whole answer's log-probability. */
struct grounded_result {
	size_t span; /* index into the spans of grounded_new() */
	size_t start, n; /* the bytes of it that were quoted: all of them but where parts are allowed */
	double log_probability;
	size_t n_tokens;
};

/* One answer being decoded; one thread's. */
struct grounded;

/* The trie and the spans' bytes are borrowed and must outlive *ret. Left out are spans that are empty, hold a line
 * feed, equal an earlier one or cannot be spelled with the vocabulary. -ENOENT: none is left; -EINVAL: max_spans
 * is 0, or not 1 with parts, or eos stands for bytes or is not in the vocabulary; -ENOMEM. Nothing later allocates. */
int grounded_new(const struct token_trie *trie, const struct grounded_span *spans, size_t n,
                 const struct grounded_settings *settings, struct grounded **ret, struct err *err);
void grounded_free(struct grounded *grounded); /* NULL is allowed */

/* The ids that may come next, rising, never none before grounded_done(); borrowed until the next accept. The end
 * of sequence is among them where a span is complete, and nowhere else: behind a line feed another span begins. */
void grounded_allowed(const struct grounded *grounded, const uint32_t **ret_ids, size_t *ret_n);

/* Take the token that was chosen. -EINVAL: it is not allowed here; nothing has changed then. */
int grounded_accept(struct grounded *grounded, uint32_t id, double log_probability);

bool grounded_done(const struct grounded *grounded); /* the end of sequence was accepted */

/* The spans that are complete, in the answer's order; borrowed until the next accept. A span counts as complete
 * when the line feed or the end of sequence behind it was accepted. */
void grounded_results(const struct grounded *grounded, const struct grounded_result **ret, size_t *ret_n);

#endif
