#include "bench/restart.h"

#include <errno.h>
#include <stdio.h>

#include "bench/copying.h"
#include "bench/disk.h"
#include "bench/question.h"
#include "model/block_io.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SHALLOW 16384
#define DEEP 100000
#define MILLION 1000000
#define MILLION_ROW_MEMORY ((size_t)32 << 20)
#define WORKING_BYTES ((double)(64 << 20))
#define NOT_CLEARED (-ENOTSUP)
#define MIB (1024.0 * 1024)

/* A question, and the seconds of the process that asked it. */
struct asked {
	struct answer answer;
	double seconds;
};

/* The best of a few trials: second questions as a whole, and by what restoring took; and GB/s of a plain read of as many
 * bytes by a process that does nothing else. */
struct again {
	struct asked fastest, restored;
	double in_new_memory, in_one_buffer;
};

enum page_cache { WARM, COLD };

static const char *const STATES[] = { [WARM] = "warm", [COLD] = "cold" };

/* row_memory 0: all rows are held in memory. */
static struct asked ask_within(struct trials *trials, size_t n_tokens, size_t row_memory)
{
	struct asked asked = { .seconds = 0 };
	char threads[16], tokens[24], memory[24];
	const char *const words[] = { TRIALS_PART, "question", trials->model, trials->kv,
		                      threads,     tokens,     memory,        NULL };

	snprintf(threads, sizeof(threads), "%u", trials->n_threads);
	snprintf(tokens, sizeof(tokens), "%zu", n_tokens);
	snprintf(memory, sizeof(memory), "%zu", row_memory);
	trials_run(trials, words, &asked.answer, sizeof(asked.answer), &asked.seconds);
	return asked;
}

static struct asked ask(struct trials *trials, size_t n_tokens)
{
	return ask_within(trials, n_tokens, 0);
}

/* The best of some first questions by what reading took, each with no store there; the last one's store stays. */
static struct asked ask_first(struct trials *trials, size_t n_tokens, unsigned n_trials)
{
	struct asked best = { .seconds = 0 };

	for (unsigned i = 0; i < n_trials && trials->r == 0; i++) {
		struct asked asked;

		trials_remove_store(trials);
		asked = ask(trials, n_tokens);
		if (trials->r == 0 && asked.answer.n_restored != 0)
			trials->r = err_set(&trials->err, -EEXIST, "'%s' was not gone", trials->kv);
		if (i == 0 || asked.answer.read < best.answer.read)
			best = asked;
	}
	return best;
}

static void drop(struct trials *trials, const char *path)
{
	if (trials->r == 0)
		trials->r = disk_drop(path, &trials->err);
}

/* A fast answer that is another one is worth nothing. */
static void check_same(struct trials *trials, const struct answer *first, const struct answer *second,
                       size_t n_tokens)
{
	if (trials->r == 0 && second->n_restored != (double)n_tokens)
		trials->r = err_set(&trials->err, -EBADMSG, "%.0f of %zu tokens were restored",
		                    second->n_restored, n_tokens);
	if (trials->r == 0 && first->check != second->check)
		trials->r = err_set(&trials->err, -EBADMSG, "the second answer has other logits");
}

static double restore_seconds(const struct answer *answer)
{
	return answer->open_store + answer->restore;
}

static void ask_again(struct trials *trials, const struct asked *first, size_t n_tokens, struct again *best)
{
	struct asked asked = ask(trials, n_tokens);

	check_same(trials, &first->answer, &asked.answer, n_tokens);
	if (best->fastest.seconds == 0 || asked.seconds < best->fastest.seconds)
		best->fastest = asked;
	if (best->restored.seconds == 0 ||
	    restore_seconds(&asked.answer) < restore_seconds(&best->restored.answer))
		best->restored = asked;
}

static void read_plain(struct trials *trials, enum disk_memory memory, double *best)
{
	char piece[24];
	const char *const words[] = {
		TRIALS_PART, "read", trials->plain, piece, memory == DISK_NEW_MEMORY ? "new" : "same", NULL
	};
	struct disk_reading reading = { 0, 1 };
	double rate;

	snprintf(piece, sizeof(piece), "%zu", trials->block_bytes);
	trials_run(trials, words, &reading, sizeof(reading), NULL);
	rate = reading.n_bytes / reading.seconds / 1e9;
	*best = rate > *best ? rate : *best;
}

static void drop_if_cold(struct trials *trials, const char *path, enum page_cache state)
{
	if (state == COLD)
		drop(trials, path);
}

/* All sides take turns, so that a neighbour's work meets each of them. */
static struct again take_turns(struct trials *trials, const struct asked *first, enum page_cache state)
{
	struct again best = { .in_new_memory = 0 };

