/* What becomes of a document whose extractor does not do as it should: scripts stand in for skimd-extract. And the frames,
 * each of which a hostile one may have made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/extract.h"
#include "pipeline/extract_frames.h"

struct fixture {
	char folder[40], script[64], pids[64];
	char *before; /* SKIMD_EXTRACT */
	int fd; /* a file with words */
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *before = getenv("SKIMD_EXTRACT");
	char path[64];

	assert_non_null(f);
	snprintf(f->folder, sizeof(f->folder), "/tmp/test_extract_child.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->script, sizeof(f->script), "%s/extract", f->folder);
	snprintf(f->pids, sizeof(f->pids), "%s/pids", f->folder);
	f->before = before == NULL ? NULL : strdup(before);
	snprintf(path, sizeof(path), "%s/file", f->folder);
	assert_int_equal(file_replace(path, "words", 5, 0600, NULL), 0);
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	assert_true(f->fd >= 0);
	assert_int_equal(setenv("SKIMD_EXTRACT", f->script, 1), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->before == NULL)
		unsetenv("SKIMD_EXTRACT");
	else
		setenv("SKIMD_EXTRACT", f->before, 1);
	free(f->before);
	close(f->fd);
	unlink(f->script);
	unlink(f->pids);
	rmdir(f->folder);
	free(f);
	return 0;
}

static void write_script(struct fixture *f, const char *commands)
{
	char text[512];

	snprintf(text, sizeof(text), "#!/bin/sh\nP=%s\n%s\n", f->pids, commands);
	assert_int_equal(file_replace(f->script, text, strlen(text), 0700, NULL), 0);
}

static int run_within(struct fixture *f, const char *commands, const struct extract_hooks *hooks)
{
	const struct extract_limits limits = { .max_text_bytes = 1000, .timeout_s = 1 };
	struct extracted extracted = { 0 };
	int r;

	write_script(f, commands);
	r = extract_file(f->fd, "file", &limits, hooks, &extracted, &f->err);
	extracted_done(&extracted);
	return r;
}

static void assert_fails(struct fixture *f, const char *commands, int code, const char *words)
{
	assert_int_equal(run_within(f, commands, NULL), code);
	assert_string_equal(f->err.text, words);
}

/* All whose numbers it wrote have ended, or do so now. */
static void assert_all_ended(struct fixture *f)
{
	FILE *file = fopen(f->pids, "re");
	int pid, n = 0;

	assert_non_null(file);
	for (; fscanf(file, "%d", &pid) == 1; n++) {
		struct pollfd ended = { pidfd_open(pid, 0), POLLIN, 0 };

		if (ended.fd < 0)
			continue;
		if (poll(&ended, 1, 10000) != 1)
			fail_msg("process %d goes on", pid);
		close(ended.fd);
	}
	fclose(file);
	assert_int_equal(n, 2);
}

static void a_crash_fails_the_document_with_its_signal(void **state)
{
	struct fixture *f = *state;

	assert_fails(f, "kill -SEGV $$", -EPROTO, "the extractor crashed on it (SIGSEGV)");
	assert_fails(f, "kill -SYS $$", -EPROTO, "the extractor did what it may not, and was ended (SIGSYS)");
	assert_fails(f, "kill -XCPU $$", -ETIME,
	             "taking its text out took more than 1 s of processor time (extract.timeout)");
	assert_fails(f, "kill -KILL $$", -ENOMEM,
	             "the extractor was killed, as happens where memory is short");
	assert_fails(f, "exit 3", -EIO, "the extractor could not say what it found");
	assert_fails(f, "exit 0", -EPROTO, "the extractor ended without a result");
	assert_fails(f, "echo Hello", -EPROTO, "the extractor ended without a result");
}

static void too_much_time_ends_it_and_all_that_it_started(void **state)
{
	struct fixture *f = *state;

	assert_fails(f, "echo $$ >$P; sleep 100 & echo $! >>$P; wait", -ETIME,
	             "taking its text out took longer than 1 s (extract.timeout)");
	assert_all_ended(f);
}

