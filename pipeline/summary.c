#include "pipeline/summary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "pipeline/keys.h"
#include "pipeline/material.h"
#include "pipeline/prose.h"
#include "pipeline/sentence.h"
#include "pipeline/words.h"

#define MAX_SUMMARY_TOKENS 160
#define MAX_TITLE_TOKENS 32
#define TITLE_OPENING 400 /* bytes of a text that speak of all of it */
#define MAX_CHUNK_KEYS 5
#define MAX_KEYS 20
#define FEW_PARTS 3
#define MIN_KEYS 2
#define KEY_BYTES 8192 /* a text of twice as many has one key passage more */
#define GROUP_BYTES CHUNK_MAX_BYTES

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
	bool few_parts; /* the document has few: what the model made of the first one is its summary */
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

/* Where a sentence of the model's comes from, as far as anything says the same. */
static int add_nearest(struct passage *passage, const struct material *material, const char *text, size_t n)
{
	struct key_sentence nearest;
	int r = keys_nearest(material->spans, material->n_spans, text, n, &nearest);

	if (r < 0 || nearest.score <= 0)
		return r;
	material->places[nearest.sentence].score = nearest.score;
	return passage_copy_evidence(passage, &material->places[nearest.sentence]);
}

/* A place for each sentence of a passage in the model's words. */
static int add_support(struct passage *passage, const struct material *material)
{
	struct sentence *sentences;
	size_t n;
	int r = sentence_find(passage->text, 0, strlen(passage->text), &sentences, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_nearest(passage, material, passage->text + sentences[i].start,
		                sentences[i].end - sentences[i].start);
	free(sentences);
	return r;
}

/* Takes text over; share of its words is supported. */
static int add_generated(struct passages *ret, enum passage_kind kind, const struct material *material,
                         char *text, double share)
{
	int r = add_text(ret, kind, text, true, share);

	return r < 0 ? r : add_support(&ret->items[ret->n - 1], material);
}

/* A single word names the whole of a text only if that begins with it. */
static bool is_stray_word(const struct material *material, const char *title)
{
	char opening[TITLE_OPENING + 1];

	snprintf(opening, sizeof(opening), "%s", material->text.data == NULL ? "" : material->text.data);
	return strpbrk(title, " -") == NULL && strcasestr(opening, title) == NULL;
}

/* The model's title where the text has its words and it names the whole, else the nearest heading. */
static int add_title(struct passages *ret, const struct material *material, struct draft *draft)
{
	bool supported = false;
	double share = 0;
	char *text;

	if (draft->title != NULL && draft->title[0] != '\0' && !draft->title_cut &&
	    !material_names_a_part(material, draft->title) && !is_stray_word(material, draft->title) &&
	    prose_title_is_supported(draft->title, &draft->source, &supported, &share) < 0)
		return -ENOMEM;
	if (supported) {
		text = draft->title;
		draft->title = NULL;
		return add_generated(ret, PASSAGE_TITLE, material, text, share);
	}
	if (material->title == NULL)
		return 0;
	text = strdup(material->title);
	return text == NULL ? -ENOMEM : add_text(ret, PASSAGE_TITLE, text, material->title_generated, 0);
}

/* The best sentence stands in where the model has nothing that holds. */
static int add_extract(struct passages *ret, const struct material *material, const struct draft *draft)
{
	const struct key_sentence *best = &draft->keys[0];
	struct passage *passage;

	if (draft->n_keys == 0)
		return 0;
	passage = passages_add(ret, PASSAGE_ABSTRACT);
	if (passage == NULL || (passage->text = strdup(material->words[best->sentence])) == NULL)
		return -ENOMEM;
	passage->score = material->places[best->sentence].score = best->score;
	return passage_copy_evidence(passage, &material->places[best->sentence]);
}

static int add_abstract(struct passages *ret, const struct material *material, struct draft *draft)
{
	char *text = draft->summary;
	double share;

	if (text == NULL)
		return add_extract(ret, material, draft);
	if (prose_keep_supported(text, &draft->source, &share) < 0)
		return -ENOMEM;
	if (text[0] == '\0')
		return add_extract(ret, material, draft);
	draft->summary = NULL;
	return add_generated(ret, PASSAGE_ABSTRACT, material, text, share);
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

/* The model's words for a material: a title and, unless there is one, a summary. Errors as reader_read()'s. */
static int ask_for_prose(struct reader *reader, const struct material *material, bool has_summary,
                         struct draft *draft, struct usage *usage, const struct reader_hooks *hooks,
                         struct err *err)
{
	static const struct reader_task TASKS[] = {
		{ .kind = TASK_TITLE, .max_tokens = MAX_TITLE_TOKENS },
		{ .kind = TASK_SUMMARY, .max_tokens = MAX_SUMMARY_TOKENS },
	};
	struct reader_result results[2] = { { .text = NULL } };
	int r = reader_read(reader, material->text.data, material->text.n, TASKS, has_summary ? 1 : 2,
	                    results, usage, hooks, err);

	if (r < 0)
		return r;
	draft->title_cut = results[0].cut;
	if (prose_clean(results[0].text, results[0].cut, true, &draft->title) < 0 ||
	    (!has_summary && prose_clean(results[1].text, results[1].cut, false, &draft->summary) < 0))
		r = err_set(err, -ENOMEM, "no memory for an answer");
	reader_result_done(&results[0]);
	reader_result_done(&results[1]);
	return r;
}

/* The beginning of a document says best what it is: what the model made of it stands for a document of few parts, and in
 * front of what it makes of the passages of many. */
static int put_opening(struct draft *draft, const struct material *material)
{
	struct buf all = { 0 };
	char *joined;

	if (material->opening == NULL)
		return 0;
	buf_puts(&all, material->opening);
	if (draft->summary != NULL)
		buf_printf(&all, " %s", draft->summary);
	if (buf_status(&all) < 0 || prose_clean(all.data, false, false, &joined) < 0) {
		buf_done(&all);
		return -ENOMEM;
	}
	buf_done(&all);
	free(draft->summary);
	draft->summary = joined;
	return 0;
}

/* Key passages are chosen by what the model says of the whole. */
static int make_passages(struct passages *ret, const struct material *material, struct draft *draft,
                         size_t n_keys)
{
	const struct key_guide guide = { draft->summary, draft->title };
	int r;

	if ((r = words_of(material->text.data, material->text.n, true, &draft->stems, &draft->source.n)) < 0)
		return r;
	draft->source.stems = draft->stems;
	if ((r = keys_choose(material->spans, material->n_spans, &guide, n_keys, draft->keys,
	                     &draft->n_keys)) < 0 ||
	    (r = add_title(ret, material, draft)) < 0 || (r = add_abstract(ret, material, draft)) < 0)
		return r;
	return add_keys(ret, material, draft);
}

/* What a material becomes. */
static int read_material(struct reader *reader, const struct material *material, const struct manner *manner,
                         size_t n_keys, struct passages *ret, struct usage *usage,
                         const struct reader_hooks *hooks, struct err *err)
{
	struct draft draft = { .n_keys = 0 };
	bool has_summary = manner->few_parts && material->opening != NULL;
	int r = manner->prose ? ask_for_prose(reader, material, has_summary, &draft, usage, hooks, err) : 0;

	if (r == 0 && ((r = put_opening(&draft, material)) < 0 ||
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
