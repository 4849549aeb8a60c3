/* What a task looked at while it was decoded behind a stretch of the stored text, part by part: rows of the table reading.
 * And how dense attention compares: rows of dense_check. */
#ifndef SKIMD_STORE_LOOK_H
#define SKIMD_STORE_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum look_kind { LOOK_TITLE, LOOK_ABSTRACT, LOOK_ANSWER };

#define LOOK_MASS 1000000 /* units of mass */
#define LOOK_CHOSEN 1000 /* units of chosen */

struct look_part {
	int64_t length; /* bytes; parts follow each other without gaps */
	int64_t n_tokens; /* of a look; 0 where it is of no interest */
	int64_t mass; /* share of the attention that fell on it */
	int64_t chosen; /* how often a token of it was chosen, of the times it could have been; at least 1 where it was at all */
};

struct look {
	enum look_kind kind;
	int64_t question_id; /* of an answer; 0: of none */
	int64_t byte_start; /* of the first part, in the stored text */
	int64_t tokens; /* whose attention it was: those that chose a word */
	double elsewhere; /* share of it that fell on no part: on instruction and answer themselves */
	struct look_part *parts;
	size_t n_parts;
};

struct looks {
	struct look *items;
	size_t n, cap;
};

/* Append an empty look with room for n_parts; NULL: no memory. */
struct look *looks_add(struct looks *looks, enum look_kind kind, size_t n_parts);
void looks_done(struct looks *looks);

/* Where a look's text ends. */
int64_t look_end(const struct look *look);

const char *look_kind_name(enum look_kind kind);

/* The same tokens with dense attention behind them. */
struct dense_check {
	int64_t id;
	enum look_kind kind;
	int64_t question_id; /* of an answer; 0: of none */
	bool whole; /* the text was read densely, too; else only what was generated was compared */
	char *checked_at; /* UTC */
	int64_t tokens; /* generated */
	double agrees; /* share of them that dense attention would have chosen, too */
	double score; /* mean log-probability of a token */
	double score_delta; /* with dense attention, less that */
	double mass_recall; /* share of dense attention's mass on what the indexer chose; mean over the layers */
	double text_recall; /* of what falls on the text alone */
	double chance; /* what a random choice of as many positions would recall */
	double skill; /* of the layer that does worst: (recall - chance) / (1 - chance) */
	int64_t worst_layer;
	double *layer_recall; /* [n_layers] */
	size_t n_layers;
	bool warned; /* it was below what a sound indexer does */
	int64_t byte_start; /* of the first part of missed, which has all mass that was not chosen in `mass` */
	struct look_part *missed;
	size_t n_missed;
};

struct dense_checks {
	struct dense_check *items;
	size_t n, cap;
};

/* Append an empty one; NULL: no memory. */
struct dense_check *dense_checks_add(struct dense_checks *checks);
void dense_checks_done(struct dense_checks *checks);

#endif
