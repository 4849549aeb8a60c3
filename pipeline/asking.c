#include "pipeline/asking.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "pipeline/sentence.h"
#include "pipeline/words.h"

#define MAX_ANSWER_TOKENS 48

static bool holds(const struct grounded_span *sentence, const char *bytes, size_t n, size_t *ret_at)
{
	const char *found = memmem(sentence->bytes, sentence->n, bytes, n);

	if (found != NULL)
		*ret_at = (size_t)(found - sentence->bytes);
	return found != NULL;
}

/* How many of the question's words a sentence has. */
static size_t count_shared(const struct grounded_span *sentence, const uint64_t *stems, size_t n_stems)
{
	size_t n = 0, at = 0;
	struct word word;

	while (word_next(sentence->bytes, sentence->n, &at, &word))
		n += words_have(stems, n_stems, word.stem);
	return n;
}

/* The same words may stand in several sentences: the one that has most of the question's words is meant. */
static int place_quote(struct asked *ret, const char *question, const struct view *view,
                       const struct grounded_span *sentences, size_t n, const struct reader_quote *quote)
{
	const char *bytes = sentences[quote->span].bytes + quote->start;
	size_t best = quote->span, best_at = quote->start, best_shared, n_stems;
	uint64_t *stems;

	if (words_of(question, strlen(question), false, &stems, &n_stems) < 0)
		return -ENOMEM;
	best_shared = count_shared(&sentences[best], stems, n_stems);
	for (size_t i = 0; i < n; i++) {
		size_t at, shared;

		if (!holds(&sentences[i], bytes, quote->n, &at))
			continue;
		shared = count_shared(&sentences[i], stems, n_stems);
		if (shared > best_shared) {
			best = i;
			best_at = at;
			best_shared = shared;
		}
	}
	free(stems);
	ret->sentence_start = (size_t)(sentences[best].bytes - view->text);
	ret->sentence_end = ret->sentence_start + sentences[best].n;
	ret->start = ret->sentence_start + best_at;
	ret->end = ret->start + quote->n;
	return 0;
}

/* The sentences of a passage, as what may be quoted in part. *ret is the caller's. */
static int find_sentences(const struct view *view, const struct chunk *passage, struct grounded_span **ret,
                          size_t *ret_n)
{
	struct sentence *sentences;
	size_t n;
	int r = sentence_find(view->text, passage->start, passage->end, &sentences, &n);

	if (r < 0)
		return r;
	*ret = array_new(struct grounded_span, n);
	for (size_t i = 0; *ret != NULL && i < n; i++)
		(*ret)[i] = (struct grounded_span){ view->text + sentences[i].start,
			                            sentences[i].end - sentences[i].start };
	free(sentences);
	*ret_n = n;
	return *ret == NULL ? -ENOMEM : 0;
}

static bool is_in_word(char byte)
{
	return isalnum((unsigned char)byte) != 0 || (unsigned char)byte >= 0x80;
}

static bool cuts_a_word(const struct grounded_span *sentence, size_t at)
{
	return at > 0 && at < sentence->n && is_in_word(sentence->bytes[at - 1]) &&
	       is_in_word(sentence->bytes[at]);
}

/* Where the model's own words stand in a sentence, if they do but for the case of letters: decoding that can only quote is
 * lost when the model begins with a letter that the text has not. */
static bool find_words(const char *words, const struct grounded_span *sentences, size_t n,
                       struct reader_quote *ret)
{
	size_t length = strlen(words);

	for (size_t i = 0; length > 0 && i < n; i++) {
		for (size_t at = 0; at + length <= sentences[i].n; at++) {
			if (strncasecmp(sentences[i].bytes + at, words, length) != 0 ||
			    cuts_a_word(&sentences[i], at) || cuts_a_word(&sentences[i], at + length))
				continue;
			ret->span = i;
			ret->start = at;
			ret->n = length;
			return true;
		}
	}
	return false;
}

/* What a passage is asked: freely, to be answered in its words, and how likely it is that it does not say. */
enum { ASK_FREELY, ASK_QUOTING, ASK_NOT_STATED, N_ASKS };

/* The quotation, if there is one. */
static bool choose_quote(const struct reader_result *results, const struct grounded_span *sentences, size_t n,
                         struct reader_quote *ret)
{
	const struct reader_result *freely = &results[ASK_FREELY], *quoting = &results[ASK_QUOTING];

	if (!freely->cut && find_words(freely->text, sentences, n, ret)) {
		ret->score = freely->score;
		ret->log_probability = freely->log_probability;
		return true;
	}
	if (quoting->n_quotes > 0)
		*ret = quoting->quotes[0];
	return quoting->n_quotes > 0;
}

static int take_results(struct asked *ret, const char *question, const struct view *view,
                        const struct grounded_span *sentences, size_t n, const struct reader_result *results)
{
	struct reader_quote quote;

	ret->not_stated = results[ASK_NOT_STATED].log_probability;
	if (!choose_quote(results, sentences, n, &quote))
		return 0;
	ret->mean = quote.score;
	return place_quote(ret, question, view, sentences, n, &quote);
}

static int ask_sentences(struct reader *reader, const struct view *view, const struct chunk *passage,
                         const char *question, const struct grounded_span *sentences, size_t n,
                         struct asked *ret, struct usage *usage, const struct reader_hooks *hooks,
                         struct err *err)
{
	const struct reader_task tasks[N_ASKS] = {
		[ASK_FREELY] = { .kind = TASK_QUESTION,
		                 .question = question,
		                 .max_tokens = MAX_ANSWER_TOKENS },
		[ASK_QUOTING] = { .kind = TASK_QUESTION,
		                  .question = question,
		                  .spans = sentences,
		                  .n_spans = n,
		                  .max_quotes = 1,
		                  .parts = true,
		                  .max_tokens = MAX_ANSWER_TOKENS },
		[ASK_NOT_STATED] = { .kind = TASK_QUESTION,
		                     .question = question,
		                     .given = PROMPT_NOT_STATED },
	};
	struct reader_result results[N_ASKS];
	int r = reader_read(reader, view->text + passage->start, passage->end - passage->start, tasks, N_ASKS,
	                    results, usage, hooks, err);

	if (r < 0)
		return r;
	if ((r = take_results(ret, question, view, sentences, n, results)) < 0)
		err_set(err, r, "no memory for an answer");
	for (size_t i = 0; i < N_ASKS; i++)
		reader_result_done(&results[i]);
	return r;
}

int asking_passage(struct reader *reader, const struct view *view, const struct chunk *passage,
                   const char *question, struct asked *ret, struct usage *usage,
                   const struct reader_hooks *hooks, struct err *err)
{
	struct grounded_span *sentences;
	size_t n;
	int r = find_sentences(view, passage, &sentences, &n);

	*ret = (struct asked){ 0 };
	if (r < 0)
		return err_set(err, r, "no memory for the sentences of a passage");
	if (n > 0)
		r = ask_sentences(reader, view, passage, question, sentences, n, ret, usage, hooks, err);
	free(sentences);
	return r;
}
