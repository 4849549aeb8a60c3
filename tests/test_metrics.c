#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/metrics.h"

static struct metrics example(void)
{
	return (struct metrics){
		.model = "na\"no\\\n",
		.fingerprint = "0123456789abcdef0123456789abcdef",
		.documents = { 7, 1, 12345, 2, 3, 4 },
		.waiting_seconds = 61,
		.n_unsettled = 5,
		.worker = { .busy = true,
		            .n_done = 10,
		            .n_tokens = 100,
		            .n_documents = 9,
		            .n_steps = 11,
		            .usage = { .computed_tokens = 64, .reused_tokens = 960, .generated_tokens = 8 } },
		.kv = { .blocks = 3,
		        .bytes = 1u << 30,
		        .file_bytes = (uint64_t)5 << 30,
		        .hits = 15,
		        .misses = 1,
		        .damaged = 2,
		        .evicted = 4 },
	};
}

static char *text_of(const struct metrics *metrics)
{
	struct buf text = { 0 };
	char *ret;

	metrics_print(metrics, &text);
	ret = buf_take(&text);
	assert_non_null(ret);
	return ret;
}

static void assert_has(const char *text, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (strstr(text, whole) == NULL)
		fail_msg("no line '%s' in:\n%s", line, text);
}

static void all_figures_are_there(void **state)
{
	static const char *const LINES[] = {
		"skimd_documents{state=\"queued\"} 7",
		"skimd_documents{state=\"reading\"} 1",
		"skimd_documents{state=\"done\"} 12345",
		"skimd_documents{state=\"failed\"} 2",
		"skimd_documents{state=\"ignored\"} 3",
		"skimd_documents{state=\"gone\"} 4",
		"skimd_queue_age_seconds 61",
		"skimd_unsettled_files 5",
		"skimd_worker_busy 1",
		"skimd_worker_failed 0",
		"skimd_worker_document_tokens 100",
		"skimd_worker_document_tokens_done 10",
		"skimd_worker_steps_total 11",
		"skimd_documents_ended_total 9",
		"skimd_tokens_computed_total 64",
		"skimd_tokens_reused_total 960",
		"skimd_tokens_generated_total 8",
		"skimd_cache_file_bytes 5368709120",
		"skimd_cache_bytes 1073741824",
		"skimd_cache_blocks 3",
		"skimd_cache_hits_total 15",
		"skimd_cache_misses_total 1",
		"skimd_cache_damaged_total 2",
		"skimd_cache_evicted_total 4",
	};
	const struct metrics metrics = example();
	char *text = text_of(&metrics);

	(void)state;
	for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++)
		assert_has(text, LINES[i]);
	free(text);
}

static void a_label_is_escaped(void **state)
{
	const struct metrics metrics = example();
	char *text = text_of(&metrics);

	(void)state;
	assert_has(text, "skimd_info{version=\"" PACKAGE_VERSION "\",model=\"na\\\"no\\\\\\n\","
	                 "fingerprint=\"0123456789abcdef\"} 1");
	free(text);
}

/* Each line is a HELP, then a TYPE, then samples of the name that both had; no name comes twice. */
static void the_format_is_that_of_prometheus(void **state)
{
	static const char *const KINDS[] = { "^# HELP (skimd_[a-z_]+) [A-Z0-9][^\n]*\\.$",
		                             "^# TYPE (skimd_[a-z_]+) (gauge|counter)$",
		                             "^(skimd_[a-z_]+)(\\{[^\n]*\\})? [0-9]+$" };
	const struct metrics metrics = example();
	char *text = text_of(&metrics), *rest = text, names[64][64] = { "" };
	size_t n_names = 0, n = strlen(text);
	int last = 2;

	(void)state;
	assert_int_equal(text[n - 1], '\n');
	for (char *line = strsep(&rest, "\n"); *line != '\0'; line = strsep(&rest, "\n")) {
		regmatch_t match[2];
		regex_t regex;
		int kind = 0;

		for (;; kind++) {
			int r;

			if (kind == 3)
				fail_msg("neither help, type nor sample: '%s'", line);
			assert_int_equal(regcomp(&regex, KINDS[kind], REG_EXTENDED), 0);
			r = regexec(&regex, line, 2, match, 0);
			regfree(&regex);
			if (r == 0)
				break;
		}
		line[match[1].rm_eo] = '\0';
		assert_true(kind == (last + 1) % 3 || (kind == 2 && last == 2));
		if (kind == 0) {
			for (size_t i = 0; i < n_names; i++)
				assert_string_not_equal(names[i], line + match[1].rm_so);
			assert_true(n_names < 64 && strlen(line + match[1].rm_so) < 64);
			memcpy(names[n_names++], line + match[1].rm_so, strlen(line + match[1].rm_so) + 1);
		}
		assert_string_equal(names[n_names - 1], line + match[1].rm_so);
		last = kind;
	}
	assert_null(rest);
	free(text);
}

static void with_nothing_done_every_figure_is_there_and_0(void **state)
{
	const struct metrics metrics = { .model = "nano", .fingerprint = "" };
	char *text = text_of(&metrics);

	(void)state;
	assert_has(text, "skimd_documents{state=\"done\"} 0");
	assert_has(text, "skimd_queue_age_seconds 0");
	assert_has(text, "skimd_cache_file_bytes 0");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_figures_are_there),
		cmocka_unit_test(a_label_is_escaped),
		cmocka_unit_test(the_format_is_that_of_prometheus),
		cmocka_unit_test(with_nothing_done_every_figure_is_there_and_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
