/* What a task behind a text looked at, part by part of the text; and how it compares with dense attention.
 *
 * Everything is over the tokens that chose a word: the last one of the instruction, and what was generated but for the last
 * token, which looks at nothing any more. What the words before them look at serves to read the task. Let A be the attention of
 * one of them in one layer, averaged over the heads: it sums to 1. */
#ifndef SKIMD_PIPELINE_SIGHT_H
#define SKIMD_PIPELINE_SIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/attention_record.h"
#include "model/shape.h"
#include "pipeline/parts.h"

/* The same tokens with dense attention behind them. */
struct dense_view {
	size_t n_tokens; /* generated ones; 0: there was no check */
	size_t n_agree; /* of them, which dense attention would have chosen too, each behind the same tokens */
	double score; /* mean log-probability of a token, with dense attention */
	size_t n_layers;
	double *recall; /* [n_layers] share of dense A that falls on positions that the indexer chose */
	double *missed; /* [parts] share of dense A, over layers and tokens, on positions that it did not choose */
	double text_recall; /* as recall, over all layers, of what falls on the text alone */
	double chance; /* recall of as many positions drawn by lot: mean of min(1, index_topk / positions there are) */
};

struct sight {
	size_t n_generated; /* tokens, and as many whose attention it is */
	double score; /* mean log-probability of a generated token */
	const struct parts *parts; /* of the text */
	double *mass; /* [parts] mean of A on the part, over layers and tokens */
	double *chosen; /* [parts] how often a token of the part was chosen, of the times that it could have been */
	double elsewhere; /* mean of A on what is not the text: the prompt's frame, the instruction, the answer itself */
	struct dense_view dense;
};

/* Note attention behind a prompt of n_frame tokens and then the text's. */
struct sighting {
	struct attention_record record;
	uint32_t *buckets;
	size_t n_layers;
	const struct parts *parts;
};

/* parts is borrowed. dense: what the indexer would have chosen is compared. -ENOMEM. */
int sighting_init(struct sighting *sighting, const struct parts *parts, size_t n_text_tokens, size_t n_frame,
                  const struct model_shape *shape, bool dense);
void sighting_done(struct sighting *sighting); /* all zero is allowed */

/* What was noted over n_tokens tokens: mass, chosen, elsewhere; or recall, missed, text_recall. -ENOMEM; what they hold
 * until then is for sight_done(). */
int sighting_take(const struct sighting *sighting, size_t n_tokens, struct sight *ret);
int sighting_take_dense(const struct sighting *sighting, size_t n_tokens, struct dense_view *ret);

void sight_done(struct sight *sight); /* all zero is allowed */

#endif
