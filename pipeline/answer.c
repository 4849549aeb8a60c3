#include "pipeline/answer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "pipeline/chunk.h"
#include "pipeline/place.h"
#include "pipeline/retrieval.h"
#include "pipeline/sentence.h"
#include "pipeline/view.h"
#include "pipeline/words.h"

#define MAX_ANSWER_TOKENS 48
#define N_ASKED 5 /* passages that are read for a question */
#define MIN_SCORE 0.3 /* below it nothing was found */

/* Short texts are what the model answers from. */
static const struct chunk_limits PASSAGE = { .max_bytes = 1400 };

struct answerer {
	struct reader *reader;
	char *source;
	struct view view;
	struct chunk *passages;
	size_t n_passages;
	struct retrieval *retrieval;
};

/* What one passage gave. */
struct candidate {
	size_t start, end; /* of the view; none: both 0 */
	size_t sentence_start, sentence_end;
	double mean, sum; /* log-probability of a token, and of the whole */
	double not_stated; /* log-probability of saying that it is not there */
	double words; /* the passage's score by words, over the best one's */
	double score;
};

void answer_done(struct answer *answer)
{
	for (size_t i = 0; i < answer->n_evidence; i++) {
		free(answer->evidence[i].quote);
		free(answer->evidence[i].section);
	}
	free(answer->evidence);
	free(answer->text);
	*answer = (struct answer){ 0 };
}

static int index_passages(struct answerer *answerer)
{
	struct grounded_span *spans = array_new(struct grounded_span, answerer->n_passages);
	int r;

	if (spans == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < answerer->n_passages; i++)
		spans[i] = (struct grounded_span){ answerer->view.text + answerer->passages[i].start,
			                           answerer->passages[i].end - answerer->passages[i].start };
	r = retrieval_new(spans, answerer->n_passages, &answerer->retrieval);
	free(spans);
	return r;
}

static int open_text(struct answerer *answerer, struct docstore *store, int64_t id, struct err *err)
{
	struct document document = { 0 };
	size_t n = 0;
	int r = docstore_get(store, id, &document, err);

	if (r == 0)
		r = docstore_get_text(store, id, &answerer->source, &n, err);
	if (r == 0)
		r = view_make(answerer->source, n,
		              document.media_type != NULL &&
		                      strcmp(document.media_type, "text/markdown") == 0,
		              &answerer->view, err);
	document_done(&document);
	return r;
}

int answerer_open(struct reader *reader, struct docstore *store, int64_t document_id, struct answerer **ret,
                  struct err *err)
{
	struct answerer *answerer = array_new(struct answerer, 1);
	int r;

	if (answerer == NULL)
		return err_set(err, -ENOMEM, "no memory for questions");
	answerer->reader = reader;
	r = open_text(answerer, store, document_id, err);
	if (r == 0)
		r = chunk_make(&answerer->view, &PASSAGE, &answerer->passages, &answerer->n_passages, err);
	if (r == 0 && (r = index_passages(answerer)) < 0)
		err_set(err, r, "no memory for %zu passages", answerer->n_passages);
	if (r < 0)
		answerer_close(answerer);
	else
		*ret = answerer;
	return r;
}

void answerer_close(struct answerer *answerer)
{
	if (answerer == NULL)
		return;
	retrieval_free(answerer->retrieval);
	free(answerer->passages);
	view_done(&answerer->view);
	free(answerer->source);
	free(answerer);
}