static void one_that_closes_its_pipe_and_stays_is_ended(void **state)
{
	struct fixture *f = *state;

	/* A moment is left to it, then it is killed, which says nothing of the machine's memory. */
	assert_fails(f, "exec >&-; echo $$ >$P; sleep 100 & echo $! >>$P; wait", -EPROTO,
	             "the extractor ended without a result");
	assert_all_ended(f);
}

/* Its orphans become ours where we are the first process. */
static void nobody_is_left_to_be_waited_for(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	run_within(f, "sleep 100 & sleep 100 & exit 0", NULL);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void more_than_there_can_be_is_not_listened_to(void **state)
{
	struct fixture *f = *state;

	assert_fails(f, "echo $$ >$P; sleep 100 & echo $! >>$P; yes", -EPROTO,
	             "the extractor says more than there can be");
	assert_all_ended(f);
}

static void it_stops_when_told_to(void **state)
{
	struct fixture *f = *state;
	atomic_bool cancel = true;
	const struct extract_hooks hooks = { .cancel = &cancel };

	assert_int_equal(run_within(f, "sleep 100", &hooks), -ECANCELED);
	assert_string_equal(f->err.text, "told to stop");
}

static void count(void *user)
{
	++*(int *)user;
}

static void who_waits_is_told_so(void **state)
{
	struct fixture *f = *state;
	int n = 0;
	const struct extract_hooks hooks = { .user = &n, .waiting = count };

	assert_int_equal(run_within(f, "sleep 100", &hooks), -ETIME);
	assert_true(n > 3);
}

static void nothing_of_ours_is_inherited(void **state)
{
	struct fixture *f = *state;
	int n_secrets, n_folders, session, pid;
	char said[256] = "";
	int secret = open(f->folder, O_RDONLY); /* without O_CLOEXEC, as a library may have it */
	FILE *file;

	setenv("SKIMD_SECRET", "hush", 1);
	run_within(f,
	           "{ env | grep -c SECRET; ls -l /proc/$$/fd | grep -c \" $(dirname $P)\\$\"; "
	           "read -r line </proc/$$/stat; set -- ${line##*) }; echo $4 $$; } >$P",
	           NULL);
	unsetenv("SKIMD_SECRET");
	close(secret);
	file = fopen(f->pids, "re");
	assert_non_null(file);
	assert_true(fread(said, 1, sizeof(said) - 1, file) > 0);
	fclose(file);
	assert_int_equal(sscanf(said, "%d %d %d %d", &n_secrets, &n_folders, &session, &pid), 4);
	assert_int_equal(n_secrets, 0);
	assert_int_equal(n_folders, 0);
	assert_int_equal(session, pid);
}

static void an_extractor_that_is_not_there_is_no_lost_document(void **state)
{
	struct fixture *f = *state;
	struct extracted extracted = { 0 };
	char words[256];
	FILE *file;

	assert_int_equal(extract_file(f->fd, "file", NULL, NULL, &extracted, &f->err), -EIO);
	snprintf(words, sizeof(words),
	         "the extractor '%s' cannot be started: No such file or directory; for a tree that is not "
	         "installed SKIMD_EXTRACT says where it is",
	         f->script);
	assert_string_equal(f->err.text, words);
	assert_int_equal(extract_check(&f->err), -ENOENT);
	assert_string_equal(f->err.text, words);

	file = fopen(f->script, "we");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(extract_file(f->fd, "file", NULL, NULL, &extracted, &f->err), -EIO);
	assert_non_null(strstr(f->err.text, "cannot be started: Permission denied; "));
	assert_int_equal(chmod(f->script, 0755), 0);
	assert_int_equal(extract_check(&f->err), 0);
	assert_int_equal(extract_file(f->fd, "file", NULL, NULL, &extracted, &f->err), -EIO);
	assert_non_null(strstr(f->err.text, "cannot be started: Exec format error"));
}

static void a_file_that_changes_meanwhile_is_read_again(void **state)
{
	struct fixture *f = *state;
	char script[128], path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/file", f->folder);
	snprintf(script, sizeof(script), "echo more >>%s", path);
	assert_int_equal(file_replace(path, "words", 5, 0600, NULL), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	close(f->fd);
	f->fd = fd;
	assert_fails(f, script, -EAGAIN, "changed while being read");
	unlink(path);
}

/* Frames by hand: kind, length, bytes. */
static void put(struct buf *buf, char kind, const char *bytes, size_t n)
{
	const char header[] = { kind, (char)(n & 0xff), (char)(n >> 8), 0, 0 };

	buf_append(buf, header, sizeof(header));
	buf_append(buf, bytes, n);
}

struct result {
	const char *type, *charset, *pages, *truncated, *text, *marks;
	size_t n_pages, n_marks;
};

static void put_end(struct buf *buf, const char *text)
{
	const char n[] = { (char)(strlen(text) & 0xff), (char)(strlen(text) >> 8), 0, 0 };

	put(buf, 'E', n, sizeof(n));
}

static void put_hello(struct buf *buf, const char *text)
{
	buf_puts(buf, text);
	put(buf, 'H', "skimd-extract 2", 15);
}

/* Behind the hello, and up to the end. */
static void put_about(struct buf *buf, const struct result *result)
{
	put(buf, 'T', result->type, strlen(result->type));
	put(buf, 'C', result->charset, strlen(result->charset));
	put(buf, 'P', result->pages, result->n_pages);
	put(buf, 'R', result->truncated, strlen(result->truncated));
	put(buf, 'M', result->marks, result->n_marks);
	put_end(buf, result->text);
}

static void put_result(struct buf *buf, const struct result *result)
{
	put_hello(buf, result->text);
	put_about(buf, result);
}

static const struct result GOOD = { "text/plain", "utf-8", "\2\0\0\0", "why", "words", "\1\0\1\0\5\0", 4, 6 };

static int read_frames(const struct buf *buf, struct err *err)
{
	struct parsed parsed = { .charset = "" };
	struct buf said = { 0 };
	int r;

	buf_append(&said, buf->data, buf->n);
	r = frames_read(&said, 1000, &parsed, NULL, err);

	parsed_done(&parsed);
	return r;
}

static int read_result(const struct result *result)
{
	struct buf buf = { 0 };
	int r;

	put_result(&buf, result);
	r = read_frames(&buf, NULL);
	buf_done(&buf);
	return r;
}

static void frames_that_promise_what_they_do_not_hold_are_refused(void **state)
{
	struct result result = GOOD;

	(void)state;
	assert_int_equal(read_result(&result), 0);
	result.type = "text/evil";
	assert_int_equal(read_result(&result), -EPROTO);
	result = GOOD;
	result.charset = "a charset with a name that is far too long";
	assert_int_equal(read_result(&result), -EPROTO);
	result.charset = "\033[2J";
	assert_int_equal(read_result(&result), -EPROTO);
	result.charset = "\xc2\x9b"
			 "2J";
	assert_int_equal(read_result(&result), -EPROTO);
	result = GOOD;
	result.n_pages = 3;
	assert_int_equal(read_result(&result), -EPROTO);
	result.n_pages = 4;
	result.pages = "\xff\xff\xff\xff";
	assert_int_equal(read_result(&result), -EPROTO);
	result = GOOD;
	result.truncated = "a\nb";
	assert_int_equal(read_result(&result), -EPROTO);
	result = GOOD;
	result.text = "w\xffrds";
	assert_int_equal(read_result(&result), -EPROTO);
	result.text = "";
	assert_int_equal(read_result(&result), -EPROTO);
	result = GOOD;
	result.marks = "\1\0\1\0\6\0";
	assert_int_equal(read_result(&result), -EPROTO);
}

static void frames_may_end_anywhere(void **state)
{
	struct buf whole = { 0 };

	(void)state;
	put_result(&whole, &GOOD);
	for (size_t n = 0; n < whole.n; n++) {
		struct buf part = { 0 };

		buf_append(&part, whole.data, n);
		assert_int_equal(read_frames(&part, NULL), -EPROTO);
		buf_done(&part);
	}
	buf_append(&whole, "x", 1);
	assert_int_equal(read_frames(&whole, NULL), -EPROTO);
	buf_done(&whole);
}

static void the_text_is_bounded(void **state)
{
	char text[1002];
	struct result result = GOOD;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[1001] = '\0';
	result.text = text;
	result.n_marks = 0;
	assert_int_equal(read_result(&result), -EPROTO);
	text[1000] = '\0';
	assert_int_equal(read_result(&result), 0);
}

static void an_end_that_lies_is_refused(void **state)
{
	static const char LONG[] = "a text that is longer than all there is, by far: of more than a hundred "
				   "bytes, of which none is here";
	static const char *const LIES[] = { "", "word", "words.", LONG };
	struct buf buf = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(LIES) / sizeof(LIES[0]); i++) {
		put_result(&buf, &GOOD);
		buf.n -= 9;
		put_end(&buf, LIES[i]);
		assert_int_equal(read_frames(&buf, NULL), -EPROTO);
		buf_done(&buf);
	}
}

static int read_failure(int code, const char *words, struct err *err)
{
	char bytes[64] = { (char)code };
	struct buf buf = { 0 };
	int r;

	memcpy(bytes + 4, words, strlen(words));
	put_hello(&buf, "what was read before it failed");
	put(&buf, 'F', bytes, 4 + strlen(words));
	put_end(&buf, "what was read before it failed");
	r = read_frames(&buf, err);
	buf_done(&buf);
	return r;
}

/* -ENOENT would have the document gone, -ECANCELED the daemon stopping. */
static void an_extractor_may_fail_for_a_parsers_reasons_alone(void **state)
{
	struct err err = { "" };

	(void)state;
	assert_int_equal(read_failure(EBADMSG, "damaged", &err), -EBADMSG);
	assert_string_equal(err.text, "damaged");
	assert_int_equal(read_failure(ENOENT, "gone", &err), -EPROTO);
	assert_int_equal(read_failure(ECANCELED, "stop", &err), -EPROTO);
	assert_int_equal(read_failure(0, "none", &err), -EPROTO);
	assert_int_equal(read_failure(EBADMSG, "", &err), -EPROTO);
	assert_int_equal(read_failure(EBADMSG, "two\nlines", &err), -EPROTO);
}

static int read_missing(const char *numbers, size_t n, bool asked, struct ocr_pages *ret)
{
	struct parsed parsed = { .charset = "" };
	struct buf buf = { 0 };
	int r;

	put_hello(&buf, GOOD.text);
	put(&buf, 'N', numbers, n);
	put_about(&buf, &GOOD);
	r = frames_read(&buf, 1000, &parsed, asked ? ret : NULL, NULL);
	parsed_done(&parsed);
	return r;
}

static void pages_without_text_are_listed_rising_and_when_asked_for(void **state)
{
	static const char *const WRONG[] = { "\0\0\0\0\2\0\0\0", "\2\0\0\0\2\0\0\0", "\2\0\0\0\1\0\0\0",
		                             "\2\0\0\0\3\0\0\x80" };
	struct ocr_pages pages = { 0 };

	(void)state;
	assert_int_equal(read_missing("\2\0\0\0\3\1\0\0", 8, true, &pages), 0);
	assert_int_equal(pages.n, 2);
	assert_int_equal(pages.numbers[0], 2);
	assert_int_equal(pages.numbers[1], 259);
	ocr_pages_done(&pages);
	assert_int_equal(read_missing("\2\0\0\0\3\1\0\0", 8, false, &pages), -EPROTO);
	assert_int_equal(read_missing("\2\0\0\0\3\1\0\0", 7, true, &pages), -EPROTO);
	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
		ocr_pages_done(&pages);
		assert_int_equal(read_missing(WRONG[i], 8, true, &pages), -EPROTO);
	}
	ocr_pages_done(&pages);
}

