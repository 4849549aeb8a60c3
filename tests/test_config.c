#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "daemon/config.h"
#include "daemon/ignore.h"
#include "daemon/units.h"
#include "tests/remove_tree.h"

/* A temporary folder with in/, in/sub/, in2/ and out/, in which skimd.yaml is written anew by every test. */
struct fixture {
	char folder[PATH_MAX];
	char path[PATH_MAX + 16];
	struct config *config;
	struct err err;
};

static struct fixture fixture;

static const char *at(const char *name)
{
	static char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", fixture.folder, name);
	return path;
}

static int setup(void **state)
{
	char template[] = "/tmp/test_config.XXXXXX";

	(void)state;
	memset(&fixture, 0, sizeof(fixture));
	assert_non_null(mkdtemp(template));
	assert_non_null(realpath(template, fixture.folder));
	snprintf(fixture.path, sizeof(fixture.path), "%s/skimd.yaml", fixture.folder);
	assert_int_equal(file_make_folders(at("in/sub"), 0700, NULL), 0);
	assert_int_equal(mkdir(at("in2"), 0700), 0);
	assert_int_equal(mkdir(at("out"), 0700), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	config_free(fixture.config);
	return remove_tree(fixture.folder);
}

static int read_bytes(const char *text, size_t n)
{
	assert_int_equal(file_replace(fixture.path, text, n, 0600, NULL), 0);
	config_free(fixture.config);
	fixture.config = NULL;
	return config_read(fixture.path, &fixture.config, &fixture.err);
}

static int read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

/* The error's words without the file's name; "@" in expected stands for the temporary folder. */
static void assert_words(const char *expected)
{
	struct buf whole = { 0 };

	buf_printf(&whole, "%s:", fixture.path);
	for (const char *p = expected; *p != '\0'; p++) {
		if (*p == '@')
			buf_puts(&whole, fixture.folder);
		else
			buf_append(&whole, p, 1);
	}
	assert_string_equal(fixture.err.text, whole.data);
	buf_done(&whole);
}

static void assert_refused(const char *text, const char *expected)
{
	assert_int_equal(read_text(text), -EINVAL);
	assert_words(expected);
}

static void assert_malformed(const char *text, const char *expected)
{
	assert_int_equal(read_text(text), -EBADMSG);
	assert_words(expected);
}

#define WATCH "watch:\n  - path: in\n    outbox: out\n" /* three lines */

static void defaults_stand_where_nothing_is_said(void **state)
{
	const struct config *config;

	(void)state;
	assert_int_equal(read_text(WATCH), 0);
	config = fixture.config;
	assert_int_equal(config->n_watch, 1);
	assert_string_equal(config->watch[0].path, at("in"));
	assert_string_equal(config->watch[0].outbox, at("out"));
	assert_true(config->watch[0].recursive);
	assert_true(config->watch[0].settle_ns == 5 * NS_PER_S);
	assert_true(config->watch[0].rescan_ns == 300 * NS_PER_S);
	assert_int_equal(config->watch[0].n_ignore, 0);
	assert_true(config->watch[0].markdown && config->watch[0].json);
	assert_string_equal(config->model.path, CONFIG_MODEL_NANO);
	assert_false(config->model.int8_weights);
	assert_int_equal(config->model.threads, 0);
	assert_int_equal(config->model.nice, 10);
	assert_false(config->model.int8_weights);
	assert_int_equal(config->watch[0].n_questions, 0);
	assert_string_equal(config->store.path, "/var/lib/skimd/skimd.db");
	assert_string_equal(config->store.inbox, "/var/lib/skimd/ask/inbox.db");
	assert_string_equal(config->kv.path, "/var/cache/skimd/kv.db");
	assert_true(config->kv.budget_bytes == UINT64_C(4294967296));
	assert_true(config->extract.max_bytes == UINT64_C(536870912));
	assert_int_equal(config->log.level, LOG_LEVEL_INFO);
	assert_int_equal(config->summary.length, SUMMARY_AUTO);
}

static void every_key_of_this_version_is_read(void **state)
{
	const struct config *config;

	(void)state;
	assert_int_equal(file_make_folders(at("models/big"), 0700, NULL), 0);
	assert_int_equal(
		read_text("watch:\n"
	                  "  - {path: in, outbox: new/box, recursive: false, settle: 250ms, rescan: '2h',\n"
	                  "     ignore: ['*.log', drafts], outputs: [json]}\n"
	                  "  - path: in2\n"
	                  "    outbox: out\n"
	                  "    outputs: []\n"
	                  "model: {path: models/big, engine: local, threads: 16, nice: 0, weights: int8, "
	                  "reread: false}\n"
	                  "store: {path: state/skimd.db}\n"
	                  "kv: {path: /elsewhere/kv.db, budget: 123, memory: 64M}\n"
	                  "extract: {max_bytes: 3K}\n"
	                  "control: {socket: run/control, group: adm}\n"
	                  "metrics: {file: skimd.prom, interval: 15s}\n"
	                  "summary: {length: long}\n"
	                  "log: {level: debug}\n"),
		0);
	config = fixture.config;
	assert_int_equal(config->n_watch, 2);
	assert_string_equal(config->watch[0].outbox, at("new/box"));
	assert_false(config->watch[0].recursive);
	assert_true(config->watch[0].settle_ns == 250 * NS_PER_MS);
	assert_true(config->watch[0].rescan_ns == 2 * NS_PER_H);
	assert_int_equal(config->watch[0].n_ignore, 2);
	assert_string_equal(config->watch[0].ignore[1], "drafts");
	assert_true(config->watch[0].json && !config->watch[0].markdown);
	assert_false(config->watch[1].json || config->watch[1].markdown);
	assert_string_equal(config->metrics.file, at("skimd.prom"));
	assert_true(config->metrics.interval_ns == 15 * NS_PER_S);
	assert_string_equal(config->model.path, at("models/big"));
	assert_int_equal(config->model.threads, 16);
	assert_int_equal(config->model.nice, 0);
	assert_true(config->model.int8_weights);
	assert_string_equal(config->store.path, at("state/skimd.db"));
	assert_string_equal(config->kv.path, "/elsewhere/kv.db");
	assert_true(config->kv.budget_bytes == 123);
	assert_true(config->kv.memory_bytes == 64 << 20);
	assert_true(config->extract.max_bytes == 3072);
	assert_string_equal(config->control.socket, at("run/control"));
	assert_string_equal(config->control.group, "adm");
	assert_int_equal(config->log.level, LOG_LEVEL_DEBUG);
	assert_int_equal(config->summary.length, SUMMARY_LONG);
}

static void without_a_file_there_are_defaults_and_nothing_to_watch(void **state)
{
	(void)state;
	assert_int_equal(config_default(&fixture.config, NULL), 0);
	assert_int_equal(fixture.config->n_watch, 0);
	assert_string_equal(fixture.config->model.path, "nano");
	assert_true(fixture.config->kv.budget_bytes == 4 * BYTES_PER_G);
}

static void a_missing_file_is_named(void **state)
{
	char expected[2 * PATH_MAX];

	(void)state;
	assert_int_equal(config_read(fixture.path, &fixture.config, &fixture.err), -ENOENT);
	snprintf(expected, sizeof(expected), "%s: cannot open: No such file or directory", fixture.path);
	assert_string_equal(fixture.err.text, expected);
	assert_null(fixture.config);
}

static void nothing_to_watch_is_an_error(void **state)
{
	(void)state;
	assert_refused("", "1: key 'watch': nothing to watch");
	assert_refused("# only words\n", "1: key 'watch': nothing to watch");
	assert_refused("log: {level: info}\n", "1: key 'watch': nothing to watch");
	assert_refused("log: {level: info}\nwatch: []\n", "2: key 'watch': nothing to watch");
}

static void unknown_keys_are_refused_at_every_level(void **state)
{
	(void)state;
	assert_refused(WATCH "wach: []\n", "4: key 'wach': is not a key of skimd");
	assert_refused(WATCH "    setle: 5s\n", "4: key 'watch[0].setle': is not a key of skimd");
	assert_refused(WATCH "model:\n  thread: 5\n", "5: key 'model.thread': is not a key of skimd");
	assert_refused(WATCH "kv: {path: x, budgets: 1}\n", "4: key 'kv.budgets': is not a key of skimd");
	assert_refused(WATCH "store:\n  Path: x\n", "5: key 'store.Path': is not a key of skimd");
}

static void the_control_socket_is_a_short_path_and_a_group(void **state)
{
	struct err err = { "" };
	struct config *config;
	char text[256], long_path[128];

	(void)state;
	assert_int_equal(config_default(&config, &err), 0);
	assert_string_equal(config->control.socket, "/run/skimd/control");
	assert_string_equal(config->control.group, "skimd");
	config_free(config);
	memset(long_path, 'p', 108);
	long_path[0] = '/';
	long_path[108] = '\0';
	snprintf(text, sizeof(text), WATCH "control: {socket: %s}\n", long_path);
	assert_refused(text, "4: key 'control.socket': is too long for the path of a socket");
	assert_refused(WATCH "control: {socket: []}\n", "4: key 'control.socket': must be a path");
	assert_refused(WATCH "control: {group: ''}\n", "4: key 'control.group': must be the name of a group");
	assert_refused(WATCH "control: {mode: 0660}\n", "4: key 'control.mode': is not a key of skimd");
}

static void an_audits_share_is_from_none_to_all(void **state)
{
	(void)state;
	assert_int_equal(read_text(WATCH "    outputs: [html]\naudit: {reading: false, dense_share: 1}\n"),
	                 0);
	assert_true(fixture.config->watch[0].html && !fixture.config->watch[0].json);
	assert_true(!fixture.config->audit.reading && fixture.config->audit.dense_share == 1);
	assert_int_equal(read_text(WATCH "audit: {dense_share: 0}\n"), 0);
	assert_true(fixture.config->audit.reading && fixture.config->audit.dense_share == 0);
	for (size_t i = 0; i < 8; i++) {
		static const char *const BAD[] = { "1.1", "-0.1", "nan", "inf", "'0.1'", "5%", "0x1", "[]" };
		char text[256];

		snprintf(text, sizeof(text), WATCH "audit: {dense_share: %s}\n", BAD[i]);
		assert_refused(text,
		               "4: key 'audit.dense_share': must be a number from 0 to 1, such as 0.05");
	}
}

static void keys_of_parts_to_come_are_refused_as_not_built(void **state)
{
	static const char *const KEYS[][2] = {
		{ "model: {url: 'http://x'}", "model.url" },
		{ "model: {api_key_file: x}", "model.api_key_file" },
		{ "model: {model: x}", "model.model" },
		{ "model: {concurrency: 2}", "model.concurrency" },
		{ "model: {prompts: {}}", "model.prompts" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
		char text[256], expected[256];

		snprintf(text, sizeof(text), WATCH "%s\n", KEYS[i][0]);
		snprintf(expected, sizeof(expected), "4: key '%s': is not built yet", KEYS[i][1]);
		assert_refused(text, expected);
	}
}

/* In a folder of programs that are none. */
static void make_programs(char *folder, const char *const *names)
{
	char path[64];

	assert_non_null(mkdtemp(folder));
	for (; *names != NULL; names++) {
		snprintf(path, sizeof(path), "%s/%s", folder, *names);
		assert_int_equal(symlink("/bin/true", path), 0);
	}
	assert_int_equal(setenv("SKIMD_PROGRAMS", folder, 1), 0);
}

static void ocr_is_refused_where_it_cannot_be(void **state)
{
	static const char *const DRAWS[] = { "pdftoppm", NULL }, *const READS[] = { "tesseract", NULL };
	char first[] = "/tmp/test_config.XXXXXX", second[] = "/tmp/test_config.XXXXXX";

	(void)state;
	assert_int_equal(setenv("SKIMD_PROGRAMS", "/nowhere", 1), 0);
	assert_int_equal(read_text(WATCH "extract: {ocr: false, ocr_languages: [deu]}\n"), 0);
	assert_string_equal(config_extract_limits(fixture.config).ocr_languages, "");
	assert_refused(WATCH "extract: {ocr: true}\n",
	               "4: key 'extract.ocr': needs pdftoppm (package poppler-utils)");
	make_programs(first, DRAWS);
	assert_refused(WATCH "extract: {ocr: true}\n",
	               "4: key 'extract.ocr': needs tesseract (package tesseract-ocr)");
	make_programs(second, READS);
	assert_refused(WATCH "extract: {ocr: true, ocr_languages: [qqq]}\n",
	               "4: key 'extract.ocr': needs tesseract's data of the language 'qqq' (package"
	               " tesseract-ocr-qqq)");
	unsetenv("SKIMD_PROGRAMS");
	remove_tree(first);
	remove_tree(second);
}

static void languages_of_ocr_are_names(void **state)
{
	(void)state;
	assert_int_equal(read_text(WATCH "extract: {ocr_languages: [deu, chi_sim], ocr_max_pages: 7}\n"), 0);
	assert_string_equal(fixture.config->extract.ocr_languages, "deu+chi_sim");
	assert_int_equal(config_extract_limits(fixture.config).max_ocr_pages, 7);
	assert_refused(WATCH "extract: {ocr_languages: deu}\n",
	               "4: key 'extract.ocr_languages': must be a list of languages, such as [eng, deu]");
	assert_refused(WATCH "extract: {ocr_languages: []}\n",
	               "4: key 'extract.ocr_languages': must be a list of languages, such as [eng, deu]");
	assert_refused(
		WATCH "extract: {ocr_languages: [../eng]}\n",
		"4: key 'extract.ocr_languages[0]': must be a language as tesseract names it, such as eng");
	assert_refused(WATCH "extract: {ocr_languages: [a123456789012345678901234567890,"
	                     " b123456789012345678901234567890, c]}\n",
	               "4: key 'extract.ocr_languages': are too many languages");
}

static void questions_of_a_folder_are_read(void **state)
{
	(void)state;
	assert_int_equal(read_text(WATCH "    questions: [Who paid?, \"What: how much?\"]\n"), 0);
	assert_int_equal(fixture.config->watch[0].n_questions, 2);
	assert_string_equal(fixture.config->watch[0].questions[0], "Who paid?");
	assert_string_equal(fixture.config->watch[0].questions[1], "What: how much?");
	assert_refused(WATCH "    questions: Who?\n",
	               "4: key 'watch[0].questions': must be a list of questions");
	assert_refused(WATCH "    questions: [[]]\n", "4: key 'watch[0].questions[0]': must be a question");
	assert_refused(WATCH "    questions: [\"a\\tb\"]\n",
	               "4: key 'watch[0].questions[0]': the question has a control character at byte 1");
}

static void the_inbox_has_a_folder_of_its_own(void **state)
{
	(void)state;
	assert_int_equal(read_text(WATCH), 0);
	assert_string_equal(fixture.config->store.inbox, "/var/lib/skimd/ask/inbox.db");
	assert_int_equal(read_text(WATCH "store: {path: state/skimd.db}\n"), 0);
	assert_string_equal(fixture.config->store.inbox, at("state/ask/inbox.db"));
	assert_int_equal(read_text(WATCH "store: {path: state/skimd.db, inbox: asked/in.db}\n"), 0);
	assert_string_equal(fixture.config->store.inbox, at("asked/in.db"));
	assert_refused(WATCH "store: {path: state/skimd.db, inbox: state/inbox.db}\n",
	               "4: key 'store.inbox': '@/state/inbox.db' needs a folder of its own, without"
	               " '@/state/skimd.db': whoever asks may write there");
	assert_refused(WATCH "store: {inbox: in/inbox.db}\n",
	               "2: key 'watch[0].path': '@/in' holds store.inbox '@/in/inbox.db': skimd would watch"
	               " what it writes itself");
}

static void values_of_parts_to_come_are_refused_as_not_built(void **state)
{
	(void)state;
	assert_refused(WATCH "model: {engine: openai}\n", "4: key 'model.engine': openai is not built yet");
	assert_refused(WATCH "model: {reread: true}\n", "4: key 'model.reread': true is not built yet");
}

static void a_watch_needs_both_folders(void **state)
{
	(void)state;
	assert_refused("watch:\n  - outbox: out\n", "2: key 'watch[0]': 'path' is missing");
	assert_refused("watch:\n\n  - path: in\n", "3: key 'watch[0]': 'outbox' is missing");
	assert_refused("watch: in\n", "1: key 'watch': must be a list of folders, each with path and outbox");
	assert_refused("watch:\n  - in\n", "2: key 'watch[0]': keys with values are expected here");
}

static void a_watched_folder_must_be_there(void **state)
{
	(void)state;
	assert_refused("watch:\n  - path: none\n    outbox: out\n",
	               "2: key 'watch[0].path': cannot watch '@/none': No such file or directory");
	assert_refused(
		"watch:\n  - path: /home/.none/scans\n    outbox: out\n",
		"2: key 'watch[0].path': cannot watch '/home/.none/scans': No such file or directory; the "
		"service sees it after 'skimctl allow /home/.none/scans' and a restart");
	assert_refused("watch:\n  - path: skimd.yaml\n    outbox: out\n",
	               "2: key 'watch[0].path': '@/skimd.yaml' is not a folder");
	assert_refused("watch:\n  - path: in\n    outbox: skimd.yaml\n",
	               "3: key 'watch[0].outbox': '@/skimd.yaml' is not a folder");
}

static void a_model_is_the_word_nano_or_a_folder_that_is_there(void **state)
{
	(void)state;
	assert_refused(WATCH "model: {path: none}\n",
	               "4: key 'model.path': cannot use '@/none': No such file or directory");
	assert_refused(WATCH "model:\n  path: ./skimd.yaml\n",
	               "5: key 'model.path': '@/./skimd.yaml' is not a folder");
	assert_int_equal(read_text(WATCH "model: {path: nano}\n"), 0);
	assert_string_equal(fixture.config->model.path, CONFIG_MODEL_NANO);
}

static unsigned n_missing;

static void see_missing(const struct err *why)
{
	n_missing++;
	fixture.err = *why;
}

static void who_only_looks_for_the_databases_is_told_of_absent_folders(void **state)
{
	static const char TEXT[] =
		"watch:\n  - path: in\n    outbox: out\n  - path: none\n    outbox: out2\n";

	(void)state;
	assert_int_equal(read_text(TEXT), -EINVAL);
	n_missing = 0;
	assert_int_equal(config_read_lacking(fixture.path, see_missing, &fixture.config, NULL), 0);
	assert_int_equal(n_missing, 1);
	assert_words("4: key 'watch[1].path': cannot watch '@/none': No such file or directory");
	assert_int_equal(fixture.config->n_watch, 2);
	assert_string_equal(fixture.config->watch[1].path, at("none"));
	assert_string_equal(fixture.config->watch[0].path, at("in"));

	assert_int_equal(read_text(WATCH "model: {path: none}\n"), -EINVAL);
	assert_int_equal(config_read_lacking(fixture.path, see_missing, &fixture.config, NULL), 0);
	assert_int_equal(n_missing, 2);
	assert_words("4: key 'model.path': cannot use '@/none': No such file or directory");
	assert_string_equal(fixture.config->model.path, at("none"));

	assert_int_equal(read_text("watch:\n  - path: skimd.yaml\n    outbox: out\n"), -EINVAL);
	assert_int_equal(config_read_lacking(fixture.path, see_missing, &fixture.config, NULL), -EINVAL);
	assert_int_equal(n_missing, 2);
}

static void paths_are_words_and_not_expanded(void **state)
{
	(void)state;
	assert_refused(
		"watch:\n  - path: ~/in\n    outbox: out\n",
		"2: key 'watch[0].path': '~' is not expanded here: write the whole path, or './~' for a name "
		"with it");
	assert_refused("watch:\n  - path:\n    outbox: out\n", "2: key 'watch[0].path': must be a path");
	assert_refused("watch:\n  - path: [in]\n    outbox: out\n", "2: key 'watch[0].path': must be a path");
	assert_refused(WATCH "kv: {path: null}\n", "4: key 'kv.path': must be a path");
	assert_refused(WATCH "store: {path: ''}\n", "4: key 'store.path': must be a path");
}

static void wrong_types_and_bad_values_are_refused(void **state)
{
	(void)state;
	assert_refused(WATCH "    recursive: yes\n", "4: key 'watch[0].recursive': must be true or false");
	assert_refused(WATCH "    recursive: 'true'\n", "4: key 'watch[0].recursive': must be true or false");
	assert_refused(WATCH "    ignore: '*.log'\n", "4: key 'watch[0].ignore': must be a list of patterns");
	assert_refused(WATCH "    ignore:\n      - a\n      - {b: c}\n",
	               "6: key 'watch[0].ignore[1]': must be a pattern, such as \"*.part\"");
	assert_refused(
		WATCH "    ignore: [a/b]\n",
		"4: key 'watch[0].ignore[0]': is compared with names, not paths, so it cannot have a '/'");
	assert_refused(WATCH "    outputs: json\n",
	               "4: key 'watch[0].outputs': must be a list, such as [markdown, json]");
	assert_refused(WATCH "    outputs: [pdf]\n",
	               "4: key 'watch[0].outputs[0]': must be markdown, json or html");
	assert_refused(WATCH "model: [nano]\n", "4: key 'model': keys with values are expected here");
	assert_refused(WATCH "log:\n", "4: key 'log': keys with values are expected here");
	assert_refused(WATCH "summary: {length: 3}\n",
	               "4: key 'summary.length': must be auto, short or long");
	assert_refused(WATCH "summary: {length: [long]}\n",
	               "4: key 'summary.length': must be auto, short or long");
	assert_refused(WATCH "log: {level: loud}\n",
	               "4: key 'log.level': must be error, warning, info or debug");
	assert_refused(WATCH "model: {engine: cloud}\n", "4: key 'model.engine': must be local");
	assert_refused(WATCH "model: {weights: fp8}\n", "4: key 'model.weights': must be exact or int8");
	assert_refused(WATCH "model: {weights: [int8]}\n", "4: key 'model.weights': must be exact or int8");
	assert_refused("- watch\n", "1: keys with values are expected here");
}

static void numbers_have_limits(void **state)
{
	static const char *const THREADS[] = { "0",  "257", "-1", "1.5",
		                               "''", "'4'", "x",  "99999999999999999999" };
	static const char *const NICE[] = { "-1", "20", "auto", "1x" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(THREADS) / sizeof(THREADS[0]); i++) {
		snprintf(text, sizeof(text), WATCH "model: {threads: %s}\n", THREADS[i]);
		assert_refused(text, "4: key 'model.threads': must be auto or a number from 1 to 256");
	}
	for (size_t i = 0; i < sizeof(NICE) / sizeof(NICE[0]); i++) {
		snprintf(text, sizeof(text), WATCH "model: {nice: %s}\n", NICE[i]);
		assert_refused(text, "4: key 'model.nice': must be a number from 0 to 19");
	}
}

static void durations_need_a_unit_and_have_limits(void **state)
{
	static const char *const BAD[] = { "5", "s", "5 s", "1.5s", "-5s", "5S", "5min", "[5s]" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		snprintf(text, sizeof(text), WATCH "    settle: %s\n", BAD[i]);
		assert_refused(
			text,
			"4: key 'watch[0].settle': must be a whole number with ms, s, m, h or d, such as 5s");
	}
	assert_refused(WATCH "    settle: 2d\n", "4: key 'watch[0].settle': '2d' is not between 0 and 1d");
	assert_refused(WATCH "    rescan: 0s\n", "4: key 'watch[0].rescan': '0s' is not between 1s and 7d");
	assert_refused(WATCH "    rescan: 99999999999999999d\n",
	               "4: key 'watch[0].rescan': '99999999999999999d' is not between 1s and 7d");
	assert_int_equal(read_text(WATCH "    settle: 0s\n    rescan: 7d\n"), 0);
}

static void sizes_may_have_a_unit_and_have_limits(void **state)
{
	static const char *const BAD[] = { "4g", "4GB", "G", "-1", "1.5G", "{a: b}", "0x10" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		snprintf(text, sizeof(text), WATCH "kv: {budget: %s}\n", BAD[i]);
		assert_refused(
			text,
			"4: key 'kv.budget': must be a number of bytes, or one with K, M or G, such as 512M");
	}
	assert_refused(WATCH "extract: {max_bytes: 0}\n",
	               "4: key 'extract.max_bytes': '0' is not between 1 and 1024G");
	assert_refused(WATCH "kv: {memory: 1000K}\n",
	               "4: key 'kv.memory': '1000K' is not between 1M and 1048576G");
	assert_refused(
		WATCH "kv: {memory: none}\n",
		"4: key 'kv.memory': must be auto or a number of bytes, or one with K, M or G, such as 512M");
	assert_int_equal(read_text(WATCH "kv: {memory: auto}\n"), 0);
	assert_true(fixture.config->kv.memory_bytes == 0);
	assert_int_equal(read_text(WATCH "kv: {budget: 0}\n"), 0);
	assert_true(fixture.config->kv.budget_bytes == 0);
}

static void a_key_stands_once(void **state)
{
	(void)state;
	assert_malformed(WATCH "    settle: 5s\n    path: in2\n",
	                 "5: key 'watch[0].path': stands here a second time, first in line 2");
	assert_malformed(WATCH "log: {}\nkv: {}\nlog: {}\n",
	                 "6: key 'log': stands here a second time, first in line 4");
}

static void what_is_not_yaml_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_malformed(WATCH "  log: [\n", "4: not valid YAML: did not find expected '-' indicator");
	assert_malformed(WATCH "log: {level: info\n", "5: not valid YAML: did not find expected ',' or '}'");
	assert_malformed(WATCH "\n\xff\xfe\n", "5: not valid YAML: invalid leading UTF-8 octet");
	assert_malformed(WATCH "log: {level: \"\\0\"}\n", "4: a NUL character is not allowed");
	assert_int_equal(read_bytes("a: \0b\n", 6), -EBADMSG);
	assert_words("1: not valid YAML: control characters are not allowed");
}

static void the_parts_of_yaml_that_hide_things_are_refused(void **state)
{
	(void)state;
	assert_malformed("watch: &w\n  - path: in\n", "1: anchors (&name) are not allowed");
	assert_malformed(WATCH "log: *l\n", "4: aliases (*name) are not allowed");
	assert_malformed(WATCH "kv: {budget: !!int 5}\n", "4: tags (!name) are not allowed");
	assert_malformed(WATCH "? [a]\n: b\n", "4: a key must be a word");
	assert_malformed(WATCH "---\nlog: {}\n", "4: only one document is allowed in a file");
}

static void there_are_limits_on_depth_and_size(void **state)
{
	static char many[1 << 16] = "ignore: [", large[(1 << 20) + 2];

	(void)state;
	assert_malformed("[[[[[[[[[[a]]]]]]]]]]\n", "1: nested too deeply");
	for (size_t n = strlen(many); n < 30000; n += 2)
		memcpy(many + n, "a,", 2);
	assert_malformed(many, "1: too many values in one file");
	memset(large, '#', sizeof(large) - 1);
	assert_int_equal(read_text(large), -EFBIG);
}

/* Two entries, the second's keys in lines 4 and 5; "@" is the temporary folder. */
static void assert_clash(const char *path, const char *outbox, const char *path2, const char *outbox2,
                         const char *expected)
{
	char text[1024];

	snprintf(text, sizeof(text), "watch:\n  - path: %s\n    outbox: %s\n  - path: %s\n    outbox: %s\n",
	         path, outbox, path2, outbox2);
	assert_refused(text, expected);
}

static void no_file_is_read_twice(void **state)
{
	(void)state;
	assert_clash(
		"in", "out/1", "in2/../in", "out/2",
		"4: key 'watch[1].path': '@/in' is the folder of watch[0]: its files would be read twice");
	assert_clash("in", "out/1", "in/sub", "out/2",
	             "4: key 'watch[1].path': '@/in/sub' lies inside the folder of watch[0]: its files would "
	             "be read twice");
	assert_clash(
		"in/sub", "out/1", "in", "out/2",
		"4: key 'watch[1].path': '@/in' holds the folder of watch[0]: its files would be read twice");
	assert_int_equal(symlink("in", at("link")), 0);
	assert_clash(
		"in", "out/1", "link", "out/2",
		"4: key 'watch[1].path': '@/in' is the folder of watch[0]: its files would be read twice");
	assert_int_equal(read_text("watch:\n  - {path: in, outbox: out/1, recursive: false}\n"
	                           "  - {path: in/sub, outbox: out/2}\n"),
	                 0);
}

static void no_two_outputs_can_have_one_name(void **state)
{
	(void)state;
	assert_clash("in", "out", "in2", "out",
	             "5: key 'watch[1].outbox': '@/out' is the outbox of watch[0]: outputs could have the "
	             "same names");
	assert_clash("in", "out", "in2", "out/new/deep",
	             "5: key 'watch[1].outbox': '@/out/new/deep' lies inside the outbox of watch[0]: outputs "
	             "could have the "
	             "same names");
	assert_clash("in", "new/./box//a", "in2", "new/box",
	             "5: key 'watch[1].outbox': '@/new/box' holds the outbox of watch[0]: outputs could have "
	             "the same names");
	assert_int_equal(symlink("out", at("link")), 0);
	assert_clash("in", "out/new", "in2", "link/new",
	             "5: key 'watch[1].outbox': '@/out/new' is the outbox of watch[0]: outputs could have "
	             "the same names");
	assert_int_equal(read_text("watch:\n  - {path: in, outbox: out, recursive: false}\n"
	                           "  - {path: in2, outbox: out/2}\n"),
	                 0);
}

static void skimd_never_reads_what_it_wrote(void **state)
{
	(void)state;
	assert_refused("watch:\n  - path: in\n    outbox: in\n",
	               "3: key 'watch[0].outbox': '@/in' is the folder that watch[0] watches: skimd would "
	               "read what it "
	               "wrote");
	assert_refused("watch:\n  - path: in\n    outbox: in/new/out\n",
	               "3: key 'watch[0].outbox': '@/in/new/out' lies inside the folder that watch[0] "
	               "watches: skimd would "
	               "read what it wrote");
	assert_clash("in", "in2/out", "in2", "out",
	             "3: key 'watch[0].outbox': '@/in2/out' lies inside the folder that watch[1] watches: "
	             "skimd would read "
	             "what it wrote");
	assert_refused("watch:\n  - path: in/sub\n    outbox: in\n",
	               "3: key 'watch[0].outbox': '@/in' holds the folder that watch[0] watches: skimd would "
	               "read what it "
	               "wrote");
	assert_refused("watch:\n  - {path: in, outbox: in, recursive: false}\n",
	               "2: key 'watch[0].outbox': '@/in' is the folder that watch[0] watches: skimd would "
	               "read what it "
	               "wrote");
	assert_refused("watch:\n  - path: in\n    outbox: new/../in/x\n",
	               "3: key 'watch[0].outbox': cannot use '@/new/../in/x': Invalid argument");
}

static void databases_do_not_lie_in_watched_folders(void **state)
{
	(void)state;
	assert_refused(WATCH "store: {path: in/skimd.db}\n",
	               "2: key 'watch[0].path': '@/in' holds store.path '@/in/skimd.db': skimd would watch "
	               "what it writes itself");
	assert_refused(
		WATCH "kv: {path: in/new/kv.db}\n",
		"2: key 'watch[0].path': '@/in' holds kv.path '@/in/new/kv.db': skimd would watch what "
		"it writes itself");
	assert_refused(
		WATCH "metrics: {file: in/skimd.prom}\n",
		"2: key 'watch[0].path': '@/in' holds metrics.file '@/in/skimd.prom': skimd would watch "
		"what it writes itself");
}

static void metrics_go_where_they_are_looked_for(void **state)
{
	static const char *const FILES[] = { "skimd.txt", ".prom", "[]", "''", "~" };
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
		snprintf(text, sizeof(text), WATCH "metrics: {file: %s}\n", FILES[i]);
		assert_refused(text, "4: key 'metrics.file': must be none or a path that ends in .prom: "
		                     "node_exporter reads no other files");
	}
	assert_refused(WATCH "metrics: {interval: 0s}\n",
	               "4: key 'metrics.interval': '0s' is not between 1s and 1d");
	assert_int_equal(read_text(WATCH "metrics: {file: none}\n"), 0);
	assert_null(fixture.config->metrics.file);
}

