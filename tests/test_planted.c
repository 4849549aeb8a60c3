/* Where attention falls in a document with a section of gibberish and one that is off its topic: the section that holds an
 * answer is looked at most, the two least. With model/nano on the handbook of data/; with SKIMD_TEST_LONG (planted.long) five
 * documents and all questions. It prints what stands in skimd-audit(7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/stored_text.h"
#include "pipeline/summary.h"
#include "tests/desk.h"
#include "tests/handbook.h"

#define N_SECTIONS 22 /* with the two */
#define TENTH (N_SECTIONS / 10)
#define N_DOCUMENTS 5
#define GIBBERISH_BYTES 400
#define N_QUESTIONS COUNT(HANDBOOK_QUESTIONS)

/* A document on the desk. */
struct planted {
	struct desk *desk;
	struct buf text;
	size_t starts[N_SECTIONS + 1]; /* of its sections, and its end */
	size_t gibberish, strange; /* sections */
	int64_t id;
	struct stored_text stored;
	struct chunk *chunks;
	size_t n_chunks;
};

/* Attention for each section's tokens. */
struct heat {
	double of[N_SECTIONS];
};

/* How many of the documents and of the right answers were as they should be. */
struct score {
	size_t n_documents, n_right, n_asked;
	size_t n_read_gibberish, n_read_strange; /* questions for which it was read again */
	size_t n_most_read; /* answers whose section is in the highest tenth of what was read again */
	size_t n_top, n_first; /* answers whose section is in the highest tenth, and first */
	size_t n_low_gibberish, n_low_strange; /* documents, by the sum over all questions */
	size_t n_least_gibberish,
		n_least_strange; /* likewise, of what questions look at more than they usually do */
};

static bool is_long(void)
{
	return getenv("SKIMD_TEST_LONG") != NULL;
}

static struct buf read_data(const char *name)
{
	const char *top = getenv("abs_top_srcdir");
	struct buf ret = { 0 };
	struct path path;
	struct err err = { "" };

	snprintf(path.text, sizeof(path.text), "%s/tests/data/%s", top == NULL ? "." : top, name);
	desk_expect(file_read(path.text, 1 << 20, &ret, &err), &err);
	return ret;
}

static void put_gibberish(struct buf *text, uint64_t seed)
{
	size_t end;

	buf_puts(text, "## Qxvtr wopzl\n\n");
	for (end = text->n + GIBBERISH_BYTES; text->n < end;) {
		for (size_t n = 2 + draw(&seed) % 8; n > 0; n--)
			buf_printf(text, "%c", (int)('a' + draw(&seed) % 26));
		buf_puts(text, draw(&seed) % 9 == 0 ? ". " : " ");
	}
	buf_puts(text, "\n\n");
}

/* The section from `at` on, which ends where the next one begins. */
static size_t section_bytes(const char *at)
{
	const char *next = strstr(at + 1, "\n## ");

	return next == NULL ? strlen(at) : (size_t)(next + 1 - at);
}

static const char *find_section(const char *text, size_t number)
{
	const char *at = text[0] == '#' && text[1] == '#' ? text : strstr(text, "\n## ") + 1;

	for (size_t i = 0; i < number; i++)
		at += section_bytes(at);
	return at;
}

static void put_section(struct planted *planted, size_t *n, const char *at)
{
	planted->starts[(*n)++] = planted->text.n;
	buf_append(&planted->text, at, section_bytes(at));
}

/* The handbook with the two sections somewhere behind its first one. */
static void make_text(struct planted *planted, size_t number)
{
	struct buf book = read_data(HANDBOOK), strange = read_data("handbook/strange.md");
	const char *at = find_section(book.data, 0);
	size_t n = 0, n_own = N_SECTIONS - 2;

	buf_append(&planted->text, book.data, (size_t)(at - book.data));
	for (size_t i = 0; i < n_own; i++, at += section_bytes(at)) {
		if (i == 1 + (number * 7 + 3) % (n_own - 1)) {
			planted->gibberish = n;
			planted->starts[n++] = planted->text.n;
			put_gibberish(&planted->text, number);
		}
		if (i == 1 + (number * 5 + 9) % (n_own - 1)) {
			planted->strange = n;
			put_section(planted, &n, find_section(strange.data, number));
		}
		put_section(planted, &n, at);
	}
	assert_int_equal(n, N_SECTIONS);
	planted->starts[n] = planted->text.n;
	buf_done(&book);
	buf_done(&strange);
}

