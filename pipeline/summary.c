#include "pipeline/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "pipeline/abstract.h"
#include "pipeline/keys.h"
#include "pipeline/material.h"
#include "pipeline/prose.h"
#include "pipeline/title.h"
#include "pipeline/words.h"

#define MAX_SUMMARY_TOKENS 160
#define MAX_TITLE_TOKENS 32
#define MAX_CHUNK_KEYS 5
#define MAX_KEYS 20
#define FEW_PARTS 3
#define MIN_KEYS 2
#define KEY_BYTES 8192 /* a text of twice as many has one key passage more */
#define GROUP_BYTES CHUNK_MAX_BYTES
#define LONG_BYTES 3000

/* Takes text over. An empty one is no passage. */
static int add_text(struct passages *ret, enum passage_kind kind, char *text, bool generated, double score)
{
	struct passage *passage;

	if (*text == '\0') {
		free(text);
		return 0;
	}
	passage = passages_add(ret, kind);
	if (passage == NULL) {
		free(text);
		return -ENOMEM;
	}
	passage->text = text;
	passage->generated = generated;
	passage->score = score;
	return 0;
}

/* How materials are read. */
struct manner {
	bool prose; /* the model may use its own words */
	bool few_parts; /* the document has few: the summary of the first one is its own */
};

/* What was found for a material, before it becomes passages. */
struct draft {
	struct prose_source source;
	uint64_t *stems; /* the source's */
	char *title, *summary; /* the model's words, clean; NULL: it was not asked */
	bool title_cut;
	struct key_sentence keys[MAX_KEYS];
	size_t n_keys;
};

static void draft_done(struct draft *draft)
{
	free(draft->stems);
	free(draft->title);
	free(draft->summary);
}

/* The sentence that is nearest to the model's title, as far as one has anything of it. */
static int add_nearest(struct passage *title, const struct material *material)
{
	struct key_sentence nearest;
	int r = keys_nearest(material->spans, material->n_spans, title->text, strlen(title->text), &nearest);

	if (r < 0 || nearest.score <= 0)
		return r;
	material->places[nearest.sentence].score = nearest.score;
	return passage_copy_evidence(title, &material->places[nearest.sentence]);
}

static int add_own_title(struct passages *ret, const struct material *material)
{
	size_t n = ret->n;
	char *text = material->title == NULL ? NULL : strdup(material->title);
	int r;

	if (material->title == NULL)
		return 0;
	if (text == NULL)
		return -ENOMEM;
	r = add_text(ret, PASSAGE_TITLE, text, material->title_generated, material->title_score);
	return r == 0 && ret->n > n && material->title_generated ? add_nearest(&ret->items[n], material) : r;
}

/* Whether the model's title says what the beginning of a document shows: that is how it is spelled. */
static int says_the_same(const struct material *material, const char *title, bool *ret)
{
	uint64_t *ours = NULL, *theirs = NULL;
	size_t n_ours, n_theirs;
	int r = words_of(material->title, strlen(material->title), false, &ours, &n_ours);

	if (r == 0)
		r = words_of(title, strlen(title), false, &theirs, &n_theirs);
	if (r == 0)
		*ret = words_overlap(ours, n_ours, theirs, n_theirs) > 0;
	free(ours);
	free(theirs);
	return r;
}

/* Whether the model's title holds, and *ret_share of its words are the text's. */
static int judge_title(const struct material *material, const struct draft *draft, bool *ret,
                       double *ret_share)
{
	bool same = false;
	int r;

	*ret = false;
	if (draft->title == NULL || draft->title[0] == '\0' || draft->title_cut || material->title_own ||
	    material_names_a_part(material, draft->title) ||
	    title_is_stray(draft->title, material->text.data == NULL ? "" : material->text.data,
	                   material->text.n))
		return 0;
	r = prose_title_is_supported(draft->title, &draft->source, ret, ret_share);
	if (r == 0 && *ret && material->begins && material->title != NULL)
		r = says_the_same(material, draft->title, &same);
	*ret = *ret && !same;
	return r;
}

/* What the document calls itself, else the model's title where the text has its words and it names the whole, else what is
 * nearest to one. */
