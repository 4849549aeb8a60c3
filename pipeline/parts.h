/* The parts of a text that an audit speaks of: about a paragraph, or some sentences of one, always whole tokens. */
#ifndef SKIMD_PIPELINE_PARTS_H
#define SKIMD_PIPELINE_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/tokenizer.h"

/* A tokenized text, cut. Part i is the text's bytes [ends[i - 1], ends[i]), the first one from 0 on; together they are
 * all of it that has tokens. */
struct parts {
	size_t *ends, *n_tokens; /* [n] */
	size_t n;
	uint32_t *of_token; /* [of all tokens] the part that each is in */
};

/* Cut a text whose tokens these are, none of them special. A part ends with a paragraph, when it has 24 tokens or more;
 * with a sentence or a line, from 48 on; with a word, from 96 on; after 160 in any case. A rest of fewer than 24 goes to
 * the part before it. text is not kept. -EBADMSG: the tokens are not those of
 * the text; -ENOMEM. */
int parts_make(const struct tokenizer *tokenizer, const char *text, size_t n_bytes, const uint32_t *tokens,
               size_t n_tokens, struct parts *ret, struct err *err);
void parts_done(struct parts *parts); /* all zero is allowed */

#endif
