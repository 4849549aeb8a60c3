#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"

/* Standard error is a file while a test runs, and journald is a socket of the test's. */
struct fixture {
	char folder[64], path[96], socket[96];
	int stderr_fd; /* the real one */
	int journal_fd; /* where journald would listen; -1 */
};

static int setup(void **state)
{
	static struct fixture fixture;
	int fd;

	fixture = (struct fixture){ .folder = "/tmp/test_log.XXXXXX", .journal_fd = -1 };
	assert_non_null(mkdtemp(fixture.folder));
	snprintf(fixture.path, sizeof(fixture.path), "%s/stderr", fixture.folder);
	snprintf(fixture.socket, sizeof(fixture.socket), "%s/journal", fixture.folder);
	fixture.stderr_fd = dup(STDERR_FILENO);
	fd = open(fixture.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fixture.stderr_fd >= 0 && fd >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
	unsetenv("JOURNAL_STREAM");
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	log_close_journal();
	log_set_level(LOG_LEVEL_INFO);
	unsetenv("JOURNAL_STREAM");
	dup2(f->stderr_fd, STDERR_FILENO);
	close(f->stderr_fd);
	if (f->journal_fd >= 0)
		close(f->journal_fd);
	unlink(f->socket);
	unlink(f->path);
	return rmdir(f->folder);
}

static void listen_as_journald(struct fixture *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, f->socket, strlen(f->socket) + 1);
	f->journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(f->journal_fd >= 0);
	assert_int_equal(bind(f->journal_fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

/* As the service manager does; offset 0 tells the truth. */
static void set_stream(unsigned offset)
{
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + offset);
	setenv("JOURNAL_STREAM", stream, 1);
}

static void assert_stderr(const struct fixture *f, const char *expected)
{
	struct buf text = { 0 };

	assert_int_equal(file_read(f->path, 1 << 20, &text, NULL), 0);
	assert_string_equal(text.n > 0 ? text.data : "", expected);
	buf_done(&text);
}

static size_t receive(const struct fixture *f, char *ret, size_t n)
{
	ssize_t n_bytes = recv(f->journal_fd, ret, n - 1, 0);

	assert_true(n_bytes >= 0);
	ret[n_bytes] = '\0';
	return (size_t)n_bytes;
}

static void assert_nothing_received(const struct fixture *f)
{
	char byte;

	assert_int_equal(recv(f->journal_fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static const struct log_field ABOUT[] = {
	{ "MESSAGE_ID", "0123" }, { "SKIMD_STAGE", NULL }, { "SKIMD_PATH", "/in/a b.txt" }, { NULL, NULL }
};

static void without_a_journal_a_line_is_as_ever(void **state)
{
	struct fixture *f = *state;

	log_open_journal(f->socket);
	log_fields(LOG_LEVEL_INFO, ABOUT, "'%s': done, %d tokens", "a", 3);
	assert_stderr(f, "'a': done, 3 tokens\n");
}

static void an_entry_has_the_line_and_its_fields(void **state)
{
	struct fixture *f = *state;
	char entry[1024];

	listen_as_journald(f);
	set_stream(0);
	log_open_journal(f->socket);
	log_fields(LOG_LEVEL_WARNING, ABOUT, "'%s': late", "a");
	receive(f, entry, sizeof(entry));
	assert_memory_equal(entry,
	                    "PRIORITY=4\nSYSLOG_IDENTIFIER=", strlen("PRIORITY=4\nSYSLOG_IDENTIFIER="));
	assert_string_equal(strstr(entry, "\nMESSAGE="),
	                    "\nMESSAGE='a': late\nMESSAGE_ID=0123\nSKIMD_PATH=/in/a b.txt\n");
	assert_stderr(f, "");
}

/* A file may have any name: it shall not put fields of its own into the entry. */
static void a_value_with_newlines_stays_one_value(void **state)
{
	static const char PATH[] = "/in/a\nMESSAGE_ID=evil\nPRIORITY=0";
	static const char EXPECTED[] = "\nSKIMD_PATH\n\x20\0\0\0\0\0\0\0/in/a\nMESSAGE_ID=evil\nPRIORITY=0\n";
	const struct log_field about[] = { { "SKIMD_PATH", PATH }, { NULL, NULL } };
	struct fixture *f = *state;
	char entry[1024];
	size_t n;

	assert_int_equal(strlen(PATH), 0x20);
	listen_as_journald(f);
	set_stream(0);
	log_open_journal(f->socket);
	log_fields(LOG_LEVEL_INFO, about, "'%s': done", PATH);
	n = receive(f, entry, sizeof(entry));
	assert_non_null(memmem(entry, n, EXPECTED, sizeof(EXPECTED) - 1));
	assert_non_null(strstr(entry, "\nMESSAGE='/in/a?MESSAGE_ID=evil?PRIORITY=0': done\n"));
}

static void other_lines_stay_on_standard_error(void **state)
{
	struct fixture *f = *state;

	listen_as_journald(f);
	set_stream(0);
	log_open_journal(f->socket);
	log_info("as ever");
	assert_nothing_received(f);
	assert_stderr(f, "<6>as ever\n");
}

static void a_line_above_the_level_goes_nowhere(void **state)
{
	struct fixture *f = *state;

	listen_as_journald(f);
	set_stream(0);
	log_open_journal(f->socket);
	log_fields(LOG_LEVEL_DEBUG, ABOUT, "hidden");
	assert_nothing_received(f);
	assert_stderr(f, "");
}

static void standard_error_that_was_pointed_elsewhere_gets_its_lines(void **state)
{
	struct fixture *f = *state;

	listen_as_journald(f);
	set_stream(1);
	log_open_journal(f->socket);
	log_fields(LOG_LEVEL_INFO, ABOUT, "to the file");
	assert_nothing_received(f);
	assert_stderr(f, "<6>to the file\n");
}

static void a_stream_that_is_no_stream_is_none(void **state)
{
	struct fixture *f = *state;

	listen_as_journald(f);
	setenv("JOURNAL_STREAM", "nonsense", 1);
	log_open_journal(f->socket);
	log_fields(LOG_LEVEL_ERROR, ABOUT, "to the file");
	assert_nothing_received(f);
	assert_stderr(f, "<3>to the file\n");
}

static void a_missing_socket_leaves_standard_error(void **state)
{
	struct fixture *f = *state;

	set_stream(0);
	log_open_journal(f->socket);
	log_fields(LOG_LEVEL_INFO, ABOUT, "to the file");
	assert_stderr(f, "<6>to the file\n");
}

static void a_journal_that_went_away_leaves_standard_error(void **state)
{
	struct fixture *f = *state;

	listen_as_journald(f);
	set_stream(0);
	log_open_journal(f->socket);
	close(f->journal_fd);
	f->journal_fd = -1;
	log_fields(LOG_LEVEL_INFO, ABOUT, "not lost");
	assert_stderr(f, "<6>not lost\n");
}

static void a_name_too_long_for_a_socket_leaves_standard_error(void **state)
{
	struct fixture *f = *state;
	char name[200] = "/";

	memset(name + 1, 'n', sizeof(name) - 2);
	set_stream(0);
	log_open_journal(name);
	log_fields(LOG_LEVEL_INFO, ABOUT, "not lost");
	assert_stderr(f, "<6>not lost\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_journal_a_line_is_as_ever),
		TEST(an_entry_has_the_line_and_its_fields),
		TEST(a_value_with_newlines_stays_one_value),
		TEST(other_lines_stay_on_standard_error),
		TEST(a_line_above_the_level_goes_nowhere),
		TEST(standard_error_that_was_pointed_elsewhere_gets_its_lines),
		TEST(a_stream_that_is_no_stream_is_none),
		TEST(a_missing_socket_leaves_standard_error),
		TEST(a_journal_that_went_away_leaves_standard_error),
		TEST(a_name_too_long_for_a_socket_leaves_standard_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
