#include "pipeline/audit_output.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/json.h"
#include "base/text.h"

#define N_RANKED 5 /* parts that are shown of each end of the ranking */
#define MOST_SECTIONS 40 /* in words */
#define EXCERPT_BYTES 66
#define SECTION_BYTES 36

static double percent(double share)
{
	return 100 * share;
}

/* n bytes at most of a text, in whole characters; white space and what a terminal would obey become single blanks. */
static void put_excerpt(struct buf *buf, const char *text, size_t n, size_t most)
{
	bool blank = true;
	size_t i = 0;

	for (size_t start = buf->n; i < n && buf->n - start < most;) {
		size_t n_control = text_control_length(text + i), length = 1;

		while (i + length < n && (text[i + length] & 0xc0) == 0x80)
			length++;
		if (n_control > 0 || text[i] == ' ') {
			buf_append(buf, " ", blank ? 0 : 1);
			blank = true;
			i += n_control > 0 ? n_control : 1;
			continue;
		}
		buf_append(buf, text + i, length);
		blank = false;
		i += length;
	}
	if (i < n)
		buf_puts(buf, "…");
}

static void put_section_name(struct buf *buf, const struct audit_section *section)
{
	if (section->title == NULL)
		buf_puts(buf, "(before the first heading)");
	else
		put_excerpt(buf, section->title, section->n_title, SECTION_BYTES);
}

static void put_head(struct buf *buf, const struct audit_view *view)
{
	size_t n_looks = view->audit.looks.n;

	put_excerpt(buf, view->reading.document.name, strlen(view->reading.document.name), SIZE_MAX);
	buf_printf(
		buf,
		"\n\nRead in %zu part%s; noted %zu times, for each thing that was written. Of the attention\n"
		"%.0f %% fell on the text, the rest on the task and the words already written.\n",
		view->reading.n_chunks, view->reading.n_chunks == 1 ? "" : "s", n_looks,
		percent(1 - view->elsewhere));
	buf_printf(
		buf,
		"At least once something was chosen from %.1f %% of the text; from %.1f %% of it in fewer\n"
		"than one in ten of the cases in which it could have been.\n",
		percent(view->covered), percent(view->seldom));
}

static void put_section(struct buf *buf, const struct audit_section *section, bool has_answers)
{
	buf_printf(buf, "  %5.1f %%   %5.1f %%   %5.1f %%   %5.1f %%  ", percent(section->text),
	           percent(section->attention), percent(section->chosen), percent(section->covered));
	if (has_answers)
		buf_printf(buf, " %5.1f %%  ", percent(section->reached));
	buf_printf(buf, "%*s",
	           section->level > 1 ? 2 * (int)(section->level < 6 ? section->level - 1 : 5) : 0, "");
	put_section_name(buf, section);
	buf_puts(buf, "\n");
}

static void put_sections(struct buf *buf, const struct audit_view *view)
{
	bool has_answers = view->tracks[TRACK_ANSWER].n > 0;
	size_t n = 0;

	buf_printf(buf,
	           "\nBy section: its share of the text and of the attention, how often a word of it was\n"
	           "chosen when it could have been, and how much of it was at least once%s\n"
	           "     text  attention    chosen      ever %s\n",
	           has_answers ? ", or was\nread again for a question" : "", has_answers ? "  asked" : "");
	for (size_t i = 0; i < view->n_sections; i++) {
		if (view->sections[i].text > 0 && n++ < MOST_SECTIONS)
			put_section(buf, &view->sections[i], has_answers);
	}
	if (n > MOST_SECTIONS)
		buf_printf(buf, "  and %zu more, see --json\n", n - MOST_SECTIONS);
}

static void put_part(struct buf *buf, const struct audit_view *view, const struct track_part *part)
{
	buf_printf(buf, "  x%-5.2f “", part->heat);
	put_excerpt(buf, view->stored.source + part->start, (size_t)(part->end - part->start), EXCERPT_BYTES);
	buf_printf(buf, "”\n          bytes %" PRId64 " to %" PRId64 ", ", part->start, part->end);
	put_section_name(buf, audit_view_section_at(view, part->start));
	buf_puts(buf, "\n");
}

