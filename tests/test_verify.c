/* Reference logits: what the Hugging Face classes computed for the small checkpoints, and what the training code did
 * for the default model. And that a golden.json which is wrong in one value is found out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>

#include "model/verify.h"
#include "tests/fixture.h"

#define SHORT_PROMPT 100

static bool has_family(const char *kernels)
{
	__builtin_cpu_init();
	return strcmp(kernels, "plain") == 0 ||
	       (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
}

static struct verify_report run(const struct verify_settings *settings)
{
	struct verify_report report;
	struct err err;

	if (verify_run(settings, &report, &err) < 0)
		fail_msg("%s", err.text);
	return report;
}

/* The passing report. */
static struct verify_report pass(const struct verify_settings *settings)
{
	struct verify_report report = run(settings);
	struct err why = { "" };

	if (!verify_passes(&report, settings->engine.numerics, &why))
		fail_msg("%s, kernels %s, %s, %zu rows a pass: %s", settings->engine.dir,
		         settings->engine.kernels,
		         settings->engine.mla_form == MLA_NAIVE ? "naive" : "absorbed",
		         settings->engine.prefill_rows, why.text);
	return report;
}

/* Indexers that score by themselves, by fixture: what topk in its golden.json has a list for. */
static size_t n_indexers(const char *fixture)
{
	return strcmp(fixture, "glm-dsa-shared") == 0 ? 2 : 3;
}

/* At any size of passes, with the same bits. */
static void check_fixture(const char *fixture, enum mla_form form, const char *kernels)
{
	static const size_t ROWS[] = { 1, 64, 7, 0 };
	struct path dir = fixture_path(fixture);
	double error = -1;

	for (size_t i = tests_are_short() ? 2 : 0; i < COUNT(ROWS); i++) {
		struct verify_settings settings = { .engine = { .dir = dir.text,
			                                        .numerics = NUMERICS_STRICT,
			                                        .mla_form = form,
			                                        .n_threads = 2,
			                                        .prefill_rows = ROWS[i],
			                                        .kernels = kernels } };
		struct verify_report report = pass(&settings);

		assert_true(report.n_positions >= 48);
		assert_int_equal(report.n_sets, report.n_positions * n_indexers(fixture));
		assert_true(report.largest_logit > 0.1);
		assert_int_equal(report.n_sets_equal, report.n_sets);
		assert_true(error < 0 || report.largest_error == error);
		error = report.largest_error;
	}
}

static void check_fixtures(enum mla_form form)
{
	static const char *const KERNELS[] = { "plain", "avx2" };

	for (size_t k = 0; k < COUNT(KERNELS); k++) {
		for (size_t i = 0; has_family(KERNELS[k]) && i < COUNT(FIXTURES); i++) {
			if (!tests_are_short() || i % 2 == k)
				check_fixture(FIXTURES[i], form, KERNELS[k]);
		}
	}
}

static void strict_numerics_give_the_reference_logits_and_sets(void **state)
{
	(void)state;
	check_fixtures(MLA_ABSORBED);
}

static void the_naive_form_gives_them_too(void **state)
{
	(void)state;
	check_fixtures(MLA_NAIVE);
}

/* With random weights a cache in bf16 changes choices of the indexers, so that no bar holds here as it does below. */
static void production_numerics_are_other_numerics(void **state)
{
	struct path dir = fixture_path("v32-bf16");
	struct verify_settings settings = { .engine = { .dir = dir.text, .n_threads = 2 } };
	struct verify_report production = run(&settings), strict;

	(void)state;
	settings.engine.numerics = NUMERICS_STRICT;
	strict = run(&settings);
	assert_true(production.largest_error > 10 * strict.largest_error);
	assert_true(production.n_sets_equal < production.n_sets);
	assert_true(production.n_sets_equal > production.n_sets / 2);
}

static const char *const NUMERICS_NAMES[] = { "production", "strict", "int8" };

static void check_nano(enum numerics numerics, enum mla_form form, const char *kernels, size_t max_prompt)
{
	struct path dir = fixture_path("nano");
	struct verify_settings settings = { .engine = { .dir = dir.text,
		                                        .numerics = numerics,
		                                        .mla_form = form,
		                                        .n_threads = 2,
		                                        .kernels = kernels },
		                            .max_prompt = max_prompt };
	struct verify_report report;

	if (!has_family(kernels))
		return;
	report = pass(&settings);
	assert_int_equal(report.n_texts, 27);
	assert_int_equal(report.n_texts_equal, 27);
	assert_int_equal(report.n_argmax, report.n_positions);
	assert_true((double)report.n_argmax_equal >=
	            (numerics == NUMERICS_STRICT ? 0.995 : 0.98) * (double)report.n_argmax);
	assert_true(report.largest_loss_error <= (numerics == NUMERICS_STRICT ? 0.005 : 0.01));
	print_message("# nano, %s, %s: arg-max equal at %zu of %zu, loss within %.4f %%\n",
	              NUMERICS_NAMES[numerics], kernels, report.n_argmax_equal, report.n_argmax,
	              100 * report.largest_loss_error);
}