static void read_pipe(int fd, struct buf *ret)
{
	char bytes[1024];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	assert_true(n > 0);
	buf_append(ret, bytes, (size_t)n);
}

static void what_is_written_is_read(void **state)
{
	struct sink *sink = NULL;
	struct parsed parsed = { .media_type = "text/plain", .charset = "utf-8" }, back = { .charset = "" };
	struct ocr_pages missing = { 0 }, listed = { 0 };
	struct buf said = { 0 };
	struct frames frames = { 0 }, failed;
	const struct sink_outlet outlet = { frames_write_text, &frames, 1 };
	struct err err = { "" };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	frames.fd = ends[1];
	assert_int_equal(sink_new(1000, &sink, NULL), 0);
	sink_set_outlet(sink, &outlet);
	sink_page(sink, 3);
	sink_begin(sink, SINK_HEADING, 2);
	sink_text(sink, "Rivers", 6);
	sink_section(sink, "M\xc3\xbchle", 6);
	sink_text(sink, "rise", 4);
	sink_aside(sink);
	sink_truncated(sink, "only \xff\n");
	assert_int_equal(frames.n_text, strlen("Rivers\n"));
	failed = frames;
	assert_int_equal(sink_take(sink, &parsed.result, NULL), 0);
	sink_free(sink);
	assert_int_equal(ocr_pages_add(&missing, 3), 0);
	assert_int_equal(frames_write(&frames, &missing, &parsed), 0);
	read_pipe(ends[0], &said);
	assert_int_equal(frames_read(&said, 1000, &back, &listed, &err), 0);
	assert_int_equal(listed.n, 1);
	assert_int_equal(listed.numbers[0], 3);
	ocr_pages_done(&listed);
	assert_string_equal(back.result.text, "Rivers\n\nrise\n");
	assert_string_equal(back.result.truncated, "only ??");
	assert_int_equal(back.result.n_pages, 3);
	assert_int_equal(back.result.marks.n_blocks, 2);
	assert_true(back.result.marks.blocks[1].aside);
	assert_string_equal(back.result.marks.places[1].section, "M\xc3\xbchle");
	parsed_done(&parsed);
	parsed_done(&back);
	buf_append(&said, "Rivers\n", strlen("Rivers\n"));
	assert_int_equal(frames_write_failure(&failed, &missing, -EACCES, "its \xe4 is \033 shut"), 0);
	read_pipe(ends[0], &said);
	assert_int_equal(frames_read(&said, 1000, &back, &listed, &err), -EACCES);
	assert_string_equal(err.text, "its ? is ? shut");
	assert_int_equal(listed.n, 1);
	ocr_pages_done(&listed);
	ocr_pages_done(&missing);
	close(ends[0]);
	close(ends[1]);
}