static void the_databases_are_two_files(void **state)
{
	(void)state;
	assert_refused(WATCH "store: {path: one.db}\nkv: {path: new/.././one.db}\n",
	               "2: key 'watch[0].path': kv.path '@/new/.././one.db': Invalid argument");
	assert_refused(
		WATCH "store: {path: one.db}\nkv: {path: out/.././one.db}\n",
		"5: key 'kv.path': '@/one.db' is both store.path and kv.path: each needs a file of its own");
	assert_refused(
		WATCH "kv: {path: one.db}\nstore:\n  path: one.db\n",
		"4: key 'kv.path': '@/one.db' is both store.path and kv.path: each needs a file of its own");
	assert_int_equal(symlink("one.db", at("link.db")), 0);
	assert_int_equal(read_text(WATCH "store: {path: one.db}\nkv: {path: two.db}\n"), 0);
	assert_int_equal(file_replace(at("one.db"), "", 0, 0600, NULL), 0);
	assert_refused(
		WATCH "store: {path: one.db}\nkv: {path: link.db}\n",
		"5: key 'kv.path': '@/one.db' is both store.path and kv.path: each needs a file of its own");
}

static void a_similar_name_is_another_folder(void **state)
{
	(void)state;
	assert_int_equal(read_text("watch:\n  - {path: in, outbox: in2/out}\n"), 0);
}