static void planted_init(struct planted *planted, struct desk *desk, size_t number)
{
	struct err err = { "" };
	char name[32];

	*planted = (struct planted){ .desk = desk };
	make_text(planted, number);
	snprintf(name, sizeof(name), "handbook%zu.md", number);
	planted->id = desk_read(desk, name, &planted->text);
	desk_expect(stored_text_load(desk->store, planted->id, &planted->stored, &err), &err);
	desk_expect(
		summary_cut(desk->reader, &planted->stored.view, &planted->chunks, &planted->n_chunks, &err),
		&err);
	assert_int_equal(planted->n_chunks, 1);
}

static void planted_done(struct planted *planted)
{
	free(planted->chunks);
	stored_text_done(&planted->stored);
	buf_done(&planted->text);
}

/* Bytes that [a, b) and a section share. */
static double shared(const struct planted *planted, size_t section, int64_t a, int64_t b)
{
	int64_t start = (int64_t)planted->starts[section], end = (int64_t)planted->starts[section + 1];

	a = a > start ? a : start;
	b = b < end ? b : end;
	return b > a ? (double)(b - a) : 0;
}

/* Each section gets its share of the parts' masses and tokens. */
static void add_look(const struct planted *planted, const struct look *look, double *mass, double *n_tokens)
{
	int64_t at = look->byte_start;

	for (size_t i = 0; i < look->n_parts; at += look->parts[i++].length) {
		const struct look_part *part = &look->parts[i];

		for (size_t j = 0; j < N_SECTIONS; j++) {
			double share = shared(planted, j, at, at + part->length) / (double)part->length;

			mass[j] += share * (double)part->mass;
			n_tokens[j] += share * (double)part->n_tokens;
		}
	}
}

static struct heat heat_of(const struct planted *planted, const struct look *look)
{
	double n_tokens[N_SECTIONS] = { 0 };
	struct heat ret = { { 0 } };

	add_look(planted, look, ret.of, n_tokens);
	for (size_t j = 0; j < N_SECTIONS; j++)
		ret.of[j] /= n_tokens[j];
	return ret;
}

/* What the words of an answer look at behind the whole text, as when they are compared. */
static struct heat look_behind(const struct planted *planted, const char *question, const char *answer)
{
	const struct chunk *chunk = planted->chunks;
	struct looks looks = { 0 };
	struct audit_notes notes = { .view = &planted->stored.view,
		                     .view_start = chunk->start,
		                     .looks = &looks };
	const struct reader_audit audit = { &notes, READER_CHECK_NONE, audit_see };
	const struct reader_task task = { TASK_QUESTION, .question = question, .given = answer,
		                          .look = true };
	const struct reader_hooks hooks = { 0 };
	struct reader_result result;
	struct usage usage = { 0 };
	struct err err = { "" };
	struct heat ret;

	reader_set_audit(planted->desk->reader, &audit);
	desk_expect(reader_read(planted->desk->reader, planted->stored.view.text + chunk->start,
	                        chunk->end - chunk->start, &task, 1, &result, &usage, &hooks, &err),
	            &err);
	reader_set_audit(planted->desk->reader, NULL);
	assert_int_equal(looks.n, 1);
	ret = heat_of(planted, &looks.items[0]);
	reader_result_done(&result);
	looks_done(&looks);
	return ret;
}

static size_t n_hotter(const struct heat *heat, size_t section)
{
	size_t n = 0;

	for (size_t i = 0; i < N_SECTIONS; i++)
		n += heat->of[i] > heat->of[section];
	return n;
}

static size_t n_colder(const struct heat *heat, size_t section)
{
	size_t n = 0;

	for (size_t i = 0; i < N_SECTIONS; i++)
		n += heat->of[i] < heat->of[section];
	return n;
}

static size_t section_at(const struct planted *planted, int64_t at)
{
	size_t i = 0;

	while (planted->starts[i + 1] <= (size_t)at)
		i++;
	return i;
}

/* One holds the other, whatever the case of their letters. */
static bool is_right(const struct question *question, const char *expected)
{
	return question->found && (strcasestr(question->answer.text, expected) != NULL ||
	                           strcasestr(expected, question->answer.text) != NULL);
}

/* What was read again for the question, as masses of the sections: the rest has none. */
static struct heat reached_for(const struct planted *planted, int64_t question_id)
{
	double n_tokens[N_SECTIONS] = { 0 };
	struct heat ret = { { 0 } };
	struct audit audit = { 0 };
	struct err err = { "" };

	desk_expect(docstore_load_audit(planted->desk->store, planted->id, &audit, &err), &err);
	for (size_t i = 0; i < audit.looks.n; i++) {
		const struct look *look = &audit.looks.items[i];

		if (look->question_id != question_id)
			continue;
		for (size_t j = 0; j < look->n_parts; j++)
			assert_int_equal(look->parts[j].chosen, LOOK_CHOSEN); /* a passage is read whole */
		add_look(planted, look, ret.of, n_tokens);
	}
	audit_done(&audit);
	return ret;
}

