#include "pipeline/audit_view.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static const char *const TRACK_NAMES[N_KIND_TRACKS] = {
	[TRACK_ALL] = "all of it",
	[TRACK_TITLE] = "title",
	[TRACK_ABSTRACT] = "summary",
	[TRACK_ANSWER] = "answers",
};

static const int TRACK_OF[] = {
	[LOOK_TITLE] = TRACK_TITLE,
	[LOOK_ABSTRACT] = TRACK_ABSTRACT,
	[LOOK_ANSWER] = TRACK_ANSWER,
};

void audit_view_done(struct audit_view *view)
{
	reading_done(&view->reading);
	stored_text_done(&view->stored);
	audit_done(&view->audit);
	for (size_t i = 0; i < N_TRACKS; i++)
		free(view->tracks[i].parts);
	free(view->sections);
	free(view->by_heat);
	*view = (struct audit_view){ 0 };
}

static bool belongs(const struct look *look, const struct track *tracks, int track)
{
	if (track >= N_KIND_TRACKS)
		return look->kind == LOOK_ANSWER && look->question_id == tracks[track].question_id;
	return track == TRACK_ALL ? look->kind != LOOK_ANSWER : TRACK_OF[look->kind] == track;
}

/* By where they begin; those that begin together by their order in the audit, so that sums come out the same each time. */
static int by_place(const void *a, const void *b)
{
	const struct look *x = *(const struct look *const *)a, *y = *(const struct look *const *)b;

	if (x->byte_start != y->byte_start)
		return x->byte_start < y->byte_start ? -1 : 1;
	return (x > y) - (x < y);
}

/* Heat of a look's parts, from their masses. */
static void heat(struct track_part *parts, size_t n)
{
	double mass = 0, n_tokens = 0;

	for (size_t i = 0; i < n; i++) {
		mass += parts[i].mass;
		n_tokens += (double)parts[i].n_tokens;
	}
	for (size_t i = 0; i < n; i++) {
		double own = (double)parts[i].n_tokens;

		parts[i].heat = mass > 0 && own > 0 ? parts[i].mass / own / (mass / n_tokens) : 0;
	}
}

/* Looks at the same stretch, together: the mean of their masses, and how often something was chosen by any. */
static void add_stretch(struct track *track, const struct look *const *looks, size_t n)
{
	struct track_part *parts = track->parts + track->n;
	int64_t at = looks[0]->byte_start;
	size_t n_parts = looks[0]->n_parts;

	for (size_t i = 0; i < n_parts; i++) {
		parts[i] = (struct track_part){ .start = at,
			                        .end = at + looks[0]->parts[i].length,
			                        .n_tokens = looks[0]->parts[i].n_tokens };
		at = parts[i].end;
		for (size_t j = 0; j < n; j++) {
			parts[i].mass += (double)looks[j]->parts[i].mass / LOOK_MASS / (double)n;
			parts[i].chosen += (double)looks[j]->parts[i].chosen / LOOK_CHOSEN / (double)n;
		}
	}
	heat(parts, n_parts);
	track->n += n_parts;
}

/* How many looks from the first on are at the same stretch. */
static size_t same_stretch(const struct look *const *looks, size_t n)
{
	size_t i = 1;

	while (i < n && looks[i]->byte_start == looks[0]->byte_start &&
	       looks[i]->n_parts == looks[0]->n_parts)
		i++;
	return i;
}

/* Stretches in order; one that overlaps the one before, as passages of several questions may, is left out. */
static void add_stretches(struct track *track, const struct look *const *looks, size_t n)
{
	int64_t end = -1;

	for (size_t i = 0, same; i < n; i += same) {
		same = same_stretch(looks + i, n - i);
		if (looks[i]->byte_start < end)
			continue;
		add_stretch(track, looks + i, same);
		end = look_end(looks[i]);
	}
}

