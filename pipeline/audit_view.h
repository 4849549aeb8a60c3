/* A document's audit as people look at it: what was looked at by section, which parts most and least, what no answer
 * reached, and how dense attention compares. Made from rows of skimd.db alone. */
#ifndef SKIMD_PIPELINE_AUDIT_VIEW_H
#define SKIMD_PIPELINE_AUDIT_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pipeline/stored_text.h"
#include "store/docstore_audit.h"

/* A part of the text in one track. Places are bytes of the stored text. */
struct track_part {
	int64_t start, end;
	int64_t n_tokens;
	double mass, chosen; /* as in struct look_part, from 0 to 1 */
	double heat; /* attention for its tokens: 1 is as much as an even look over what was read with it would give */
};

/* What one kind of task, or all of them together, looked at; parts rise and do not overlap. */
struct track {
	const char *name; /* of an answer its question; NULL: there is none */
	int64_t question_id;
	struct track_part *parts;
	size_t n;
};

#define AUDIT_SELDOM 0.1

/* Of kinds of tasks, and behind them of single answers, the first ones. */
enum { TRACK_ALL, TRACK_TITLE, TRACK_ABSTRACT, TRACK_ANSWER, N_KIND_TRACKS };
#define N_TRACKS (N_KIND_TRACKS + 8)

/* A heading and what stands below it, up to the next one. */
struct audit_section {
	const char *title; /* n_title bytes; NULL: what stands before the first heading */
	size_t n_title;
	unsigned level;
	int64_t start, end;
	/* By tokens, as attention sees nothing else: numbers, names and other languages have more of them than prose. */
	double text; /* its share of the text that was read */
	double attention; /* of the heat */
	double chosen; /* mean */
	double covered; /* share of it in parts of which something was chosen */
	double reached; /* share of it that was read again for a question */
};

/* All comparisons of one kind of reading. */
struct dense_sums {
	size_t n, n_warned;
	int64_t tokens;
	double agrees, score_delta, mass_recall, text_recall, chance; /* means; agrees by token */
	double skill; /* the least */
};

/* Stays where it is. */
struct audit_view {
	struct reading reading;
	struct stored_text stored;
	struct audit audit;
	struct track tracks[N_TRACKS];
	struct audit_section *sections;
	size_t n_sections;
	double elsewhere; /* mean over the looks */
	double covered, reached; /* of the text that was read */
	double seldom; /* likewise: chosen in fewer than AUDIT_SELDOM of the cases in which it could have been */
	size_t *by_heat; /* [tracks[TRACK_ALL].n] its parts, the hottest first */
	struct dense_sums checks, answer_checks; /* of what was written about chunks, and of answers */
	struct dense_sums whole_checks; /* of both, with the chunk read densely */
};

/* *ret is the caller's, for audit_view_done(). Where nothing was noted of the reading there are no parts. -ENOENT: no such
 * document; -EAGAIN: it has no results yet; -ENOMEM; others of docstore_load(). */
int audit_view_make(struct docstore *store, int64_t id, struct audit_view *ret, struct err *err);
void audit_view_done(struct audit_view *view); /* all zero is allowed */

/* The section that a byte of the stored text stands in. */
const struct audit_section *audit_view_section_at(const struct audit_view *view, int64_t at);

#endif
