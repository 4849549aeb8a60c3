#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "bench/baselines.h"
#include "bench/bootstrap.h"
#include "bench/evaluation_set.h"
#include "bench/memory.h"
#include "bench/quality.h"
#include "pipeline/prompt.h"

#define SEED 11
#define MAX_QUESTIONS 2 /* of one passage */
#define N_DEPTHS 10
#define BYTES_PER_TOKEN 4 /* about: where the looking for the right length begins */

/* SQuAD's questions, those of one passage together. */
struct passages_set {
	struct evaluation_set set;
	size_t *firsts; /* [n + 1] the first question of each passage */
	size_t n;
	size_t *order; /* [n] drawn */
};

static int read_passages(const struct quality *quality, struct passages_set *ret, struct err *err)
{
	int r = set_read(quality->folder, "squad11_dev", &ret->set, err);

	if (r < 0)
		return r;
	ret->n = 0;
	ret->firsts = memory_take(ret->set.n + 1, sizeof(size_t));
	for (size_t i = 0; i < ret->set.n; i++) {
		if (i == 0 || strcmp(ret->set.items[i].text, ret->set.items[i - 1].text) != 0)
			ret->firsts[ret->n++] = i;
	}
	ret->firsts[ret->n] = ret->set.n;
	ret->order = memory_take(ret->n, sizeof(size_t));
	draw_order(SEED, ret->n, ret->order);
	return 0;
}

static void passages_set_done(struct passages_set *passages)
{
	free(passages->firsts);
	free(passages->order);
	set_done(&passages->set);
}

static const struct set_item *first_of(const struct passages_set *passages, size_t passage)
{
	return &passages->set.items[passages->firsts[passage]];
}

static size_t n_questions_of(const struct passages_set *passages, size_t passage)
{
	size_t n = passages->firsts[passage + 1] - passages->firsts[passage];

	return n < MAX_QUESTIONS ? n : MAX_QUESTIONS;
}

/* What is compared, and how good each was: a value a question. */
enum system { SYSTEM_SKIMD, SYSTEM_BM25, SYSTEM_BARE };
#define N_SYSTEMS 3
static const char *const SYSTEM_NAMES[N_SYSTEMS] = { "skimd", "BM25's best sentence", "the model, bare" };

struct grades {
	double *f1[N_SYSTEMS], *exact[N_SYSTEMS];
	size_t n, n_found, n_quoted; /* questions; answers; of these, those that are bytes of the text */
};

static void grades_init(struct grades *grades, size_t n)
{
	*grades = (struct grades){ 0 };
	for (size_t i = 0; i < N_SYSTEMS; i++) {
		grades->f1[i] = memory_take(n, sizeof(double));
		grades->exact[i] = memory_take(n, sizeof(double));
	}
}

static void grades_done(struct grades *grades)
{
	for (size_t i = 0; i < N_SYSTEMS; i++) {
		free(grades->f1[i]);
		free(grades->exact[i]);
	}
}

static void mark(struct grades *grades, enum system system, const char *text, const struct set_item *item)
{
	grades->f1[system][grades->n] = rouge_answer_f1(text, item->references, item->n_references);
	grades->exact[system][grades->n] =
		rouge_answer_exact(text, item->references, item->n_references) ? 100 : 0;
}

static void mark_best_sentence(struct grades *grades, const char *text, const struct set_item *item)
{
	struct sentences sentences;
	size_t *ranked;
	char *best;

	sentences_of(&sentences, text);
	ranked = memory_take(sentences.n + 1, sizeof(size_t));
	baseline_rank(BASELINE_BM25, &sentences, item->question, 0, ranked);
	best = sentences.n == 0 ? strdup("")
	                        : strndup(text + sentences.starts[ranked[0]],
	                                  sentences.ends[ranked[0]] - sentences.starts[ranked[0]]);
	mark(grades, SYSTEM_BM25, best, item);
	free(best);
	free(ranked);
	sentences_done(&sentences);
}

/* Whether each quotation is the bytes that its place says. */
static bool is_quoted(const struct answer *answer, const char *text)
{
	bool exact = answer->n_evidence > 0;

	for (size_t i = 0; i < answer->n_evidence; i++) {
		const struct evidence *evidence = &answer->evidence[i];
		size_t n = strlen(evidence->quote);

		exact = exact && evidence->byte_end - evidence->byte_start == (int64_t)n &&
		        (size_t)evidence->byte_end <= strlen(text) &&
		        memcmp(text + evidence->byte_start, evidence->quote, n) == 0;
	}
	return exact;
}

