/* An indexer that does not do its work shows in dense_check, each kind by its figure; a sound one is not warned of. With
 * model/nano, whose choice is replaced behind its back, on the handbook of data/; with SKIMD_TEST_LONG (sabotage.long) also on
 * longer texts, up to the whole manual, and all of the handbook's questions. It prints what stands in skimd-audit(7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <math.h>

#include "pipeline/extract.h"
#include "tests/desk.h"
#include "tests/handbook.h"

#define FROZEN_LAYER 4
#define MAX_CHECKS 256

/* Any n of the positions, the same ones each time. */
static void choose_by_lot(void *user, uint32_t layer, size_t pos, uint32_t *positions, size_t n)
{
	uint64_t seed = layer * 1000003u + pos;
	size_t n_chosen = 0;

	(void)user;
	for (size_t i = 0; i <= pos && n_chosen < n; i++) {
		if (draw(&seed) % (pos + 1 - i) < n - n_chosen)
			positions[n_chosen++] = (uint32_t)i;
	}
}

/* What it chooses first, when there is something to choose, is all that is there but for one. */
static void freeze_one_layer(void *user, uint32_t layer, size_t pos, uint32_t *positions, size_t n)
{
	(void)user;
	(void)pos;
	for (size_t i = 0; layer == FROZEN_LAYER && i < n; i++)
		positions[i] = (uint32_t)i;
}

static void choose_newest(void *user, uint32_t layer, size_t pos, uint32_t *positions, size_t n)
{
	(void)user;
	(void)layer;
	for (size_t i = 0; i < n; i++)
		positions[i] = (uint32_t)(pos + 1 - n + i);
}

static bool is_long(void)
{
	return getenv("SKIMD_TEST_LONG") != NULL;
}

/* The comparisons of all documents of a desk. */
struct found {
	struct dense_check
		checks[MAX_CHECKS]; /* without their lists but for layer_recall, whose layers are few */
	double recall[MAX_CHECKS][64];
	size_t n, n_warned;
	size_t n_parts, n_unread; /* looks at parts; those of which nothing was chosen */
};

static void add_looks(const struct looks *looks, struct found *ret)
{
	for (size_t i = 0; i < looks->n; i++) {
		const struct look *look = &looks->items[i];

		for (size_t j = 0; look->kind != LOOK_ANSWER && j < look->n_parts; j++) {
			ret->n_parts++;
			ret->n_unread += look->parts[j].chosen == 0;
		}
	}
}

static double share_unread(const struct found *found)
{
	return (double)found->n_unread / (double)found->n_parts;
}

