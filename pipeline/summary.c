#include "pipeline/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "pipeline/charset.h"
#include "pipeline/material.h"
#include "pipeline/sentence.h"

#define MAX_SUMMARY_TOKENS 160
#define MAX_TITLE_TOKENS 32
#define MIN_CHUNK_QUOTES 2
#define MAX_CHUNK_QUOTES 4
#define MIN_DOCUMENT_QUOTES 3
#define MAX_DOCUMENT_QUOTES 10
#define GROUP_BYTES CHUNK_MAX_BYTES

char *summary_section(const struct view *view, size_t offset)
{
	const struct heading *heading = view_heading_at(view, offset);

	return heading == NULL ? NULL : strndup(view->text + heading->title, heading->end - heading->title);
}

/* The first n bytes that are whole characters; what else there is becomes a question mark. */
static void make_utf8(char *text)
{
	for (size_t i = 0, n = strlen(text); i < n;) {
		size_t length = 1;

		while (length <= 4 && i + length <= n && !charset_is_utf8(text + i, length))
			length++;
		if (length > 4 || i + length > n) {
			text[i] = '?';
			length = 1;
		}
		i += length;
	}
}

static bool stands_before(const char *text, const struct sentence *sentences, size_t i)
{
	size_t n = sentences[i].end - sentences[i].start;

	for (size_t j = 0; j < i; j++) {
		if (sentences[j].end - sentences[j].start == n &&
		    memcmp(text + sentences[j].start, text + sentences[i].start, n) == 0)
			return true;
	}
	return false;
}

static bool ends_sentence(const char *text, struct sentence sentence)
{
	return strchr(".!?\"')", text[sentence.end - 1]) != NULL;
}

/* The sentences, each once, in one paragraph. A last one that length cut goes, unless it is all there is. */
static int join_sentences(const char *text, size_t n, bool cut, char **ret)
{
	struct sentence *sentences;
	struct buf joined = { 0 };
	size_t n_sentences;
	int r = sentence_find(text, 0, n, &sentences, &n_sentences);

	if (r < 0)
		return r;
	if (cut && n_sentences > 1 && !ends_sentence(text, sentences[n_sentences - 1]))
		n_sentences--;
	for (size_t i = 0; i < n_sentences; i++) {
		if (stands_before(text, sentences, i))
			continue;
		if (joined.n > 0)
			buf_puts(&joined, " ");
		buf_append(&joined, text + sentences[i].start, sentences[i].end - sentences[i].start);
	}
	free(sentences);
	*ret = buf_take(&joined);
	return *ret == NULL ? -ENOMEM : 0;
}

int summary_clean(const char *text, bool cut, bool one_line, char **ret)
{
	char *copy;
	size_t n;
	int r;

	while (strchr(" \t\r\n#", *text) != NULL && *text != '\0')
		text++;
	copy = strdup(text);
	if (copy == NULL)
		return -ENOMEM;
	make_utf8(copy);
	n = one_line ? strcspn(copy, "\r\n") : strlen(copy);
	while (n > 0 && strchr(" \t\r\n", copy[n - 1]) != NULL)
		n--;
	copy[n] = '\0';
	if (one_line) {
		*ret = copy;
		return 0;
	}
	r = join_sentences(copy, n, cut, ret);
	free(copy);
	return r;
}

static int add_text(struct passages *ret, enum passage_kind kind, const struct reader_result *result)
{
	struct passage *passage;
	char *text;

	if (summary_clean(result->text, result->cut, kind == PASSAGE_TITLE, &text) < 0)
		return -ENOMEM;
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
	passage->generated = true;
	passage->score = result->score;
	return 0;
}

static int add_quote(struct passages *ret, const struct material *material, const struct reader_quote *quote)
{
	const struct evidence *place = &material->places[quote->span];
	struct passage *passage = passages_add(ret, PASSAGE_KEY);
	struct evidence *evidence;

	if (passage == NULL)
		return -ENOMEM;
	passage->text = strdup(material->words[quote->span]);
	passage->score = quote->score;
	evidence = passage_add_evidence(passage);
	if (passage->text == NULL || evidence == NULL)
		return -ENOMEM;
	*evidence = (struct evidence){ strdup(place->quote),
		                       place->byte_start,
		                       place->byte_end,
		                       place->page,
		                       place->section == NULL ? NULL : strdup(place->section),
		                       quote->score };
	return evidence->quote == NULL || (place->section != NULL && evidence->section == NULL) ? -ENOMEM : 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct reader_quote *left = a, *right = b;

	return left->span < right->span ? -1 : left->span > right->span;
}

/* Spans of a material stand in the order of the text, so the order of spans is that of the places. */
static int add_quotes(struct passages *ret, const struct material *material, struct reader_result *result)
{
	int r = 0;

	if (result->n_quotes > 1)
		qsort(result->quotes, result->n_quotes, sizeof(*result->quotes), compare_places);
	for (size_t i = 0; r == 0 && i < result->n_quotes; i++)
		r = add_quote(ret, material, &result->quotes[i]);
	return r;
}

/* How many key passages are asked for. */
struct quote_range {
	size_t min, max;
};

/* The three tasks behind one material; without anything to quote, two. */
static int read_material(struct reader *reader, const struct material *material, struct quote_range range,
                         struct passages *ret, struct usage *usage, const struct reader_hooks *hooks,
                         struct err *err)
{
	const struct reader_task tasks[N_TASKS] = {
		{ .kind = TASK_TITLE, .max_tokens = MAX_TITLE_TOKENS },
		{ .kind = TASK_SUMMARY, .max_tokens = MAX_SUMMARY_TOKENS },
		{ .kind = TASK_KEY,
		  .spans = material->spans,
		  .n_spans = material->n_spans,
		  .min_quotes = range.min,
		  .max_quotes = range.max },
	};
	struct reader_result results[N_TASKS];
	size_t n_tasks = material->n_spans > 0 ? N_TASKS : N_TASKS - 1;
	int r = reader_read(reader, material->text.data, material->text.n, tasks, n_tasks, results, usage,
	                    hooks, err);