static int ask(const struct quality *quality, int64_t id, const char *text, const struct set_item *item,
               bool bare, struct grades *grades, struct err *err)
{
	struct answer answer = { 0 };
	char *words = NULL;
	int r = desk_ask(quality->desk, id, item->question, &answer, err);

	if (r == 0 && bare)
		r = desk_ask_bare(quality->desk, text, item->question, &words, err);
	if (r == 0) {
		mark(grades, SYSTEM_SKIMD, answer.found ? answer.text : "", item);
		mark_best_sentence(grades, text, item);
		if (bare)
			mark(grades, SYSTEM_BARE, words, item);
		grades->n_found += answer.found;
		grades->n_quoted += is_quoted(&answer, text);
		fprintf(quality->csv, "%zu\t%.1f\t%.4f\t%d\t%s\t%s\t%s\n", strlen(text),
		        grades->f1[SYSTEM_SKIMD][grades->n], answer.score, answer.found, item->question,
		        item->references[0], answer.text);
		fflush(quality->csv);
		grades->n++;
	}
	free(words);
	answer_done(&answer);
	return r;
}

static void print_grades(const struct grades *grades, const char *what)
{
	printf("\n%s: %zu questions, %zu answers, %zu of them with byte-exact quotations\n", what, grades->n,
	       grades->n_found, grades->n_quoted);
	for (size_t i = 0; i < N_SYSTEMS; i++) {
		struct interval f1 = bootstrap_mean(grades->f1[i], NULL, grades->n);
		struct interval exact = bootstrap_mean(grades->exact[i], NULL, grades->n);

		if (f1.mean > 0)
			printf("| %s | %s | F1 %.1f (%.1f to %.1f) | EM %.1f (%.1f to %.1f) |\n", what,
			       SYSTEM_NAMES[i], f1.mean, f1.low, f1.high, exact.mean, exact.low, exact.high);
	}
	fflush(stdout);
}

int quality_short(const struct quality *quality, struct err *err)
{
	struct passages_set passages;
	struct grades grades;
	int r = read_passages(quality, &passages, err);

	if (r < 0)
		return r;
	grades_init(&grades, quality->n_passages * MAX_QUESTIONS);
	for (size_t i = 0; r == 0 && i < quality->n_passages && i < passages.n; i++) {
		size_t passage = passages.order[i];
		const struct set_item *items = first_of(&passages, passage);
		int64_t id;

		r = desk_put(quality->desk, items->text, &id, err);
		for (size_t k = 0; r == 0 && k < n_questions_of(&passages, passage); k++)
			r = ask(quality, id, items->text, &items[k], true, &grades, err);
	}
	if (r == 0)
		print_grades(&grades, "passage alone");
	grades_done(&grades);
	passages_set_done(&passages);
	return r;
}

/* A document of about n_bytes of other articles' passages, with one passage at a depth; the caller's. */
static char *hide(const struct passages_set *passages, size_t passage, size_t n_bytes, size_t depth,
                  uint64_t seed)
{
	const struct set_item *hidden = first_of(passages, passage);
	size_t *order = memory_take(passages->n, sizeof(size_t));
	size_t before = n_bytes * (2 * depth + 1) / (2 * (size_t)N_DEPTHS);
	struct buf text = { 0 };
	bool placed = false;

	draw_order(seed, passages->n, order);
	for (size_t i = 0; i < passages->n && (!placed || text.n < n_bytes); i++) {
		const struct set_item *other = first_of(passages, order[i]);

		if (!placed && text.n >= before) {
			buf_printf(&text, "%s\n\n", hidden->text);
			placed = true;
		}
		if (strcmp(other->title, hidden->title) != 0)
			buf_printf(&text, "%s\n\n", other->text);
	}
	free(order);
	return buf_take(&text);
}

/* Of the wanted number of tokens, within a passage or so. */
static int hide_in_tokens(const struct quality *quality, const struct passages_set *passages, size_t passage,
                          size_t n_tokens, size_t depth, uint64_t seed, char **ret, struct err *err)
{
	size_t n_bytes = n_tokens * BYTES_PER_TOKEN, n;
	int r;

	*ret = hide(passages, passage, n_bytes, depth, seed);
	r = desk_count(quality->desk, *ret, &n, err);
	if (r < 0) {
		free(*ret);
		return r;
	}
	n_bytes = (size_t)((double)strlen(*ret) * (double)n_tokens / (double)n);
	free(*ret);
	*ret = hide(passages, passage, n_bytes, depth, seed);
	return 0;
}