	for (unsigned i = 0; i < trials->plan.n_trials && trials->r == 0; i++) {
		drop_if_cold(trials, trials->kv, state);
		ask_again(trials, first, SHALLOW, &best);
		drop_if_cold(trials, trials->plain, state);
		read_plain(trials, DISK_NEW_MEMORY, &best.in_new_memory);
		drop_if_cold(trials, trials->plain, state);
		read_plain(trials, DISK_SAME_MEMORY, &best.in_one_buffer);
	}
	return best;
}

/* Bytes of the rows that so many tokens have, in whole blocks. */
static size_t row_bytes(const struct trials *trials, size_t n_tokens)
{
	return n_tokens / BLOCK_TOKENS * trials->block_bytes;
}

static const char *named(char ret[64], const char *what, enum page_cache state)
{
	snprintf(ret, 64, "%s; %s", what, STATES[state]);
	return ret;
}

static void tell_restore(struct trials *trials, const struct asked *first, const struct again *again,
                         enum page_cache state)
{
	const struct answer *answer = &again->restored.answer;
	double gb_per_s = (double)row_bytes(trials, SHALLOW) / answer->restore / 1e9;
	char what[64];

	trials_tell(trials, (struct line){ .what = named(what, "restore against prefill", state),
	                                   .n = SHALLOW,
	                                   .value = restore_seconds(answer),
	                                   .unit = "s",
	                                   .reference = first->answer.read,
	                                   .bar = { BAR_AT_MOST, 0.02 } });
	trials_tell(trials, (struct line){ .what = named(what, "restore", state),
	                                   .n = SHALLOW,
	                                   .value = gb_per_s,
	                                   .unit = "GB/s",
	                                   .reference = again->in_new_memory,
	                                   .bar = { BAR_AT_LEAST, 0.5 } });
	trials_tell(trials, (struct line){ .what = named(what, "restore; one buffer", state),
	                                   .n = SHALLOW,
	                                   .value = gb_per_s,
	                                   .unit = "GB/s",
	                                   .reference = again->in_one_buffer,
	                                   .bar = { BAR_AT_LEAST, 0.5 } });
}

/* What the second question's process did, beside the same of the first one's, if there was one. */
static void tell_parts(struct trials *trials, size_t n_tokens, const struct asked *first,
                       const struct asked *second)
{
	static const struct asked NONE = { .seconds = 0 };
	const struct asked *before = first == NULL ? &NONE : first;
	const struct answer *a = &before->answer, *b = &second->answer;
	double rest_a = before->seconds - a->open_model - a->open_store - a->restore - a->read - a->keep -
	                a->ask - a->decode;
	double rest_b = second->seconds - b->open_model - b->open_store - b->restore - b->read - b->keep -
	                b->ask - b->decode;
	const struct {
		const char *what;
		double first, second;
	} parts[] = {
		{ "second question: open model", a->open_model, b->open_model },
		{ "second question: open store", a->open_store, b->open_store },
		{ "second question: restore", a->restore + a->read + a->keep,
		  b->restore + b->read + b->keep },
		{ "second question: prompt", a->ask, b->ask },
		{ "second question: decode", a->decode, b->decode },
		{ "second question: all else", rest_a, rest_b },
	};

	for (size_t i = 0; i < COUNT(parts); i++)
		trials_tell(trials, (struct line){ .what = parts[i].what,
		                                   .depth = n_tokens,
		                                   .n = QUESTION_TOKENS + ANSWER_TOKENS,
		                                   .value = parts[i].second,
		                                   .unit = "s",
		                                   .reference = parts[i].first });
}

static void tell_question(struct trials *trials, size_t n_tokens, const struct asked *first,
                          const struct asked *second, struct bar bar)
{
	trials_tell(trials, (struct line){ .what = "second question against first",
	                                   .depth = n_tokens,
	                                   .n = QUESTION_TOKENS + ANSWER_TOKENS,
	                                   .value = second->seconds,
	                                   .unit = "s",
	                                   .reference = first->seconds,
	                                   .bar = bar });
	tell_parts(trials, n_tokens, first, second);
}

static void tell_kept(struct trials *trials, const struct asked *first)
{
	const struct written written = { first->answer.n_kept_bytes, first->answer.n_written_bytes, 0 };

	trials_tell_written(trials, "written: a document that is read", &written, 1.15);
}

/* A page cache that does not let go of a file is no failure: then there is nothing cold to be measured. */
static void measure_cold(struct trials *trials, const struct asked *first)
{
	struct again again;

	drop(trials, trials->plain);
	drop(trials, trials->kv);
	if (trials->r == NOT_CLEARED) {
		report_note(trials->report, "cold: %s", trials->err.text);
		trials->r = 0;
		return;
	}
	again = take_turns(trials, first, COLD);
	tell_restore(trials, first, &again, COLD);
}