/* A line such as "    # settle: 5s": the place of its "# ", else NULL. */
static const char *commented_key(const char *line)
{
	const char *mark = line + strspn(line, " "), *key;
	size_t n;

	if (strncmp(mark, "# ", 2) != 0)
		return NULL;
	key = mark + 2 + strspn(mark + 2, " ");
	n = strspn(key, "abcdefghijklmnopqrstuvwxyz_");
	return n > 0 && key[n] == ':' ? mark : NULL;
}

/* The example as it is installed, but for two folders that this machine has not. */
static char *example(void)
{
	static const char *const PATHS[][2] = { { "/var/lib/skimd/inbox", "in" },
		                                { "/var/lib/skimd/outbox", "out" } };
	const char *source = getenv("srcdir");
	struct buf text = { 0 };
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/etc/skimd.yaml", source != NULL ? source : ".");
	assert_int_equal(file_read(path, 65536, &text, NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		char *found = strstr(text.data, PATHS[i][0]);

		assert_non_null(found);
		memset(found, ' ', strlen(PATHS[i][0]));
		memcpy(found, PATHS[i][1], strlen(PATHS[i][1]));
	}
	return buf_take(&text);
}

static void the_example_is_read(void **state)
{
	char *text = example();

	(void)state;
	if (read_text(text) != 0)
		fail_msg("%s", fixture.err.text);
	assert_int_equal(fixture.config->n_watch, 1);
	free(text);
}

static void what_the_example_has_in_comments_are_the_defaults(void **state)
{
	char *text = example();
	struct buf plain = { 0 };
	const struct config *config;
	size_t n_keys = 0;

	(void)state;
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
		int n = (int)strcspn(line, "\n");
		const char *mark = commented_key(line);
		int n_indent = mark != NULL ? (int)(mark - line) : 0;

		n_keys += mark != NULL;
		buf_printf(&plain, "%.*s%.*s\n", n_indent, line, mark != NULL ? n - n_indent - 2 : n,
		           mark != NULL ? mark + 2 : line);
	}
	if (read_text(plain.data) != 0)
		fail_msg("%s", fixture.err.text);
	assert_int_equal(n_keys, 41); /* none was taken for prose */
	config = fixture.config;
	assert_false(config->extract.ocr);
	assert_string_equal(config->extract.ocr_languages, "eng");
	assert_int_equal(config->extract.max_ocr_pages, EXTRACT_MAX_OCR_PAGES);
	assert_true(config->watch[0].recursive && config->watch[0].markdown && config->watch[0].json);
	assert_true(config->kv.memory_bytes == 0 && config->summary.length == SUMMARY_AUTO);
	assert_true(!config->watch[0].html && config->audit.reading && config->audit.dense_share == 0.05);
	assert_true(config->watch[0].settle_ns == 5 * NS_PER_S &&
	            config->watch[0].rescan_ns == 5 * NS_PER_MIN);
	assert_string_equal(config->model.path, CONFIG_MODEL_NANO);
	assert_false(config->model.int8_weights);
	assert_true(config->model.threads == 0 && config->model.nice == 10);
	assert_int_equal(config->watch[0].n_questions, 0);
	assert_string_equal(config->store.path, "/var/lib/skimd/skimd.db");
	assert_string_equal(config->store.inbox, "/var/lib/skimd/ask/inbox.db");
	assert_string_equal(config->kv.path, "/var/cache/skimd/kv.db");
	assert_true(config->kv.budget_bytes == 4 * BYTES_PER_G);
	assert_true(config->extract.max_bytes == 512 * BYTES_PER_M);
	assert_int_equal(config_extract_limits(config).max_pages, 5000);
	assert_int_equal(config_extract_limits(config).timeout_s, 120);
	assert_int_equal(config->log.level, LOG_LEVEL_INFO);
	assert_string_equal(config->control.socket, CONFIG_CONTROL_SOCKET);
	assert_string_equal(config->control.group, CONFIG_CONTROL_GROUP);
	assert_true(config->metrics.file == NULL && config->metrics.interval_ns == NS_PER_MIN);
	free(text);
	buf_done(&plain);
}