static void put_ranks(struct buf *buf, const struct audit_view *view)
{
	const struct track *all = &view->tracks[TRACK_ALL];
	size_t n = all->n / 2 < N_RANKED ? all->n / 2 : N_RANKED;

	buf_puts(buf, "\nLooked at most, in times of what its words would get:\n");
	for (size_t i = 0; i < n; i++)
		put_part(buf, view, &all->parts[view->by_heat[i]]);
	buf_puts(buf, "\nLooked at least:\n");
	for (size_t i = 0; i < n; i++)
		put_part(buf, view, &all->parts[view->by_heat[all->n - 1 - i]]);
}

static void put_reached(struct buf *buf, const struct audit_view *view)
{
	if (view->tracks[TRACK_ANSWER].n == 0 || view->tracks[TRACK_ALL].n == 0)
		return;
	buf_printf(buf, "\nNo question reached %.1f %% of the text", percent(1 - view->reached));
	for (size_t i = 0, n = 0; i < view->n_sections && n <= N_RANKED; i++) {
		if (view->sections[i].text == 0 || view->sections[i].reached > 0)
			continue;
		buf_puts(buf, n == 0 ? ", such as all of\n  " : "\n  ");
		if (n++ == N_RANKED)
			buf_puts(buf, "and more");
		else
			put_section_name(buf, &view->sections[i]);
	}
	buf_puts(buf, "\n");
}

static void put_checks(struct buf *buf, const struct dense_sums *sums, const char *what)
{
	if (sums->n == 0)
		return;
	buf_printf(buf,
	           "  %s, %zu time%s:\n"
	           "    it would have chosen the same for %.1f %% of %" PRId64
	           " tokens, each behind the same\n"
	           "    ones, and finds them %s likely (%+.3f a token). What was chosen to be\n"
	           "    looked at holds %.1f %% of its attention, %.1f %% of what falls on the text; as\n"
	           "    much drawn by lot would hold %.1f %%.",
	           what, sums->n, sums->n == 1 ? "" : "s", percent(sums->agrees), sums->tokens,
	           sums->score_delta < 0 ? "less" : "more", sums->score_delta, percent(sums->mass_recall),
	           percent(sums->text_recall), percent(sums->chance));
	if (sums->n_warned > 0)
		buf_printf(
			buf,
			" WARNING: %zu of these are worse than a\n    sound indexer's, see 'skimctl events'.",
			sums->n_warned);
	buf_puts(buf, "\n");
}

/* The part that dense attention would have looked at most of what was not chosen. */
static void put_missed(struct buf *buf, const struct audit_view *view)
{
	struct track_part most = { 0 };

	for (size_t i = 0; i < view->audit.checks.n; i++) {
		const struct dense_check *check = &view->audit.checks.items[i];
		int64_t at = check->byte_start;

		for (size_t j = 0; j < check->n_missed; at += check->missed[j++].length) {
			double mass = (double)check->missed[j].mass / LOOK_MASS;

			if (mass > most.mass && (size_t)(at + check->missed[j].length) <= view->stored.n)
				most = (struct track_part){ .start = at,
					                    .end = at + check->missed[j].length,
					                    .mass = mass };
		}
	}
	if (most.end == 0)
		return;
	buf_printf(buf, "  Of what was left out, dense attention would have looked most (%.2f %%) at\n  “",
	           percent(most.mass));
	put_excerpt(buf, view->stored.source + most.start, (size_t)(most.end - most.start), EXCERPT_BYTES);
	buf_printf(buf, "” (bytes %" PRId64 " to %" PRId64 ")\n", most.start, most.end);
}

static void put_dense(struct buf *buf, const struct audit_view *view)
{
	buf_puts(buf, "\nDense attention, which leaves nothing out, on the same weights:\n");
	put_checks(buf, &view->checks, "behind the text as it was read");
	put_checks(buf, &view->answer_checks, "in answers' words, behind the part they stand in");
	put_checks(buf, &view->whole_checks, "with the text read densely, too");
	put_missed(buf, view);
	if (view->audit.n_due > 0)
		buf_printf(buf, "  %" PRId64 " more comparison%s when there is nothing else to do.\n",
		           view->audit.n_due, view->audit.n_due == 1 ? " is made" : "s are made");
	else if (view->audit.checks.n == 0)
		buf_puts(buf, "  no part of this document is among those that are compared "
		              "('audit.dense_share').\n");
}