static void who_cannot_write_says_so_at_the_end(void **state)
{
	struct parsed parsed = { .media_type = "text/plain", .charset = "utf-8" };
	struct frames frames = { 0 };
	struct ocr_pages none = { 0 };
	struct fixture *f = *state;

	frames.fd = f->fd; /* to be read from */
	frames_write_text(&frames, "words", 5);
	assert_int_equal(frames_write_failure(&frames, &none, -EBADMSG, "damaged"), -EBADF);
	parsed.result.text = (char[]){ "words and words" };
	parsed.result.n = 15;
	assert_int_equal(frames_write(&frames, &none, &parsed), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_crash_fails_the_document_with_its_signal, setup, teardown),
		cmocka_unit_test_setup_teardown(too_much_time_ends_it_and_all_that_it_started, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(one_that_closes_its_pipe_and_stays_is_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_is_left_to_be_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(more_than_there_can_be_is_not_listened_to, setup, teardown),
		cmocka_unit_test_setup_teardown(it_stops_when_told_to, setup, teardown),
		cmocka_unit_test_setup_teardown(who_waits_is_told_so, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_of_ours_is_inherited, setup, teardown),
		cmocka_unit_test_setup_teardown(an_extractor_that_is_not_there_is_no_lost_document, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_file_that_changes_meanwhile_is_read_again, setup, teardown),
		cmocka_unit_test(frames_that_promise_what_they_do_not_hold_are_refused),
		cmocka_unit_test(frames_may_end_anywhere),
		cmocka_unit_test(the_text_is_bounded),
		cmocka_unit_test(an_end_that_lies_is_refused),
		cmocka_unit_test(an_extractor_may_fail_for_a_parsers_reasons_alone),
		cmocka_unit_test(pages_without_text_are_listed_rising_and_when_asked_for),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test_setup_teardown(who_cannot_write_says_so_at_the_end, setup, teardown),
	};

	return cmocka_run_group_tests_name("extract_child", tests, NULL, NULL);
}