static void temporary_names_are_ignored_and_documents_are_not(void **state)
{
	static const char *const TEMPORARY[] = {
		".a.txt.swp",
		"a.txt~",
		".#a",
		"#a#",
		"4913",
		".goutputstream-X1",
		".~lock.a.odt#",
		"~$a.docx",
		"a.part",
		"a.partial",
		"a.crdownload",
		"a.filepart",
		".syncthing.a.tmp",
		"~syncthing~a",
		".a.pdf.aB3dE9",
		".nfs0001",
		"._a",
		".DS_Store",
		"Thumbs.db",
		"desktop.ini",
		"@eaDir",
		".stfolder",
		".stversions",
		".Trash-1000",
		".git",
		"own.log",
	};
	static const char *const DOCUMENTS[] = { "a.txt", ".hidden.txt", "report.folder",
		                                 "part",  "a.part.pdf",  "git" };
	char own[] = "*.log", *globs[] = { own };

	(void)state;
	for (size_t i = 0; i < sizeof(TEMPORARY) / sizeof(TEMPORARY[0]); i++)
		assert_true(ignore_matches(TEMPORARY[i], globs, 1));
	for (size_t i = 0; i < sizeof(DOCUMENTS) / sizeof(DOCUMENTS[0]); i++)
		assert_false(ignore_matches(DOCUMENTS[i], globs, 1));
	assert_false(ignore_matches("own.log", NULL, 0));
}