static const char *best_kernels(void)
{
	return has_family("avx2") ? "avx2" : "plain";
}

static void the_default_model_says_what_it_said_in_training(void **state)
{
	(void)state;
	check_nano(NUMERICS_STRICT, MLA_AUTO, best_kernels(), tests_are_short() ? SHORT_PROMPT : 0);
}

static void so_it_does_in_production_numerics(void **state)
{
	(void)state;
	check_nano(NUMERICS_PRODUCTION, MLA_AUTO, best_kernels(), tests_are_short() ? SHORT_PROMPT : 4000);
}

/* What the option may cost. The short tests' prompts are too few for the mean, but one is beyond index_topk. */
static void weights_of_8_bits_cost_less_than_a_thousandth_of_the_loss(void **state)
{
	(void)state;
	check_nano(NUMERICS_INT8, MLA_AUTO, best_kernels(), tests_are_short() ? 1000 : 4000);
}

/* Beyond index_topk (512) only with the prompt of 711 tokens. */
static void so_it_does_with_either_form_and_family(void **state)
{
	const size_t max_prompt = tests_are_short() ? SHORT_PROMPT : 1000;

	(void)state;
	check_nano(NUMERICS_STRICT, MLA_NAIVE, best_kernels(), max_prompt);
	check_nano(NUMERICS_STRICT, MLA_ABSORBED, best_kernels(), max_prompt);
	check_nano(NUMERICS_PRODUCTION, MLA_ABSORBED, "plain", max_prompt);
}

/* A copy of a fixture's golden.json, changed, must not pass; words: why not. Unchanged (change is NULL) it does. */
static void check_changed(const char *fixture, void (*change)(json_t *golden), const char *words)
{
	struct path dir = fixture_path(fixture), folder = folder_make(),
		    path = path_of(&folder, "golden.json");
	struct verify_settings settings = {
		.engine = { .dir = dir.text, .numerics = NUMERICS_STRICT, .n_threads = 2 },
		.golden = path.text,
		.max_prompt = SHORT_PROMPT
	};
	json_t *golden = folder_read_json(&dir, "golden.json");
	struct verify_report report;
	struct err why = { "" };

	if (change != NULL)
		change(golden);
	folder_write_json(&folder, "golden.json", golden);
	report = run(&settings);
	assert_int_equal(verify_passes(&report, NUMERICS_STRICT, &why), change == NULL);
	if (strstr(why.text, words) == NULL)
		fail_msg("'%s' is not in '%s'", words, why.text);
	folder_remove(&folder);
}

static json_t *at(json_t *list, size_t i)
{
	json_t *ret = json_array_get(list, i);

	assert_non_null(ret);
	return ret;
}

/* The largest logit moved by a fiftieth of itself. */
static void change_a_logit(json_t *golden)
{
	json_t *logits = at(json_object_get(golden, "logits"), 30);
	size_t most = 0;

	for (size_t i = 1; i < json_array_size(logits); i++) {
		if (fabs(json_number_value(at(logits, i))) > fabs(json_number_value(at(logits, most))))
			most = i;
	}
	json_array_set_new(logits, most, json_real(json_number_value(at(logits, most)) * 1.02));
}

static void change_a_member(json_t *golden)
{
	json_t *rows = at(at(json_object_get(golden, "topk"), 1), 40);
	json_int_t last = json_integer_value(at(rows, 15));

	assert_int_equal(json_array_size(rows), 16);
	json_array_set_new(rows, 15, json_integer(last == 40 ? 41 : last + 1));
}

static void drop_a_member(json_t *golden)
{
	json_array_remove(at(at(json_object_get(golden, "topk"), 0), 20), 3);
}

static void change_an_id(json_t *golden)
{
	json_t *ids = json_object_get(golden, "ids");

	json_array_set_new(ids, 10, json_integer((json_integer_value(at(ids, 10)) + 1) % 96));
}

static void leave_out_a_number(json_t *golden)
{
	json_array_set_new(at(json_object_get(golden, "logits"), 3), 5, json_null());
}

static void one_wrong_value_is_found_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(FIXTURES); i += tests_are_short() ? 4 : 1) {
		check_changed(FIXTURES[i], NULL, "");
		check_changed(FIXTURES[i], change_a_logit, "a logit is off by");
		check_changed(FIXTURES[i], change_a_member, "1 selected sets of");
		check_changed(FIXTURES[i], drop_a_member, "1 selected sets of");
		check_changed(FIXTURES[i], change_an_id, "");
	}
	check_changed("v32-plain", leave_out_a_number, "a logit is off by");
}

static json_t *prompt(json_t *golden)
{
	return at(json_object_get(golden, "prompts"), 0);
}

static void change_the_loss(json_t *golden)
{
	double loss = json_number_value(json_object_get(prompt(golden), "loss"));

	json_object_set_new(prompt(golden), "loss", json_real(loss * 1.01));
}

static void change_an_argmax(json_t *golden)
{
	json_t *argmax = json_object_get(prompt(golden), "argmax");

	json_array_set_new(argmax, 5, json_integer(json_integer_value(at(argmax, 5)) ^ 1));
}