int audit_output_words(const struct audit_view *view, struct buf *ret)
{
	put_head(ret, view);
	put_sections(ret, view);
	put_ranks(ret, view);
	put_reached(ret, view);
	put_dense(ret, view);
	return buf_status(ret);
}

/* Five digits are more than a measurement has. */
static json_t *figure(double value)
{
	return json_real(round(value * 1e5) / 1e5);
}

static json_t *section_json(const struct audit_section *section)
{
	json_t *title = section->title == NULL ? json_null() : json_stringn(section->title, section->n_title);

	return json_pack("{s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "section", title, "byte_start",
	                 (json_int_t)section->start, "byte_end", (json_int_t)section->end, "text",
	                 figure(section->text), "attention", figure(section->attention), "chosen",
	                 figure(section->chosen), "covered", figure(section->covered), "asked",
	                 figure(section->reached));
}

static json_t *part_json(const struct track_part *part)
{
	return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o}", "byte_start", (json_int_t)part->start, "byte_end",
	                 (json_int_t)part->end, "tokens", (json_int_t)part->n_tokens, "mass",
	                 figure(part->mass), "chosen", figure(part->chosen), "heat", figure(part->heat));
}

static json_t *track_json(const struct track *track)
{
	json_t *parts = json_array();

	for (size_t i = 0; i < track->n; i++)
		json_append(&parts, part_json(&track->parts[i]));
	return parts;
}

/* By what was written. */
static json_t *tracks_json(const struct audit_view *view)
{
	json_t *tracks = json_object();

	for (size_t i = 0; i < N_KIND_TRACKS; i++)
		json_set(&tracks, view->tracks[i].name, track_json(&view->tracks[i]));
	return tracks;
}

/* A list, since what somebody asks may be any word, and the name of a kind as well. */
static json_t *questions_json(const struct audit_view *view)
{
	json_t *questions = json_array();

	for (size_t i = N_KIND_TRACKS; i < N_TRACKS && view->tracks[i].name != NULL; i++)
		json_append(&questions,
		            json_pack("{s:I, s:s, s:o}", "question_id",
		                      (json_int_t)view->tracks[i].question_id, "question",
		                      view->tracks[i].name, "parts", track_json(&view->tracks[i])));
	return questions;
}

static json_t *check_json(const struct dense_check *check)
{
	json_t *layers = json_array();

	for (size_t i = 0; i < check->n_layers; i++)
		json_append(&layers, figure(check->layer_recall[i]));
	return json_pack("{s:s, s:o, s:b, s:s?, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:b}",
	                 "kind", look_kind_name(check->kind), "question_id",
	                 check->question_id == 0 ? json_null() : json_integer(check->question_id), "whole",
	                 (int)check->whole, "checked_at", check->checked_at, "byte_start",
	                 (json_int_t)check->byte_start, "tokens", (json_int_t)check->tokens, "agrees",
	                 figure(check->agrees), "score", figure(check->score), "score_delta",
	                 figure(check->score_delta), "mass_recall", figure(check->mass_recall), "text_recall",
	                 figure(check->text_recall), "chance", figure(check->chance), "skill",
	                 figure(check->skill), "worst_layer", (json_int_t)check->worst_layer, "layer_recall",
	                 layers, "warned", (int)check->warned);
}

static json_t *audit_json(const struct audit_view *view)
{
	json_t *sections = json_array(), *checks = json_array();

	for (size_t i = 0; i < view->n_sections; i++) {
		if (view->sections[i].text > 0)
			json_append(&sections, section_json(&view->sections[i]));
	}
	for (size_t i = 0; i < view->audit.checks.n; i++)
		json_append(&checks, check_json(&view->audit.checks.items[i]));
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "document",
	                 (json_int_t)view->reading.document.id, "name",
	                 json_of_bytes(view->reading.document.name), "on_text", figure(1 - view->elsewhere),
	                 "covered", figure(view->covered), "seldom", figure(view->seldom), "asked",
	                 figure(view->reached), "sections", sections, "parts", tracks_json(view), "questions",
	                 questions_json(view), "dense_checks", checks, "checks_due",
	                 (json_int_t)view->audit.n_due);
}

int audit_output_json(const struct audit_view *view, struct buf *ret)
{
	return json_put(audit_json(view), JSON_INDENT(1) | JSON_REAL_PRECISION(12), ret);
}