/* What a second configuration would change in the first; both are the caller's. */
static void read_two(const char *first, const char *second, struct config **ret_first,
                     struct config **ret_second)
{
	assert_int_equal(read_text(first), 0);
	*ret_first = fixture.config;
	fixture.config = NULL;
	assert_int_equal(read_text(second), 0);
	*ret_second = fixture.config;
	fixture.config = NULL;
}

static void assert_fixed(const char *first, const char *second, const char *names)
{
	struct config *a, *b;
	struct buf text = { 0 };

	read_two(first, second, &a, &b);
	config_list_fixed(a, b, &text);
	assert_string_equal(text.data == NULL ? "" : text.data, names);
	buf_done(&text);
	config_free(a);
	config_free(b);
}

static void keys_that_need_a_restart_are_named(void **state)
{
	(void)state;
	assert_fixed(WATCH, WATCH "log: {level: debug}\nmetrics: {file: x.prom}\n", "");
	assert_fixed(WATCH, WATCH "kv: {budget: 4096M, memory: auto}\nmodel: {path: nano, weights: exact}\n",
	             "");
	assert_fixed(WATCH,
	             WATCH "model: {path: in2, threads: 3, nice: 4, weights: int8}\nstore: {path: s.db}\n"
	                   "kv: {path: k.db, budget: 5, memory: 6M}\n"
	                   "extract: {max_bytes: 7, max_pages: 8, timeout: 9s}\nsummary: {length: long}\n"
	                   "audit: {reading: false, dense_share: 0}\ncontrol: {socket: s, group: g}\n",
	             "model.path, model.threads, model.nice, model.weights, store.path, store.inbox, "
	             "kv.path, kv.budget, "
	             "kv.memory, "
	             "extract.max_bytes, extract.max_pages, extract.timeout, summary.length, audit.reading, "
	             "audit.dense_share, control.socket, control.group");
}