static void change_a_text_s_id(json_t *golden)
{
	json_t *ids = json_object_get(at(json_object_get(golden, "tokenizer"), 4), "ids");

	json_array_set_new(ids, 0, json_integer(json_integer_value(at(ids, 0)) + 1));
}

/* Its loss is 0 / 0, and no good loss behind it may make that forgotten. */
static void add_a_prompt_of_one_token(json_t *golden)
{
	json_array_insert_new(json_object_get(golden, "prompts"), 0,
	                      json_pack("{s[i]sf}", "ids", 1, "loss", 1.0));
}

static void one_wrong_value_of_the_default_model_is_found_out(void **state)
{
	(void)state;
	check_changed("nano", NULL, "");
	check_changed("nano", change_the_loss, "the loss is off by");
	if (tests_are_short())
		return;
	check_changed("nano", add_a_prompt_of_one_token, "the loss is off by");
	check_changed("nano", change_an_argmax, "arg-max is equal at 69 positions of 70");
	check_changed("nano", change_a_text_s_id, "token ids of 1 texts of 27 differ");
}

static void a_golden_json_that_does_not_fit_is_refused(void **state)
{
	static const char *const FILES[][2] = {
		{ "{}", "neither logits nor prompts" },
		{ "{\"ids\":[1,2],\"logits\":[[1,2]]}", "its lists do not fit a sequence of 2 tokens of 96" },
		{ "{\"ids\":[1],\"logits\":[[1,2]]}", "its lists do not fit a sequence of 1 tokens of 96" },
		{ "{\"ids\":[],\"logits\":[]}", "its lists do not fit a sequence of 0 tokens of 96" },
		{ "{\"prompts\":[{\"ids\":[1,2],\"argmax\":[1]}]}", "its lists do not fit" },
		{ "{\"prompts\":[{\"ids\":[1],\"last_logits\":[1]}]}", "its lists do not fit" },
		{ "{\"prompts\":[],\"tokenizer\":[{\"text\":\"a\",\"ids\":[1]}]}",
		  "there is no tokenizer.json" },
		{ "{\"ids\":[", "not valid JSON" },
	};
	struct path dir = fixture_path("v32-plain"), folder = folder_make(),
		    path = path_of(&folder, "golden.json");
	struct verify_settings settings = { .engine = { .dir = dir.text, .n_threads = 1 },
		                            .golden = path.text };
	struct verify_report report;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(FILES); i++) {
		folder_write(&folder, "golden.json", FILES[i][0], strlen(FILES[i][0]));
		assert_int_equal(verify_run(&settings, &report, &err), -EBADMSG);
		if (strstr(err.text, FILES[i][1]) == NULL)
			fail_msg("'%s' is not in '%s'", FILES[i][1], err.text);
	}
	folder_remove(&folder);
	settings.golden = NULL;
	dir = fixture_path("tiny");
	assert_int_equal(verify_run(&settings, &report, &err), -ENOENT);
}

static void nothing_compared_and_not_a_number_do_not_pass(void **state)
{
	struct verify_report good = { .n_positions = 10, .largest_logit = 1, .largest_error = 1e-5 },
			     report = good;
	struct err why;

	(void)state;
	assert_true(verify_passes(&report, NUMERICS_STRICT, &why));
	report.n_positions = 0;
	assert_false(verify_passes(&report, NUMERICS_STRICT, &why));
	assert_string_equal(why.text, "nothing was compared");
	report = good;
	report.largest_error = NAN;
	assert_false(verify_passes(&report, NUMERICS_PRODUCTION, &why));
	report = good;
	report.largest_loss_error = NAN;
	assert_false(verify_passes(&report, NUMERICS_PRODUCTION, &why));
	report = good;
	report.n_sets = 3;
	report.n_sets_equal = 2;
	assert_false(verify_passes(&report, NUMERICS_STRICT, &why));
	assert_string_equal(why.text, "1 selected sets of 3 differ");
	assert_true(verify_passes(&report, NUMERICS_PRODUCTION, &why));
	report.n_texts = 1;
	assert_false(verify_passes(&report, NUMERICS_PRODUCTION, &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strict_numerics_give_the_reference_logits_and_sets),
		cmocka_unit_test(the_naive_form_gives_them_too),
		cmocka_unit_test(production_numerics_are_other_numerics),
		cmocka_unit_test(the_default_model_says_what_it_said_in_training),
		cmocka_unit_test(so_it_does_in_production_numerics),
		cmocka_unit_test(weights_of_8_bits_cost_less_than_a_thousandth_of_the_loss),
		cmocka_unit_test(so_it_does_with_either_form_and_family),
		cmocka_unit_test(one_wrong_value_is_found_out),
		cmocka_unit_test(one_wrong_value_of_the_default_model_is_found_out),
		cmocka_unit_test(a_golden_json_that_does_not_fit_is_refused),
		cmocka_unit_test(nothing_compared_and_not_a_number_do_not_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