static int make_track(struct audit_view *view, int number)
{
	const struct looks *looks = &view->audit.looks;
	const struct look **own = array_new(const struct look *, looks->n);
	struct track *track = &view->tracks[number];
	size_t n = 0, n_parts = 0;

	if (number < N_KIND_TRACKS)
		track->name = TRACK_NAMES[number];
	for (size_t i = 0; own != NULL && i < looks->n; i++) {
		if (!belongs(&looks->items[i], view->tracks, number))
			continue;
		own[n++] = &looks->items[i];
		n_parts += looks->items[i].n_parts;
	}
	track->parts = array_new(struct track_part, n_parts);
	if (own == NULL || track->parts == NULL) {
		free(own);
		return -ENOMEM;
	}
	qsort(own, n, sizeof(*own), by_place);
	add_stretches(track, own, n);
	free(own);
	return 0;
}

/* The answers that have a track of their own. */
static void name_answers(struct audit_view *view)
{
	const struct questions *questions = &view->reading.questions;
	size_t n = N_KIND_TRACKS;

	for (size_t i = 0; i < questions->n && n < N_TRACKS; i++) {
		if (questions->items[i].answer.text == NULL)
			continue;
		view->tracks[n].name = questions->items[i].text;
		view->tracks[n++].question_id = questions->items[i].id;
	}
}

const struct audit_section *audit_view_section_at(const struct audit_view *view, int64_t at)
{
	size_t low = 0, high = view->n_sections;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (view->sections[middle].start <= at)
			low = middle;
		else
			high = middle;
	}
	return &view->sections[low];
}

static int list_sections(struct audit_view *view)
{
	size_t n = view->stored.view.n_headings;

	view->sections = array_new(struct audit_section, n + 1);
	if (view->sections == NULL)
		return -ENOMEM;
	view->n_sections = n + 1;
	for (size_t i = 0; i < n; i++) {
		const struct heading *heading = &view->stored.view.headings[i];

		view->sections[i + 1] = (struct audit_section){
			.title = view->stored.view.text + heading->title,
			.n_title = heading->end - heading->title,
			.level = heading->level,
			.start = (int64_t)view_source(&view->stored.view, heading->start),
		};
	}
	for (size_t i = 0; i < view->n_sections; i++)
		view->sections[i].end = i < n ? view->sections[i + 1].start : (int64_t)view->stored.n;
	return 0;
}

/* The tokens that a part and a section have in common, as if all were of one length. */
static double overlap(const struct track_part *part, const struct audit_section *section)
{
	int64_t start = part->start > section->start ? part->start : section->start;
	int64_t end = part->end < section->end ? part->end : section->end;
	double tokens_a_byte = (double)part->n_tokens / (double)(part->end - part->start);

	return end > start ? (double)(end - start) * tokens_a_byte : 0;
}

/* Each section that the part lies in gets what `add` makes of the tokens in common. */
static void spread(struct audit_view *view, const struct track_part *part,
                   void (*add)(struct audit_section *section, const struct track_part *part, double tokens))
{
	size_t i = (size_t)(audit_view_section_at(view, part->start) - view->sections);

	for (; i < view->n_sections && view->sections[i].start < part->end; i++)
		add(&view->sections[i], part, overlap(part, &view->sections[i]));
}

static void add_attention(struct audit_section *section, const struct track_part *part, double tokens)
{
	section->text += tokens;
	section->attention += part->heat * tokens;
	section->chosen += part->chosen * tokens;
	section->covered += part->chosen > 0 ? tokens : 0;
}

static void add_reached(struct audit_section *section, const struct track_part *part, double tokens)
{
	(void)part;
	section->reached += tokens;
}

/* Sums over tokens to shares; of a section that nothing was read of, zeros. */
static void finish_section(struct audit_section *section, double tokens, double attention)
{
	if (section->text == 0)
		return;
	section->chosen /= section->text;
	section->covered /= section->text;
	section->reached = section->reached < section->text ? section->reached / section->text : 1;
	section->text /= tokens;
	section->attention = attention > 0 ? section->attention / attention : 0;
}

static void weigh_sections(struct audit_view *view)
{
	const struct track *all = &view->tracks[TRACK_ALL], *answers = &view->tracks[TRACK_ANSWER];
	double tokens = 0, attention = 0;

	for (size_t i = 0; i < all->n; i++) {
		spread(view, &all->parts[i], add_attention);
		if (all->parts[i].chosen < AUDIT_SELDOM)
			view->seldom += (double)all->parts[i].n_tokens;
	}
	for (size_t i = 0; i < answers->n; i++)
		spread(view, &answers->parts[i], add_reached);
	for (size_t i = 0; i < view->n_sections; i++) {
		tokens += view->sections[i].text;
		attention += view->sections[i].attention;
		view->covered += view->sections[i].covered;
		view->reached += fmin(view->sections[i].reached, view->sections[i].text);
	}
	if (tokens == 0)
		return;
	view->covered /= tokens;
	view->seldom /= tokens;
	view->reached /= tokens;
	for (size_t i = 0; i < view->n_sections; i++)
		finish_section(&view->sections[i], tokens, attention);
}