static void what_a_running_daemon_takes_changes_hands(void **state)
{
	struct config *a, *b;

	(void)state;
	read_two(WATCH,
	         "watch: [{path: in2, outbox: out, keep: 30d}]\nlog: {level: debug}\nkv: {budget: 5}\n"
	         "metrics: {file: x.prom}\n",
	         &a, &b);
	config_adopt(a, b);
	assert_string_equal(a->watch[0].path, at("in2"));
	assert_true(a->watch[0].keep_ns == 30 * NS_PER_DAY);
	assert_string_equal(b->watch[0].path, at("in"));
	assert_int_equal(a->log.level, LOG_LEVEL_DEBUG);
	assert_string_equal(a->metrics.file, at("x.prom"));
	assert_null(b->metrics.file);
	assert_true(a->kv.budget_bytes == 4 * BYTES_PER_G);
	config_free(a);
	config_free(b);
}

static bool is_same(const char *more)
{
	struct config *a, *b;
	struct buf text = { 0 };
	bool same;

	buf_printf(&text, WATCH "%s", more);
	read_two(WATCH "    ignore: ['*.log']\n", text.data, &a, &b);
	same = config_watch_is_same(&a->watch[0], &b->watch[0]);
	if (same) {
		const char *path = a->watch[0].path;

		config_watch_trade(&a->watch[0], &b->watch[0]);
		assert_ptr_equal(b->watch[0].path, path);
		assert_string_equal(a->watch[0].ignore[0], "*.log");
	}
	buf_done(&text);
	config_free(a);
	config_free(b);
	return same;
}