void restart_measure_shallow(struct trials *trials)
{
	struct asked first = ask_first(trials, SHALLOW, trials->plan.n_first);
	struct again again;

	if (trials->r == 0)
		trials->r = disk_make(trials->plain, row_bytes(trials, SHALLOW), &trials->err);
	again = take_turns(trials, &first, WARM);
	tell_restore(trials, &first, &again, WARM);
	measure_cold(trials, &first);
	tell_question(trials, SHALLOW, &first, &again.fastest, (struct bar){ BAR_NONE, 0 });
	if (!trials->plan.deep)
		tell_kept(trials, &first);
}

/* The most that a context of n tokens may take: kv.memory, all indexer keys and their codes of half the size, which come
 * on top, and what waits to be written and to be attended to. */
static double stated_bytes(const struct trials *trials, size_t n_tokens, size_t row_memory)
{
	double key_bytes =
		(double)(trials->block_bytes - trials->block_row_bytes) * ((double)n_tokens / BLOCK_TOKENS);

	return (double)row_memory + 1.5 * key_bytes + WORKING_BYTES;
}

static void tell_paged(struct trials *trials, size_t n_tokens, size_t row_memory, const struct answer *paged,
                       const struct answer *whole)
{
	double n_bytes = paged->most_bytes - paged->opened_bytes;

	trials_tell(trials, (struct line){ .what = "decode, a tenth of the rows in memory",
	                                   .depth = n_tokens,
	                                   .n = ANSWER_TOKENS,
	                                   .value = ANSWER_TOKENS / paged->decode,
	                                   .unit = "tokens/s",
	                                   .reference = ANSWER_TOKENS / whole->decode,
	                                   .bar = { BAR_AT_LEAST, 0.5 } });
	trials_tell(trials, (struct line){ .what = "resident, a tenth of the rows in memory",
	                                   .depth = n_tokens,
	                                   .n = row_memory,
	                                   .value = n_bytes / MIB,
	                                   .unit = "MiB",
	                                   .reference = stated_bytes(trials, n_tokens, row_memory) / MIB,
	                                   .bar = { BAR_AT_MOST, 1 } });
}

/* The same document, its rows read as they are wanted; the two take turns. */
static void measure_paged(struct trials *trials, const struct asked *first)
{
	size_t row_memory = DEEP / BLOCK_TOKENS * trials->block_row_bytes / 10;
	struct asked paged = { .seconds = 0 }, whole = { .seconds = 0 };

	for (unsigned i = 0; i < trials->plan.n_trials && trials->r == 0; i++) {
		struct asked asked = ask_within(trials, DEEP, row_memory);

		check_same(trials, &first->answer, &asked.answer, DEEP);
		if (i == 0 || asked.answer.decode < paged.answer.decode)
			paged = asked;
		asked = ask(trials, DEEP);
		if (i == 0 || asked.answer.decode < whole.answer.decode)
			whole = asked;
	}
	tell_paged(trials, DEEP, row_memory, &paged.answer, &whole.answer);
}

/* A million tokens: rows of the document that is there, under another one's names. */
static void measure_million(struct trials *trials)
{
	char n_from[24], n_tokens[24];
	const char *const words[] = {
		TRIALS_PART, "copy", trials->model, trials->kv, n_from, n_tokens, NULL
	};
	struct copied copied = { .n_bytes = 0 };
	struct asked asked;

	snprintf(n_from, sizeof(n_from), "%d", DEEP);
	snprintf(n_tokens, sizeof(n_tokens), "%d", MILLION);
	trials_run(trials, words, &copied, sizeof(copied), NULL);
	asked = ask_within(trials, MILLION, MILLION_ROW_MEMORY);
	if (trials->r == 0 && asked.answer.n_restored != MILLION)
		trials->r = err_set(&trials->err, -EBADMSG, "%.0f of a million tokens were restored",
		                    asked.answer.n_restored);
	trials_tell(trials, (struct line){ .what = "resident, a million tokens",
	                                   .depth = MILLION,
	                                   .n = MILLION_ROW_MEMORY,
	                                   .value = asked.answer.most_bytes / MIB,
	                                   .unit = "MiB",
	                                   .reference = 1024,
	                                   .bar = { BAR_AT_MOST, 1 } });
	trials_tell(trials, (struct line){ .what = "question behind a million tokens",
	                                   .depth = MILLION,
	                                   .n = QUESTION_TOKENS + ANSWER_TOKENS,
	                                   .value = asked.seconds,
	                                   .unit = "s" });
	tell_parts(trials, MILLION, NULL, &asked);
}

void restart_measure_deep(struct trials *trials)
{
	struct asked first = ask_first(trials, DEEP, 1);
	struct again again = { .in_new_memory = 0 };

	for (unsigned i = 0; i < trials->plan.n_trials && trials->r == 0; i++)
		ask_again(trials, &first, DEEP, &again);
	tell_question(trials, DEEP, &first, &again.fastest, (struct bar){ BAR_AT_MOST, 0.02 });
	tell_kept(trials, &first);
	measure_paged(trials, &first);
	measure_million(trials);
}