static int add_title(struct passages *ret, const struct material *material, struct draft *draft)
{
	bool holds;
	double share;
	char *text = draft->title;
	int r = judge_title(material, draft, &holds, &share);

	if (r < 0 || !holds)
		return r < 0 ? r : add_own_title(ret, material);
	draft->title = NULL;
	r = add_text(ret, PASSAGE_TITLE, text, true, share);
	return r < 0 ? r : add_nearest(&ret->items[ret->n - 1], material);
}

/* The beginning of a long document is not told in one sentence. Where the model wrote nothing, one stands for the text. */
static bool tells_more(const struct material *material, const struct draft *draft)
{
	return material->begins && draft->summary != NULL && material->text.n >= LONG_BYTES;
}

/* The beginning of a document says best what it is: that stands in front of what the model makes of all, if anything. */
static int add_abstract(struct passages *ret, const struct material *material, const struct draft *draft,
                        const struct key_guide *guide)
{
	size_t n = ret->n;
	int r = passages_append(ret, &material->opening);

	if (r == 0)
		r = abstract_add_definition(ret, material);
	if (r == 0 && draft->summary != NULL)
		r = abstract_add(ret, material, &draft->source, draft->summary);
	if (r == 0 && ret->n == n)
		r = abstract_add_extract(ret, material, guide);
	if (r == 0 && ret->n == n + 1 && tells_more(material, draft))
		r = abstract_add_next(ret, material);
	return r;
}

static int compare_places(const void *a, const void *b)
{
	const struct key_sentence *left = a, *right = b;

	return left->sentence < right->sentence ? -1 : left->sentence > right->sentence;
}