static void add_checks(struct desk *desk, int64_t id, struct found *ret)
{
	struct audit audit = { 0 };
	struct err err = { "" };

	desk_expect(docstore_load_audit(desk->store, id, &audit, &err), &err);
	for (size_t i = 0; i < audit.checks.n; i++) {
		const struct dense_check *check = &audit.checks.items[i];

		if (check->chance == 1) /* nothing was left out */
			continue;
		assert_true(ret->n < MAX_CHECKS && check->n_layers <= COUNT(ret->recall[0]));
		memcpy(ret->recall[ret->n], check->layer_recall, check->n_layers * sizeof(double));
		ret->checks[ret->n] = *check;
		ret->checks[ret->n].layer_recall = ret->recall[ret->n];
		ret->n_warned += check->warned;
		ret->n++;
	}
	add_looks(&audit.looks, ret);
	audit_done(&audit);
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double quantile(const struct found *found, double (*value)(const struct dense_check *), double share)
{
	double values[MAX_CHECKS];

	for (size_t i = 0; i < found->n; i++)
		values[i] = value(&found->checks[i]);
	qsort(values, found->n, sizeof(*values), by_value);
	return values[(size_t)((double)(found->n - 1) * share + 0.5)];
}

static double skill_of(const struct dense_check *check)
{
	return check->skill;
}

static double recall_of(const struct dense_check *check)
{
	return check->mass_recall;
}

static double chance_of(const struct dense_check *check)
{
	return check->chance;
}

static double agreement(const struct found *found)
{
	double agree = 0, n = 0;

	for (size_t i = 0; i < found->n; i++) {
		agree += found->checks[i].agrees * (double)found->checks[i].tokens;
		n += (double)found->checks[i].tokens;
	}
	return agree / n;
}

static double change_of_score(const struct found *found)
{
	double sum = 0;

	for (size_t i = 0; i < found->n; i++)
		sum += fabs(found->checks[i].score_delta) / (double)found->n;
	return sum;
}

static void tell(const char *name, const struct found *found)
{
	size_t n_answers = 0;

	for (size_t i = 0; i < found->n; i++)
		n_answers += found->checks[i].kind == LOOK_ANSWER;
	printf("# %s: %zu comparisons, %zu of them answers, %zu warned of; skill %.2f (%.2f to %.2f); recall "
	       "%.1f %% "
	       "(%.1f to %.1f) where a lot has %.0f to %.0f %%; agrees %.1f %%; score %.3f; %.1f %% of parts "
	       "unread\n",
	       name, found->n, n_answers, found->n_warned, quantile(found, skill_of, 0.5),
	       quantile(found, skill_of, 0), quantile(found, skill_of, 1),
	       100 * quantile(found, recall_of, 0.5), 100 * quantile(found, recall_of, 0),
	       100 * quantile(found, recall_of, 1), 100 * quantile(found, chance_of, 0),
	       100 * quantile(found, chance_of, 1), 100 * agreement(found), change_of_score(found),
	       100 * share_unread(found));
	fflush(stdout);
}

/* A file of the source tree, behind what is there. */
static void append_file(struct buf *text, const char *name)
{
	const char *top = getenv("abs_top_srcdir");
	struct path path;
	struct err err = { "" };

	snprintf(path.text, sizeof(path.text), "%s/%s", top == NULL ? "." : top, name);
	desk_expect(file_read(path.text, SIZE_MAX / 4, text, &err), &err);
	buf_puts(text, "\n\n");
}

/* A manual page as the extractor reads it. */
static void append_page(struct buf *text, const char *name)
{
	const char *top = getenv("abs_top_srcdir");
	struct extracted extracted = { 0 };
	struct path path;
	struct err err = { "" };
	int fd;

	snprintf(path.text, sizeof(path.text), "%s/man/%s", top == NULL ? "." : top, name);
	fd = open(path.text, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	desk_expect(extract_file(fd, path.text, NULL, NULL, &extracted, &err), &err);
	close(fd);
	buf_append(text, extracted.text, extracted.n);
	buf_puts(text, "\n\n");
	extracted_done(&extracted);
}

/* A third of it, where tests are to be short. */
static struct buf handbook(void)
{
	struct buf ret = { 0 };

	append_file(&ret, "tests/data/" HANDBOOK);
	if (tests_are_short())
		ret.n = 4000;
	return ret;
}

static void ask_all(struct desk *desk, int64_t id, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct question question = desk_ask(desk, id, HANDBOOK_QUESTIONS[i].text);

		question_done(&question);
	}
}

static void read_handbook(struct desk *desk, struct found *ret)
{
	struct buf text = handbook();
	int64_t id = desk_read(desk, "handbook.md", &text);

	ask_all(desk, id, is_long() ? 20 : 1);
	desk_compare(desk);
	add_checks(desk, id, ret);
	buf_done(&text);
}

static void read_text(struct desk *desk, const char *name, const struct buf *text, struct found *ret)
{
	int64_t id = desk_read(desk, name, text);

	desk_compare(desk);
	add_checks(desk, id, ret);
}

/* Some 1,400, 4,000 and 50,000 tokens. */
static void read_long(struct desk *desk, struct found *ret)
{
	static const char *const FILES[] = { "bench/README.md", "model/train/README.md", "tests/README.md",
		                             "fuzz/README.md", "NEWS" };
	static const char *const PAGES[] = { "skimctl.1",    "skimd.8",         "skimd-db.5",
		                             "skimd.yaml.5", "skimd-control.7", "skimd-audit.7" };
	struct buf text = { 0 };

	append_file(&text, "CONTRIBUTING.md");
	read_text(desk, "short.md", &text, ret);
	buf_done(&text);
	append_file(&text, "README.md");
	read_text(desk, "longer.md", &text, ret);
	for (size_t i = 0; i < COUNT(FILES); i++)
		append_file(&text, FILES[i]);
	for (size_t i = 0; i < COUNT(PAGES); i++)
		append_page(&text, PAGES[i]);
	read_text(desk, "longest.md", &text, ret);
	buf_done(&text);
}

static struct found read_with(const char *name, desk_tamper tamper)
{
	struct found ret = { .n = 0 };
	struct desk desk;

	desk_open(&desk, tamper);
	read_handbook(&desk, &ret);
	if (is_long())
		read_long(&desk, &ret);
	desk_close(&desk);
	tell(name, &ret);
	assert_true(ret.n >= (is_long() ? 50 : 3));
	return ret;
}

static void a_sound_indexer_is_not_warned_of(void **state)
{
	struct found found = read_with("sound", NULL);

	(void)state;
	assert_int_equal(found.n_warned, 0);
	assert_true(agreement(&found) > 0.9);
}

/* As often as a lot has it: no layer is better than chance. */
static void a_choice_by_lot_has_no_skill(void **state)
{
	struct found found = read_with("by lot", choose_by_lot);

	(void)state;
	assert_int_equal(found.n_warned, found.n);
	assert_true(quantile(&found, skill_of, 1) < 0.1);
	for (size_t i = 0; i < found.n; i++)
		assert_true(fabs(found.checks[i].mass_recall - found.checks[i].chance) < 0.1);
}

static void one_frozen_layer_is_told_by_its_number(void **state)
{
	struct found found = read_with("layer frozen", freeze_one_layer);

	(void)state;
	assert_int_equal(found.n_warned, found.n);
	for (size_t i = 0; i < found.n; i++) {
		assert_int_equal(found.checks[i].worst_layer, FROZEN_LAYER);
		for (size_t layer = 0; layer < found.checks[i].n_layers; layer++)
			assert_true(layer == FROZEN_LAYER ||
			            found.checks[i].layer_recall[layer] >
			                    found.checks[i].layer_recall[FROZEN_LAYER]);
	}
}

static void the_newest_positions_alone_leave_the_rest_unread(void **state)
{
	struct found found = read_with("newest", choose_newest);

	(void)state;
	assert_true(found.n_warned >= found.n * 9 / 10);
	assert_true(share_unread(&found) > 0.3);
}

int main(void)
{
	const struct CMUnitTest few[] = {
		cmocka_unit_test(a_sound_indexer_is_not_warned_of),
		cmocka_unit_test(one_frozen_layer_is_told_by_its_number),
	};
	const struct CMUnitTest all[] = {
		cmocka_unit_test(a_sound_indexer_is_not_warned_of),
		cmocka_unit_test(a_choice_by_lot_has_no_skill),
		cmocka_unit_test(one_frozen_layer_is_told_by_its_number),
		cmocka_unit_test(the_newest_positions_alone_leave_the_rest_unread),
	};

	return tests_are_short() ? cmocka_run_group_tests(few, NULL, NULL)
	                         : cmocka_run_group_tests(all, NULL, NULL);
}