static int hotter(const void *a, const void *b, void *user)
{
	const struct track_part *parts = user;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;

	if (parts[i].heat != parts[j].heat)
		return parts[i].heat < parts[j].heat ? 1 : -1;
	return i < j ? -1 : 1;
}

static int rank_parts(struct audit_view *view)
{
	const struct track *all = &view->tracks[TRACK_ALL];

	view->by_heat = array_new(size_t, all->n);
	if (view->by_heat == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < all->n; i++)
		view->by_heat[i] = i;
	qsort_r(view->by_heat, all->n, sizeof(*view->by_heat), hotter, all->parts);
	return 0;
}

static void add_check(struct dense_sums *sums, const struct dense_check *check)
{
	sums->skill = sums->n == 0 || check->skill < sums->skill ? check->skill : sums->skill;
	sums->n++;
	sums->n_warned += check->warned;
	sums->tokens += check->tokens;
	sums->agrees += check->agrees * (double)check->tokens;
	sums->score_delta += check->score_delta;
	sums->mass_recall += check->mass_recall;
	sums->text_recall += check->text_recall;
	sums->chance += check->chance;
}

static void finish_sums(struct dense_sums *sums)
{
	if (sums->n == 0)
		return;
	sums->agrees /= (double)sums->tokens;
	sums->score_delta /= (double)sums->n;
	sums->mass_recall /= (double)sums->n;
	sums->text_recall /= (double)sums->n;
	sums->chance /= (double)sums->n;
}

static void sum_checks(struct audit_view *view)
{
	for (size_t i = 0; i < view->audit.checks.n; i++) {
		const struct dense_check *check = &view->audit.checks.items[i];

		add_check(check->whole                 ? &view->whole_checks
		          : check->kind == LOOK_ANSWER ? &view->answer_checks
		                                       : &view->checks,
		          check);
	}
	finish_sums(&view->checks);
	finish_sums(&view->answer_checks);
	finish_sums(&view->whole_checks);
}

static int load(struct docstore *store, int64_t id, struct audit_view *view, struct err *err)
{
	const struct document *document = &view->reading.document;
	int r = docstore_load(store, id, &view->reading, err);

	if (r < 0)
		return r;
	if (document->fingerprint == NULL)
		return err_set(err, -EAGAIN, "'%s' has no results yet", document->name);
	if ((r = docstore_load_audit(store, id, &view->audit, err)) < 0)
		return r;
	if ((r = stored_text_load(store, id, &view->stored, err)) < 0)
		return r;
	for (size_t i = 0; i < view->audit.looks.n; i++) {
		const struct look *look = &view->audit.looks.items[i];

		if (look->byte_start < 0 || look_end(look) > (int64_t)view->stored.n)
			return err_set(err, -EAGAIN, "'%s' is being read anew", document->name);
	}
	return 0;
}

static int make_tracks(struct audit_view *view)
{
	int r = 0;

	name_answers(view);
	for (int i = 0; r == 0 && i < N_TRACKS; i++)
		r = make_track(view, i);
	if (r == 0)
		r = list_sections(view);
	return r == 0 ? rank_parts(view) : r;
}

int audit_view_make(struct docstore *store, int64_t id, struct audit_view *ret, struct err *err)
{
	int r;

	*ret = (struct audit_view){ 0 };
	r = load(store, id, ret, err);
	if (r == 0 && (r = make_tracks(ret)) < 0)
		err_set(err, r, "no memory for an audit");
	if (r < 0) {
		audit_view_done(ret);
		return r;
	}
	weigh_sections(ret);
	sum_checks(ret);
	for (size_t i = 0; i < ret->audit.looks.n; i++)
		ret->elsewhere += ret->audit.looks.items[i].elsewhere / (double)ret->audit.looks.n;
	return 0;
}