/* The document is asked, and its right answers are put behind the whole text. */
static void score_question(const struct planted *planted, size_t number, struct score *score)
{
	const struct handbook_question *asked = &HANDBOOK_QUESTIONS[number];
	struct question question = desk_ask(planted->desk, planted->id, asked->text);
	struct heat reached = reached_for(planted, question.id);

	score->n_asked++;
	score->n_read_gibberish += reached.of[planted->gibberish] > 0;
	score->n_read_strange += reached.of[planted->strange] > 0;
	if (is_right(&question, asked->answer)) {
		struct heat heat = look_behind(planted, asked->text, question.answer.text);
		size_t section = section_at(planted, question.answer.evidence->byte_start);

		score->n_right++;
		score->n_most_read += n_hotter(&reached, section) < TENTH;
		score->n_top += n_hotter(&heat, section) < TENTH;
		score->n_first += n_hotter(&heat, section) == 0;
	}
	question_done(&question);
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median_of(const struct heat *heats, size_t n, size_t section)
{
	double values[N_QUESTIONS];

	for (size_t i = 0; i < n; i++)
		values[i] = heats[i].of[section];
	qsort(values, n, sizeof(*values), by_value);
	return values[n / 2];
}

/* All questions' looks together; and what each of them looks at more than half of them do. */
static void score_document(const struct planted *planted, struct score *score)
{
	struct heat heats[N_QUESTIONS], sum = { { 0 } }, excess = { { 0 } };

	for (size_t i = 0; i < N_QUESTIONS; i++)
		heats[i] = look_behind(planted, HANDBOOK_QUESTIONS[i].text, HANDBOOK_QUESTIONS[i].answer);
	for (size_t j = 0; j < N_SECTIONS; j++) {
		for (size_t i = 0; i < N_QUESTIONS; i++)
			sum.of[j] += heats[i].of[j];
		excess.of[j] = sum.of[j] - (double)N_QUESTIONS * median_of(heats, N_QUESTIONS, j);
	}
	score->n_documents++;
	score->n_low_gibberish += n_colder(&sum, planted->gibberish) < TENTH;
	score->n_low_strange += n_colder(&sum, planted->strange) < TENTH;
	score->n_least_gibberish += n_colder(&excess, planted->gibberish) < TENTH;
	score->n_least_strange += n_colder(&excess, planted->strange) < TENTH;
	printf("# gibberish in place %zu: %zu sections are looked at less, %zu less beyond the usual; off "
	       "the topic "
	       "in place %zu: %zu, %zu\n",
	       planted->gibberish, n_colder(&sum, planted->gibberish), n_colder(&excess, planted->gibberish),
	       planted->strange, n_colder(&sum, planted->strange), n_colder(&excess, planted->strange));
}

static void tell(const struct score *score)
{
	printf("# %zu questions, %zu answered rightly: of what was read again their sections are in the "
	       "highest "
	       "tenth for %zu; behind the whole text for %zu, first for %zu; read again was gibberish for "
	       "%zu, "
	       "what is off the topic for %zu\n",
	       score->n_asked, score->n_right, score->n_most_read, score->n_top, score->n_first,
	       score->n_read_gibberish, score->n_read_strange);
	if (score->n_documents > 0)
		printf("# %zu documents: over all questions gibberish is in the lowest tenth in %zu, what is "
		       "off "
		       "the topic in %zu; beyond the usual in %zu and %zu\n",
		       score->n_documents, score->n_low_gibberish, score->n_low_strange,
		       score->n_least_gibberish, score->n_least_strange);
	fflush(stdout);
}

static void an_answers_section_is_looked_at_most_and_planted_ones_least(void **state)
{
	size_t n_documents = is_long() ? N_DOCUMENTS : 1, n_most = tests_are_short() ? 2 : N_QUESTIONS;
	struct score score = { 0 };
	struct desk desk;

	(void)state;
	desk_open(&desk, NULL);
	for (size_t d = 0; d < n_documents; d++) {
		struct planted planted;

		planted_init(&planted, &desk, d);
		for (size_t i = d; i < N_QUESTIONS && score.n_asked < n_most; i += N_DOCUMENTS)
			score_question(&planted, i, &score);
		if (!tests_are_short())
			score_document(&planted, &score);
		planted_done(&planted);
	}
	desk_close(&desk);
	tell(&score);
	assert_true(score.n_right * 2 > score.n_asked);
	assert_true(score.n_most_read * 10 >= score.n_right * 8);
	assert_true(score.n_top * 10 >= score.n_right * 8);
	assert_int_equal(score.n_read_gibberish, 0);
	assert_int_equal(score.n_least_gibberish, score.n_documents);
	assert_int_equal(score.n_least_strange, score.n_documents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answers_section_is_looked_at_most_and_planted_ones_least),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