static int ask_hidden(const struct quality *quality, const struct passages_set *passages, size_t number,
                      size_t n_tokens, struct grades *grades, struct err *err)
{
	size_t passage = passages->order[number];
	const struct set_item *items = first_of(passages, passage);
	char *text;
	int64_t id;
	int r = hide_in_tokens(quality, passages, passage, n_tokens, number % N_DEPTHS,
	                       SEED + n_tokens + number, &text, err);

	if (r < 0)
		return r;
	r = desk_put(quality->desk, text, &id, err);
	for (size_t k = 0; r == 0 && k < n_questions_of(passages, passage); k++)
		r = ask(quality, id, text, &items[k], false, grades, err);
	free(text);
	return r;
}

int quality_hidden(const struct quality *quality, size_t n_tokens, struct err *err)
{
	struct passages_set passages;
	struct grades grades;
	char what[64];
	int r = read_passages(quality, &passages, err);

	if (r < 0)
		return r;
	grades_init(&grades, quality->n_hidden * MAX_QUESTIONS);
	for (size_t i = 0; r == 0 && i < quality->n_hidden && i < passages.n; i++)
		r = ask_hidden(quality, &passages, i, n_tokens, &grades, err);
	snprintf(what, sizeof(what), "hidden in %zuk tokens", n_tokens / 1000);
	if (r == 0)
		print_grades(&grades, what);
	grades_done(&grades);
	passages_set_done(&passages);
	return r;
}

/* A score, and whether the question has an answer there. */
struct trial {
	double score;
	bool answerable, found;
};

static double accuracy(const struct trial *trials, size_t n, double threshold)
{
	size_t right = 0;

	for (size_t i = 0; i < n; i++)
		right += (trials[i].score >= threshold) == trials[i].answerable;
	return n == 0 ? 0 : 100.0 * (double)right / (double)n;
}

/* The score that tells the trials apart best. */
static double best_threshold(const struct trial *trials, size_t n)
{
	double best = 0;

	for (size_t i = 0; i < n; i++) {
		if (accuracy(trials, n, trials[i].score) > accuracy(trials, n, best))
			best = trials[i].score;
	}
	return best;
}

/* A passage's own question, and one of another article's. */
static int try_passage(const struct quality *quality, const struct passages_set *passages, size_t number,
                       struct trial *ret, struct err *err)
{
	const struct set_item *own = first_of(passages, passages->order[number]), *other = own;
	int64_t id;
	int r = desk_put(quality->desk, own->text, &id, err);

	for (size_t i = number + 1; strcmp(other->title, own->title) == 0; i++)
		other = first_of(passages, passages->order[i % passages->n]);
	for (size_t i = 0; r == 0 && i < 2; i++) {
		struct answer answer;

		r = desk_ask(quality->desk, id, i == 0 ? own->question : other->question, &answer, err);
		if (r < 0)
			break;
		ret[i] = (struct trial){ answer.score, i == 0, answer.found };
		answer_done(&answer);
	}
	return r;
}

static void print_trials(const struct trial *trials, size_t n)
{
	size_t half = n / 4 * 2; /* pairs stay together */
	double threshold = best_threshold(trials, half);
	size_t right = 0;

	for (size_t i = 0; i < n; i++)
		right += trials[i].found == trials[i].answerable;
	printf("\nunanswerable: %zu questions, half of another article; by skimd's own threshold %.1f %% "
	       "told "
	       "right; by the first half's (%.3f) %.1f %% of the second\n",
	       n, n == 0 ? 0 : 100.0 * (double)right / (double)n, threshold,
	       accuracy(trials + half, n - half, threshold));
}

int quality_unanswerable(const struct quality *quality, struct err *err)
{
	struct passages_set passages;
	struct trial *trials;
	size_t n = 0;
	int r = read_passages(quality, &passages, err);

	if (r < 0)
		return r;
	trials = memory_take(2 * quality->n_passages, sizeof(*trials));
	for (; r == 0 && n < quality->n_passages && n < passages.n; n++)
		r = try_passage(quality, &passages, passages.n - 1 - n, &trials[2 * n], err);
	if (r == 0)
		print_trials(trials, 2 * n);
	free(trials);
	passages_set_done(&passages);
	return r;
}