	if (r < 0)
		return r;
	if (add_text(ret, PASSAGE_TITLE, &results[0]) < 0 ||
	    add_text(ret, PASSAGE_ABSTRACT, &results[1]) < 0 ||
	    (n_tasks == N_TASKS && add_quotes(ret, material, &results[2]) < 0))
		r = err_set(err, -ENOMEM, "no memory for an answer");
	for (size_t i = 0; i < n_tasks; i++)
		reader_result_done(&results[i]);
	return r;
}

int summary_chunk(struct reader *reader, const struct summary_text *text, const struct chunk *chunk,
                  struct passages *ret, struct usage *usage, const struct reader_hooks *hooks,
                  struct err *err)
{
	const struct quote_range range = { MIN_CHUNK_QUOTES, MAX_CHUNK_QUOTES };
	struct material material = { 0 };
	int r = material_from_chunk(&material, text, chunk);

	if (r < 0)
		err_set(err, r, "no memory for a chunk");
	else
		r = read_material(reader, &material, range, ret, usage, hooks, err);
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

/* The model ends early when it may; a long document deserves more than one sentence. */
static struct quote_range quotes_for(size_t n_parts)
{
	size_t most = MIN_DOCUMENT_QUOTES + 2 + n_parts / 8;

	return (struct quote_range){ MIN_DOCUMENT_QUOTES,
		                     most < MAX_DOCUMENT_QUOTES ? most : MAX_DOCUMENT_QUOTES };
}

static int read_group(struct reader *reader, const struct passages *const *parts, size_t n,
                      size_t group_bytes, struct passages *ret, struct usage *usage,
                      const struct reader_hooks *hooks, struct err *err)
{
	struct material material = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = material_add_passages(&material, parts[i], group_bytes / 2);
	if (r < 0)
		err_set(err, r, "no memory for a summary");
	else if (material.text.n > 0)
		r = read_material(reader, &material, quotes_for(n), ret, usage, hooks, err);
	material_done(&material);
	return r;
}

/* One level: groups of parts to one part each. next[] has room for n; *ret_n groups are made. */
static int reduce_level(struct reader *reader, const struct passages *const *parts, size_t n,
                        size_t group_bytes, struct passages *next, size_t *ret_n, struct usage *usage,
                        const struct reader_hooks *hooks, struct err *err)
{
	int r = 0;

	*ret_n = 0;
	for (size_t first = 0; r == 0 && first < n;) {
		size_t size = group_size(parts, first, n, group_bytes);

		r = read_group(reader, parts + first, size, group_bytes, &next[*ret_n], usage, hooks, err);
		(*ret_n)++;
		first += size;
	}
	return r;
}

/* Levels until one group is left; parts[n] and the passages below it are scratch that this frees. */
static int reduce_parts(struct reader *reader, const struct passages **parts, size_t n, struct passages *ret,
                        struct usage *usage, const struct reader_hooks *hooks, struct err *err)
{
	size_t limit = reader_max_bytes(reader), group_bytes = GROUP_BYTES < limit ? GROUP_BYTES : limit;
	struct passages *level = NULL;
	size_t n_level = 0;
	int r = 0;

	while (r == 0 && n > 1) {
		struct passages *next = array_new(struct passages, n);
		size_t n_next = 0;

		r = next == NULL
		            ? err_set(err, -ENOMEM, "no memory for %zu parts", n)
		            : reduce_level(reader, parts, n, group_bytes, next, &n_next, usage, hooks, err);
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

/* One chunk is the document: its passages again. */
static int copy_passages(const struct passages *from, struct passages *ret, struct err *err)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct passage *passage = &from->items[i];
		struct passage *copy = passages_add(ret, passage->kind);

		if (copy == NULL || (copy->text = strdup(passage->text)) == NULL)
			return err_set(err, -ENOMEM, "no memory for a summary");
		copy->generated = passage->generated;
		copy->score = passage->score;
		for (size_t j = 0; j < passage->n_evidence; j++) {
			const struct evidence *evidence = &passage->evidence[j];
			struct evidence *to = passage_add_evidence(copy);

			if (to == NULL)
				return err_set(err, -ENOMEM, "no memory for a summary");
			*to = *evidence;
			to->quote = strdup(evidence->quote);
			to->section = evidence->section == NULL ? NULL : strdup(evidence->section);
			if (to->quote == NULL)
				return err_set(err, -ENOMEM, "no memory for a summary");
		}
	}
	return 0;
}

int summary_reduce(struct reader *reader, const struct document_chunk *chunks, size_t n, struct passages *ret,
                   struct usage *usage, const struct reader_hooks *hooks, struct err *err)
{
	const struct passages **parts;
	int r;

	if (n == 0)
		return 0;
	if (n == 1)
		return copy_passages(&chunks[0].passages, ret, err);
	parts = array_new(const struct passages *, n);
	if (parts == NULL)
		return err_set(err, -ENOMEM, "no memory for %zu parts", n);
	for (size_t i = 0; i < n; i++)
		parts[i] = &chunks[i].passages;
	r = reduce_parts(reader, parts, n, ret, usage, hooks, err);
	free(parts);
	return r;
}