/* Spans of a material stand in the order of the text, so the order of spans is that of the places. */
static int add_keys(struct passages *ret, const struct material *material, struct draft *draft)
{
	if (draft->n_keys > 1)
		qsort(draft->keys, draft->n_keys, sizeof(*draft->keys), compare_places);
	for (size_t i = 0; i < draft->n_keys; i++) {
		const struct key_sentence *key = &draft->keys[i];
		struct passage *passage = passages_add(ret, PASSAGE_KEY);

		if (passage == NULL || (passage->text = strdup(material->words[key->sentence])) == NULL)
			return -ENOMEM;
		passage->score = material->places[key->sentence].score = key->score;
		if (passage_copy_evidence(passage, &material->places[key->sentence]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool wants(const struct manner *manner, const struct material *material, enum task_kind kind)
{
	if (kind == TASK_TITLE)
		return material->n_parts == 0 || material->title == NULL;
	return material->n_parts == 0 || !manner->few_parts || material->opening.n == 0;
}

static int take_prose(const struct reader_task *task, const struct reader_result *result, struct draft *draft)
{
	bool title = task->kind == TASK_TITLE;

	if (title)
		draft->title_cut = result->cut;
	return prose_clean(result->text, result->cut, title, title ? &draft->title : &draft->summary);
}

/* The model's words for a material, as far as it needs them. Errors as reader_read()'s. */
static int ask_for_prose(struct reader *reader, const struct material *material, const struct manner *manner,
                         struct draft *draft, struct usage *usage, const struct reader_hooks *hooks,
                         struct err *err)
{
	static const struct reader_task TASKS[N_TASKS] = {
		{ .kind = TASK_TITLE, .max_tokens = MAX_TITLE_TOKENS },
		{ .kind = TASK_SUMMARY, .max_tokens = MAX_SUMMARY_TOKENS },
	};
	struct reader_result results[N_TASKS];
	struct reader_task tasks[N_TASKS];
	size_t n = 0;
	int r;

	for (size_t i = 0; i < N_TASKS; i++) {
		if (wants(manner, material, TASKS[i].kind))
			tasks[n++] = TASKS[i];
	}
	if (n == 0)
		return 0;
	r = reader_read(reader, material->text.data, material->text.n, tasks, n, results, usage, hooks, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (take_prose(&tasks[i], &results[i], draft) < 0)
			r = err_set(err, -ENOMEM, "no memory for an answer");
	}
	for (size_t i = 0; i < n; i++)
		reader_result_done(&results[i]);
	return r;
}

/* What the model says of the first part, and of all. *ret is the caller's. */
static int join_summaries(const struct material *material, const struct draft *draft, char **ret)
{
	struct buf all = { 0 };

	buf_puts(&all, draft->summary == NULL ? "" : draft->summary);
	for (size_t i = 0; i < material->opening.n; i++)
		buf_printf(&all, " %s", material->opening.items[i].text);
	*ret = buf_take(&all);
	return *ret == NULL ? -ENOMEM : 0;
}

/* Key passages are chosen by what the model says of the whole, be it right or not. */
static int make_passages(struct passages *ret, const struct material *material, struct draft *draft,
                         size_t n_keys)
{
	struct key_guide guide = { NULL, draft->title != NULL ? draft->title : material->title };
	char *summaries;
	int r = join_summaries(material, draft, &summaries);

	if (r < 0)
		return r;
	guide.summary = summaries;
	r = keys_choose(material->spans, material->n_spans, &guide, n_keys, draft->keys, &draft->n_keys);
	if (r == 0)
		r = add_title(ret, material, draft); /* takes the guide's title, which stays where it is */
	if (r == 0)
		r = add_abstract(ret, material, draft, &guide);
	free(summaries);
	return r < 0 ? r : add_keys(ret, material, draft);
}

static int set_source(struct draft *draft, const struct material *material)
{
	int r = words_of(material->text.data, material->text.n, true, &draft->stems, &draft->source.n);

	draft->source.text = material->text.data;
	draft->source.n_text = material->text.n;
	draft->source.stems = draft->stems;
	return r;
}

/* What a material becomes. */
static int read_material(struct reader *reader, const struct material *material, const struct manner *manner,
                         size_t n_keys, struct passages *ret, struct usage *usage,
                         const struct reader_hooks *hooks, struct err *err)
{
	struct draft draft = { .n_keys = 0 };
	int r = manner->prose ? ask_for_prose(reader, material, manner, &draft, usage, hooks, err) : 0;

	if (r == 0 && ((r = set_source(&draft, material)) < 0 ||
	               (r = make_passages(ret, material, &draft, n_keys)) < 0))
		err_set(err, r, "no memory for a summary");
	draft_done(&draft);
	return r;
}

int summary_cut(const struct reader *reader, const struct view *view, struct chunk **ret, size_t *ret_n,
                struct err *err)
{
	struct chunk_limits limits = { .max_bytes = reader_max_bytes(reader) };

	if (limits.max_bytes > CHUNK_MAX_BYTES)
		limits.max_bytes = CHUNK_MAX_BYTES;
	return chunk_make(view, &limits, ret, ret_n, err);
}

int summary_chunk(struct reader *reader, const struct summary_text *text, const struct chunk *chunk,
                  bool prose, struct passages *ret, struct usage *usage, const struct reader_hooks *hooks,
                  struct err *err)
{
	const struct manner manner = { .prose = prose };
	struct material material = { 0 };
	int r = material_from_chunk(&material, text, chunk, !prose);

	if (r < 0)
		err_set(err, r, "no memory for a chunk");
	else
		r = read_material(reader, &material, &manner, MAX_CHUNK_KEYS, ret, usage, hooks, err);
	material_done(&material);
	return r;
}

static size_t quotable_bytes(const struct passages *passages, size_t max_bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind != PASSAGE_TITLE)
			n += strlen(passages->items[i].text) + 1;
	}
	return n < max_bytes ? n : max_bytes;
}

/* How many parts from `first` on fit one group; a part counts for half a group at most, so two always fit. */
static size_t group_size(const struct passages *const *parts, size_t first, size_t n, size_t group_bytes)
{
	size_t used = 0, i = first;

	while (i < n && used + quotable_bytes(parts[i], group_bytes / 2) <= group_bytes)
		used += quotable_bytes(parts[i++], group_bytes / 2);
	return i - first;
}

static int read_group(struct reader *reader, const struct passages *const *parts, size_t n,
                      size_t group_bytes, const struct manner *manner, struct passages *ret,
                      struct usage *usage, const struct reader_hooks *hooks, struct err *err)
{
	struct material material = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = material_add_passages(&material, parts[i], group_bytes / 2);
	if (r < 0)
		err_set(err, r, "no memory for a summary");
	else if (material.text.n > 0)
		r = read_material(reader, &material, manner, MAX_KEYS, ret, usage, hooks, err);
	material_done(&material);
	return r;
}

/* One level: groups of parts to one part each. next[] has room for n; *ret_n groups are made. */
static int reduce_level(struct reader *reader, const struct passages *const *parts, size_t n,
                        size_t group_bytes, const struct manner *manner, struct passages *next, size_t *ret_n,
                        struct usage *usage, const struct reader_hooks *hooks, struct err *err)
{
	int r = 0;

	*ret_n = 0;
	for (size_t first = 0; r == 0 && first < n;) {
		size_t size = group_size(parts, first, n, group_bytes);

		r = read_group(reader, parts + first, size, group_bytes, manner, &next[*ret_n], usage, hooks,
		               err);
		(*ret_n)++;
		first += size;
	}
	return r;
}

/* Levels until one group is left; parts[n] and the passages below it are scratch that this frees. */
static int reduce_parts(struct reader *reader, const struct passages **parts, size_t n,
                        const struct manner *manner, struct passages *ret, struct usage *usage,
                        const struct reader_hooks *hooks, struct err *err)
{
	size_t limit = reader_max_bytes(reader), group_bytes = GROUP_BYTES < limit ? GROUP_BYTES : limit;
	struct passages *level = NULL;
	size_t n_level = 0;
	int r = 0;

	while (r == 0 && n > 1) {
		struct passages *next = array_new(struct passages, n);
		size_t n_next = 0;

		r = next == NULL ? err_set(err, -ENOMEM, "no memory for %zu parts", n)
		                 : reduce_level(reader, parts, n, group_bytes, manner, next, &n_next, usage,
		                                hooks, err);
		for (size_t i = 0; i < n_level; i++)
			passages_done(&level[i]);
		free(level);
		level = next;
		n_level = n = n_next;
		for (size_t i = 0; i < n; i++)
			parts[i] = &level[i];
	}
	if (r == 0) {
		*ret = level[0];
		level[0] = (struct passages){ 0 };
	}
	for (size_t i = 0; i < n_level; i++)
		passages_done(&level[i]);
	free(level);
	return r;
}

/* How many key passages a text of so many bytes deserves. */
static size_t n_keys_of(size_t n_bytes, enum summary_length length)
{
	size_t n = MIN_KEYS;

	for (size_t size = n_bytes / KEY_BYTES; size > 0 && n < MAX_KEYS / 2; size /= 2)
		n++;
	return length == SUMMARY_SHORT ? (n + 1) / 2 : length == SUMMARY_LONG ? 2 * n : n;
}

/* Whether fewer than n_most key passages have a higher score, or as high a one and stand before it. */
static bool is_among_best(const struct passages *passages, size_t i, size_t n_most)
{
	size_t n_better = 0;

	for (size_t j = 0; j < passages->n; j++) {
		const struct passage *other = &passages->items[j];

		if (other->kind == PASSAGE_KEY && (other->score > passages->items[i].score ||
		                                   (other->score == passages->items[i].score && j < i)))
			n_better++;
	}
	return n_better < n_most;
}

static int append_best(struct passages *ret, const struct passages *passages, size_t n_keys)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < passages->n; i++) {
		const struct passages one = { .items = &passages->items[i], .n = 1 };

		if (one.items->kind != PASSAGE_KEY || is_among_best(passages, i, n_keys))
			r = passages_append(ret, &one);
	}
	return r;
}

int summary_reduce(struct reader *reader, const struct document_chunk *chunks, size_t n,
                   const struct summary_settings *settings, struct passages *ret, struct usage *usage,
                   const struct reader_hooks *hooks, struct err *err)
{
	const struct manner manner = { settings->prose, n <= FEW_PARTS };
	const struct passages **parts;
	struct passages whole = { 0 };
	int r = 0;

	if (n == 0)
		return 0;
	parts = array_new(const struct passages *, n);
	if (parts == NULL)
		return err_set(err, -ENOMEM, "no memory for %zu parts", n);
	for (size_t i = 0; i < n; i++)
		parts[i] = &chunks[i].passages;
	if (n > 1)
		r = reduce_parts(reader, parts, n, &manner, &whole, usage, hooks, err);
	if (r == 0 && append_best(ret, n > 1 ? &whole : parts[0],
	                          n_keys_of((size_t)(chunks[n - 1].byte_end - chunks[0].byte_start),
	                                    settings->length)) < 0)
		r = err_set(err, -ENOMEM, "no memory for a summary");
	passages_done(&whole);
	free(parts);
	return r;
}