const struct view *answerer_view(const struct answerer *answerer)
{
	return &answerer->view;
}

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
static int place_quote(struct candidate *candidate, const char *question, const struct view *view,
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
	candidate->sentence_start = (size_t)(sentences[best].bytes - view->text);
	candidate->sentence_end = candidate->sentence_start + sentences[best].n;
	candidate->start = candidate->sentence_start + best_at;
	candidate->end = candidate->start + quote->n;
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

/* Read one passage: what it answers, and how likely the model finds it that it does not. */
static int ask_passage(struct answerer *answerer, const char *question, const struct chunk *passage,
                       const struct grounded_span *sentences, size_t n, struct candidate *ret,
                       struct usage *usage, const struct reader_hooks *hooks, struct err *err)
{
	static const struct grounded_span NOT_STATED = { PROMPT_NOT_STATED, sizeof(PROMPT_NOT_STATED) - 1 };
	const struct reader_task tasks[] = {
		{ .kind = TASK_QUESTION,
		  .question = question,
		  .spans = sentences,
		  .n_spans = n,
		  .min_quotes = 1,
		  .max_quotes = 1,
		  .parts = true,
		  .max_tokens = MAX_ANSWER_TOKENS },
		{ .kind = TASK_QUESTION,
		  .question = question,
		  .spans = &NOT_STATED,
		  .n_spans = 1,
		  .min_quotes = 1,
		  .max_quotes = 1 },
	};
	struct reader_result results[2];
	int r = reader_read(answerer->reader, answerer->view.text + passage->start,
	                    passage->end - passage->start, tasks, 2, results, usage, hooks, err);

	if (r < 0)
		return r;
	if (results[1].n_quotes > 0)
		ret->not_stated = results[1].quotes[0].log_probability;
	if (results[0].n_quotes > 0) {
		ret->mean = results[0].quotes[0].score;
		ret->sum = results[0].quotes[0].log_probability;
		r = place_quote(ret, question, &answerer->view, sentences, n, &results[0].quotes[0]);
	}
	reader_result_done(&results[0]);
	reader_result_done(&results[1]);
	return r < 0 ? err_set(err, r, "no memory for an answer") : 0;
}

/* What the model makes of it, what it makes of the other answer, and the words. */
static double score_candidate(const struct candidate *candidate)
{
	double margin = candidate->sum - candidate->not_stated;

	return 1 / (1 + exp(-(0.5 * margin + candidate->mean + candidate->words)));
}

static int try_passage(struct answerer *answerer, const char *question, const struct retrieved *found,
                       double most_words, struct candidate *best, struct usage *usage,
                       const struct reader_hooks *hooks, struct err *err)
{
	const struct chunk *passage = &answerer->passages[found->passage];
	struct candidate candidate = { .words = most_words > 0 ? found->score / most_words : 0 };
	struct grounded_span *sentences;
	size_t n;
	int r = find_sentences(&answerer->view, passage, &sentences, &n);

	if (r < 0)
		return err_set(err, r, "no memory for the sentences of a passage");
	if (n > 0)
		r = ask_passage(answerer, question, passage, sentences, n, &candidate, usage, hooks, err);
	free(sentences);
	if (r == 0 && candidate.end > 0) {
		candidate.score = score_candidate(&candidate);
		if (candidate.score > best->score)
			*best = candidate;
	}
	return r;
}

static int take_answer(const struct answerer *answerer, const struct candidate *best, struct answer *ret)
{
	bool found = best->end > 0 && best->score >= MIN_SCORE;

	*ret = (struct answer){ .found = found, .score = best->score };
	ret->text = found ? strndup(answerer->view.text + best->start, best->end - best->start)
	                  : strdup(PROMPT_NOT_STATED);
	if (ret->text == NULL)
		return -ENOMEM;
	if (!found)
		return 0;
	ret->evidence = array_new(struct evidence, 1);
	if (ret->evidence == NULL || place_find(answerer->source, &answerer->view, best->sentence_start,
	                                        best->sentence_end, &ret->evidence[0]) < 0)
		return -ENOMEM;
	ret->evidence[0].score = best->mean;
	ret->n_evidence = 1;
	return 0;
}

int answer_find(struct answerer *answerer, const char *question, struct answer *ret, struct usage *usage,
                const struct reader_hooks *hooks, struct err *err)
{
	struct retrieved found[N_ASKED];
	struct candidate best = { 0 };
	size_t n;
	int r = retrieval_rank(answerer->retrieval, question, strlen(question), N_ASKED, found, &n);

	if (r < 0)
		return err_set(err, r, "no memory for a question");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = try_passage(answerer, question, &found[i], found[0].score, &best, usage, hooks, err);
	if (r == 0 && (r = take_answer(answerer, &best, ret)) < 0) {
		answer_done(ret);
		err_set(err, r, "no memory for an answer");
	}
	return r;
}
