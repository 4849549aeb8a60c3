#include "pipeline/ask_passage.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "pipeline/answer_kind.h"
#include "pipeline/sentence.h"
#include "pipeline/words.h"

#define MAX_ANSWER_TOKENS 48
#define MISFIT 1.0 /* how much less likely words are that are not of the kind that is asked for */
#define LEAST_NOT_STATED (-20.0) /* less says no more */

/* A passage and what is made of it. Borrowed. */
struct asking {
	struct reader *reader;
	const struct view *view;
	const struct chunk *passage;
	const char *question;
	uint64_t *stems; /* [n_stems] of the question; its own */
	size_t n_stems;
	struct grounded_span *sentences; /* [n_sentences] its own */
	size_t n_sentences;
	struct usage *usage;
	const struct reader_hooks *hooks;
	struct err *err;
};

/* Bytes of the view. */
struct quotation {
	const char *bytes;
	size_t n;
	double mean; /* log-probability of a token */
};

/* How many of the question's words a sentence has. */
static size_t count_shared(const struct asking *asking, const struct grounded_span *sentence)
{
	size_t n = 0, at = 0;
	struct word word;

	while (word_next(sentence->bytes, sentence->n, &at, &word))
		n += words_have(asking->stems, asking->n_stems, word.stem);
	return n;
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

/* The first place of the words in a sentence, as whole words, or where they are if it is this one; NULL: it does not have
 * them. */
static const char *place_in(const struct grounded_span *sentence, const struct quotation *quotation)
{
	if (quotation->bytes >= sentence->bytes && quotation->bytes < sentence->bytes + sentence->n)
		return quotation->bytes;
	for (size_t at = 0; at + quotation->n <= sentence->n; at++) {
		if (memcmp(sentence->bytes + at, quotation->bytes, quotation->n) == 0 &&
		    !cuts_a_word(sentence, at) && !cuts_a_word(sentence, at + quotation->n))
			return sentence->bytes + at;
	}
	return NULL;
}

/* The same words may stand in several sentences: the one that has most of the question's words is meant. */
static void place_quotation(const struct asking *asking, const struct quotation *quotation,
                            struct asked_passage *ret)
{
	const char *text = asking->view->text;
	size_t most = 0;

	for (size_t i = 0; i < asking->n_sentences; i++) {
		const struct grounded_span *sentence = &asking->sentences[i];
		const char *place = place_in(sentence, quotation);
		size_t n_shared = place == NULL ? 0 : 1 + count_shared(asking, sentence);

		if (n_shared <= most)
			continue;
		most = n_shared;
		ret->start = (size_t)(place - text);
		ret->end = ret->start + quotation->n;
		ret->sentence_start = (size_t)(sentence->bytes - text);
		ret->sentence_end = ret->sentence_start + sentence->n;
	}
	ret->mean = quotation->mean;
}

/* The sentences of the passage, as what may be quoted in part. */
static int find_sentences(struct asking *asking)
{
	const char *text = asking->view->text;
	struct sentence *sentences;
	size_t n;
	int r = sentence_find(text, asking->passage->start, asking->passage->end, &sentences, &n);

	if (r < 0)
		return r;
	asking->sentences = array_new(struct grounded_span, n);
	for (size_t i = 0; asking->sentences != NULL && i < n; i++)
		asking->sentences[i] = (struct grounded_span){ text + sentences[i].start,
			                                       sentences[i].end - sentences[i].start };
	free(sentences);
	asking->n_sentences = n;
	return asking->sentences == NULL ? -ENOMEM : 0;
}

/* Where the model's own words stand in a sentence, if they do but for the case of letters: decoding that can only quote is
 * lost when the model begins with a letter that the text has not. */
static bool find_words(const struct asking *asking, const char *words, struct quotation *ret)
{
	size_t n = strlen(words);

	for (size_t i = 0; n > 0 && i < asking->n_sentences; i++) {
		const struct grounded_span *sentence = &asking->sentences[i];

		for (size_t at = 0; at + n <= sentence->n; at++) {
			if (strncasecmp(sentence->bytes + at, words, n) != 0 || cuts_a_word(sentence, at) ||
			    cuts_a_word(sentence, at + n))
				continue;
			ret->bytes = sentence->bytes + at;
			ret->n = n;
			return true;
		}
	}
	return false;
}

/* What a passage is asked: to be answered in its words, freely, and how likely it is that it does not say. */
enum { ASK_QUOTING, ASK_FREELY, ASK_NOT_STATED, N_ASKS };

/* The first n_asks of them, quoting spans[n]. */
static int ask(const struct asking *asking, const struct grounded_span *spans, size_t n, size_t n_asks,
               struct reader_result *results)
{
	const struct reader_task tasks[N_ASKS] = {
		[ASK_QUOTING] = { .kind = TASK_QUESTION,
		                  .question = asking->question,
		                  .spans = spans,
		                  .n_spans = n,
		                  .max_tokens = MAX_ANSWER_TOKENS },
		[ASK_FREELY] = { .kind = TASK_QUESTION,
		                 .question = asking->question,
		                 .max_tokens = MAX_ANSWER_TOKENS },
		[ASK_NOT_STATED] = { .kind = TASK_QUESTION,
		                     .question = asking->question,
		                     .given = PROMPT_NOT_STATED },
	};
	const struct chunk *passage = asking->passage;

	return reader_read(asking->reader, asking->view->text + passage->start, passage->end - passage->start,
	                   tasks, n_asks, results, asking->usage, asking->hooks, asking->err);
}

static bool take_quote(const struct reader_result *result, const struct grounded_span *spans,
                       struct quotation *ret)
{
	const struct reader_quote *quote = &result->quote;

	if (result->quoted)
		*ret = (struct quotation){ spans[quote->span].bytes + quote->start, quote->n, quote->score };
	return result->quoted;
}

/* The model's own words where they can be found, else what it said when it could only quote. */
static bool choose_quotation(const struct asking *asking, const struct reader_result *results,
                             struct quotation *ret)
{
	const struct reader_result *freely = &results[ASK_FREELY];

	if (freely->cut || !find_words(asking, freely->text, ret))
		return take_quote(&results[ASK_QUOTING], asking->sentences, ret);
	ret->mean = freely->score;
	return true;
}

static bool is_in_question(const struct asking *asking, uint64_t stem)
{
	size_t at = 0;
	struct word word;

	while (word_next(asking->question, strlen(asking->question), &at, &word)) {
		if (word.stem == stem)
			return true;
	}
	return false;
}

/* A small model likes to answer with what the question is about. It is right to where the question names a choice. A short
 * word ("red", "May") is an answer as any other. */
static bool is_echo(const struct asking *asking, const struct quotation *quotation)
{
	size_t at = 0;
	struct word word;

	if (strcasestr(asking->question, " or ") != NULL)
		return false;
	while (word_next(quotation->bytes, quotation->n, &at, &word)) {
		if (!word_is_function(quotation->bytes + word.start, word.end - word.start) &&
		    !is_in_question(asking, word.stem))
			return false;
	}
	return true;
}

/* A sentence without the words of the question, in pieces; some may be empty. ret has room for all. Returns how many. */
static size_t cut_out(const struct asking *asking, const struct grounded_span *sentence,
                      struct grounded_span *ret)
{
	const char *bytes = sentence->bytes;
	size_t n = 0, at = 0, piece = 0;
	struct word word;

	while (word_next(bytes, sentence->n, &at, &word)) {
		if (!words_have(asking->stems, asking->n_stems, word.stem))
			continue;
		ret[n++] = (struct grounded_span){ bytes + piece, word.start - piece };
		piece = word.end;
	}
	ret[n++] = (struct grounded_span){ bytes + piece, sentence->n - piece };
	return n;
}

/* Every other byte may begin a word. */
static size_t max_pieces(const struct asking *asking)
{
	size_t n = 0;

	for (size_t i = 0; i < asking->n_sentences; i++)
		n += asking->sentences[i].n / 2 + 2;
	return n;
}

/* Ask again for what the question does not name. What there is stays if nothing else can be quoted. */
static int ask_otherwise(const struct asking *asking, struct quotation *quotation)
{
	struct grounded_span *pieces = array_new(struct grounded_span, max_pieces(asking));
	struct reader_result result = { 0 };
	size_t n = 0;
	int r;

	if (pieces == NULL)
		return err_set(asking->err, -ENOMEM, "no memory for an answer");
	for (size_t i = 0; i < asking->n_sentences; i++)
		n += cut_out(asking, &asking->sentences[i], pieces + n);
	r = ask(asking, pieces, n, 1, &result);
	if (r == 0)
		take_quote(&result, pieces, quotation);
	reader_result_done(&result);
	free(pieces);
	return r == -ENOENT ? 0 : r;
}

static int ask_sentences(const struct asking *asking, struct asked_passage *ret)
{
	struct reader_result results[N_ASKS];
	struct quotation quotation;
	bool found;
	int r = ask(asking, asking->sentences, asking->n_sentences, N_ASKS, results);

	if (r < 0)
		return r == -ENOENT ? 0 : r; /* nothing that the vocabulary can spell */
	ret->not_stated = fmax(results[ASK_NOT_STATED].log_probability, LEAST_NOT_STATED);
	found = choose_quotation(asking, results, &quotation);
	for (size_t i = 0; i < N_ASKS; i++)
		reader_result_done(&results[i]);
	if (found && is_echo(asking, &quotation))
		r = ask_otherwise(asking, &quotation);
	if (found && !answer_kind_fits(asking->question, quotation.bytes, quotation.n))
		quotation.mean -= MISFIT;
	if (r == 0 && found)
		place_quotation(asking, &quotation, ret);
	return r;
}

int ask_passage(struct reader *reader, const struct view *view, const struct chunk *passage,
                const char *question, struct asked_passage *ret, struct usage *usage,
                const struct reader_hooks *hooks, struct err *err)
{
	struct asking asking = { .reader = reader,
		                 .view = view,
		                 .passage = passage,
		                 .question = question,
		                 .usage = usage,
		                 .hooks = hooks,
		                 .err = err };
	int r;

	*ret = (struct asked_passage){ 0 };
	if ((r = find_sentences(&asking)) < 0 ||
	    (r = words_of(question, strlen(question), false, &asking.stems, &asking.n_stems)) < 0)
		err_set(err, r, "no memory for the sentences of a passage");
	else if (asking.n_sentences > 0)
		r = ask_sentences(&asking, ret);
	free(asking.sentences);
	free(asking.stems);
	return r;
}
