#include "pipeline/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "pipeline/material.h"
#include "pipeline/sentence.h"
#include "pipeline/words.h"

#define MAX_SUMMARY_TOKENS 160
#define MAX_TITLE_TOKENS 32
#define MIN_CHUNK_QUOTES 2
#define MAX_CHUNK_QUOTES 4
#define MIN_DOCUMENT_QUOTES 3
#define MAX_DOCUMENT_QUOTES 10
#define SHORTLIST 12 /* sentences that the decoder chooses among */
#define GROUP_BYTES CHUNK_MAX_BYTES

/* Bytes that are no whole characters become question marks, control characters become blanks. */
static void make_printable(char *text)
{
	for (size_t i = 0, n = strlen(text); i < n;) {
		size_t length = 1;

		while (length <= 4 && i + length <= n && !text_is_utf8(text + i, length))
			length++;
		if (length > 4 || i + length > n) {
			text[i] = '?';
			length = 1;
		}
		if (text[i] != '\n' && text_control_length(text + i) > 0) /* a terminal would obey it */
			memset(text + i, ' ', length);
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

/* One blank where there are several. In place. */
static void collapse_blanks(char *text)
{
	char *to = text;

	for (const char *start = text; *text != '\0'; text++) {
		if (*text != ' ' || to == start || to[-1] != ' ')
			*to++ = *text;
	}
	*to = '\0';
}

int summary_clean(const char *text, bool cut, bool one_line, char **ret)
{
	char *copy = strdup(text), *start;
	size_t n;
	int r;

	if (copy == NULL)
		return -ENOMEM;
	make_printable(copy); /* first, as it leaves blanks that are to be trimmed */
	start = copy + strspn(copy, " \n#");
	n = one_line ? strcspn(start, "\n") : strlen(start);
	while (n > 0 && strchr(" \n", start[n - 1]) != NULL)
		n--;
	start[n] = '\0';
	if (one_line) {
		memmove(copy, start, n + 1);
		collapse_blanks(copy);
		*ret = copy;
		return 0;
	}
	r = join_sentences(start, n, cut, ret);
	free(copy);
	return r;
}

/* What generated words must have in common with the text to be kept. */
struct support_bar {
	double min_words; /* share of their content words */
	double min_pairs; /* share of their pairs of content words that follow each other */
	size_t min_distinct; /* content words that are not the same */
};

/* A small model that has nothing to say speaks of the document in fluent pairs that the text does not have. */
static const struct support_bar SENTENCE_BAR = { 0.75, 0.4, 6 };
static const struct support_bar TITLE_BAR = { 0.75, 0, 1 };

/* -ENOMEM, or whether it is supported. */
static int is_supported(const struct material *material, const char *text, size_t n,
                        const struct support_bar *bar)
{
	size_t n_words = 0, n_pairs = 0, words_found = 0, pairs_found = 0, n_distinct, at = 0;
	uint64_t last = 0, *distinct;
	struct word word;

	if (words_of(text, n, false, &distinct, &n_distinct) < 0)
		return -ENOMEM;
	free(distinct);
	while (word_next(text, n, &at, &word)) {
		if (!word.content)
			continue;
		n_words++;
		words_found += words_have(material->stems, material->n_stems, word.stem);
		if (last != 0) {
			n_pairs++;
			pairs_found +=
				words_have(material->stems, material->n_stems, word_pair(last, word.stem));
		}
		last = word.stem;
	}
	return n_distinct >= bar->min_distinct && (double)words_found >= bar->min_words * (double)n_words &&
	       (double)pairs_found >= bar->min_pairs * (double)n_pairs;
}

/* Leave out the sentences of generated prose whose words the text does not have: those are made up. In place. */
static int keep_supported(const struct material *material, char *text)
{
	struct sentence *sentences;
	size_t n, at = 0;
	int r = sentence_find(text, 0, strlen(text), &sentences, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		size_t length = sentences[i].end - sentences[i].start;

		r = is_supported(material, text + sentences[i].start, length, &SENTENCE_BAR);
		if (r <= 0)
			continue;
		if (at > 0)
			text[at++] = ' ';
		memmove(text + at, text + sentences[i].start, length);
		at += length;
	}
	text[at] = '\0';
	free(sentences);
	return r < 0 ? r : 0;
}

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

/* The model's title where the text has its words and it names the whole, else the nearest heading. */
static int add_title(struct passages *ret, const struct material *material,
                     const struct reader_result *result)
{
	char *text;
	int r;

	if (summary_clean(result->text, result->cut, true, &text) < 0)
		return -ENOMEM;
	r = result->cut || material_names_a_part(material, text)
	            ? 0
	            : is_supported(material, text, strlen(text), &TITLE_BAR);
	if (r > 0)
		return add_text(ret, PASSAGE_TITLE, text, true, result->score);
	free(text);
	if (r < 0 || material->title == NULL)
		return r;
	text = strdup(material->title);
	return text == NULL ? -ENOMEM : add_text(ret, PASSAGE_TITLE, text, false, 0);
}

static int add_abstract(struct passages *ret, const struct material *material,
                        const struct reader_result *result)
{
	char *text;

	if (summary_clean(result->text, result->cut, false, &text) < 0)
		return -ENOMEM;
	if (keep_supported(material, text) < 0) {
		free(text);
		return -ENOMEM;
	}
	return add_text(ret, PASSAGE_ABSTRACT, text, true, result->score);
}

static int add_quote(struct passages *ret, const struct material *material, const struct reader_quote *quote)
{
	struct evidence place = material->places[quote->span];
	struct passage *passage = passages_add(ret, PASSAGE_KEY);

	if (passage == NULL || (passage->text = strdup(material->words[quote->span])) == NULL)
		return -ENOMEM;
	passage->score = place.score = quote->score;
	return passage_copy_evidence(passage, &place);
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

static bool has_kind(const struct passages *passages, enum passage_kind kind)
{
	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind == kind)
			return true;
	}
	return false;
}

/* How many key passages are asked for. */
struct quote_range {
	size_t min, max;
};

/* What the three tasks gave, as passages. */
static int add_results(struct passages *ret, const struct material *material, struct reader_result *results,
                       size_t n)
{
	int r;

	if ((r = add_title(ret, material, &results[0])) < 0 ||
	    (r = add_abstract(ret, material, &results[1])) < 0)
		return r;
	if (n == N_TASKS && (r = add_quotes(ret, material, &results[2])) < 0)
		return r;
	return has_kind(ret, PASSAGE_ABSTRACT) ? 0 : passages_append(ret, &material->stand_in);
}

/* The three tasks behind one material; without anything to quote, two. */
static int read_material(struct reader *reader, struct material *material, struct quote_range range,
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
	int r = words_of(material->text.data, material->text.n, true, &material->stems, &material->n_stems);

	if (r < 0)
		return err_set(err, r, "no memory for a summary");
	r = reader_read(reader, material->text.data, material->text.n, tasks, n_tasks, results, usage, hooks,
	                err);
	if (r < 0)
		return r;
	if (add_results(ret, material, results, n_tasks) < 0)
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

	if (r == 0)
		r = material_shortlist(&material, SHORTLIST);
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
	if (r == 0)
		r = material_shortlist(&material, SHORTLIST + n / 4);
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

int summary_reduce(struct reader *reader, const struct document_chunk *chunks, size_t n, struct passages *ret,
                   struct usage *usage, const struct reader_hooks *hooks, struct err *err)
{
	const struct passages **parts;
	int r;

	if (n == 0)
		return 0;
	if (n == 1)
		return passages_append(ret, &chunks[0].passages) < 0
		               ? err_set(err, -ENOMEM, "no memory for a summary")
		               : 0;
	parts = array_new(const struct passages *, n);
	if (parts == NULL)
		return err_set(err, -ENOMEM, "no memory for %zu parts", n);
	for (size_t i = 0; i < n; i++)
		parts[i] = &chunks[i].passages;
	r = reduce_parts(reader, parts, n, ret, usage, hooks, err);
	free(parts);
	return r;
}