static void a_folder_is_the_same_whatever_becomes_of_its_documents(void **state)
{
	(void)state;
	assert_true(is_same("    ignore: ['*.log']\n"));
	assert_true(is_same("    ignore: ['*.log']\n    outputs: []\n    keep: 1d\n    settle: 5000ms\n"));
	assert_false(is_same(""));
	assert_false(is_same("    ignore: ['*.lag']\n"));
	assert_false(is_same("    ignore: ['*.log', x]\n"));
	assert_false(is_same("    ignore: ['*.log']\n    settle: 6s\n"));
	assert_false(is_same("    ignore: ['*.log']\n    rescan: 6s\n"));
	assert_false(is_same("    ignore: ['*.log']\n    recursive: false\n"));
}

static void documents_are_kept_for_ever_or_a_time(void **state)
{
	(void)state;
	assert_int_equal(read_text(WATCH "    keep: forever\n"), 0);
	assert_true(fixture.config->watch[0].keep_ns == 0);
	assert_int_equal(read_text(WATCH "    keep: 90m\n"), 0);
	assert_true(fixture.config->watch[0].keep_ns == 90 * NS_PER_MIN);
	assert_refused(WATCH "    keep: never\n", "4: key 'watch[0].keep': must be forever, or a whole "
	                                          "number with ms, s, m, h or d, such as 30d");
	assert_int_equal(read_text(WATCH "    keep: 999ms\n"), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_stand_where_nothing_is_said),
		TEST(every_key_of_this_version_is_read),
		TEST(without_a_file_there_are_defaults_and_nothing_to_watch),
		TEST(a_missing_file_is_named),
		TEST(nothing_to_watch_is_an_error),
		TEST(unknown_keys_are_refused_at_every_level),
		TEST(the_control_socket_is_a_short_path_and_a_group),
		TEST(an_audits_share_is_from_none_to_all),
		TEST(keys_of_parts_to_come_are_refused_as_not_built),
		TEST(ocr_is_refused_where_it_cannot_be),
		TEST(languages_of_ocr_are_names),
		TEST(questions_of_a_folder_are_read),
		TEST(the_inbox_has_a_folder_of_its_own),
		TEST(values_of_parts_to_come_are_refused_as_not_built),
		TEST(a_watch_needs_both_folders),
		TEST(a_watched_folder_must_be_there),
		TEST(a_model_is_the_word_nano_or_a_folder_that_is_there),
		TEST(who_only_looks_for_the_databases_is_told_of_absent_folders),
		TEST(paths_are_words_and_not_expanded),
		TEST(wrong_types_and_bad_values_are_refused),
		TEST(numbers_have_limits),
		TEST(durations_need_a_unit_and_have_limits),
		TEST(sizes_may_have_a_unit_and_have_limits),
		TEST(a_key_stands_once),
		TEST(what_is_not_yaml_is_refused_with_its_line),
		TEST(the_parts_of_yaml_that_hide_things_are_refused),
		TEST(there_are_limits_on_depth_and_size),
		TEST(no_file_is_read_twice),
		TEST(no_two_outputs_can_have_one_name),
		TEST(skimd_never_reads_what_it_wrote),
		TEST(databases_do_not_lie_in_watched_folders),
		TEST(metrics_go_where_they_are_looked_for),
		TEST(the_databases_are_two_files),
		TEST(a_similar_name_is_another_folder),
		TEST(documents_are_kept_for_ever_or_a_time),
		TEST(keys_that_need_a_restart_are_named),
		TEST(what_a_running_daemon_takes_changes_hands),
		TEST(a_folder_is_the_same_whatever_becomes_of_its_documents),
		TEST(the_example_is_read),
		TEST(what_the_example_has_in_comments_are_the_defaults),
		TEST(temporary_names_are_ignored_and_documents_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
