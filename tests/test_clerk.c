/* What the loop learns gets into the store in its order, and the loop waits for nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clerk.h"
#include "daemon/document_file.h"
#include "daemon/intake.h"
#include "daemon/loop.h"
#include "daemon/units.h"

#define N_FILES 500
#define MAX_NOTES 1000
#define SLOW_NS (50 * NS_PER_MS) /* longer than the loop may stand still */

struct fixture {
	char folder[48], path[64];
	struct docstore *store;
	struct clerk *clerk;
	atomic_uint n_queued, n_rested;
	atomic_bool held; /* the clerk, in on_queued() */
};

static void on_queued(void *user)
{
	struct fixture *f = user;

	f->n_queued++;
	while (f->held)
		usleep(1000);
}

static void on_rested(void *user)
{
	struct fixture *f = user;

	f->n_rested++;
}

static int set_up(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;
	struct docstore_settings settings = { .path = f->path, .mode = DOCSTORE_WRITE };
	struct clerk_settings clerk = {
		.user = f, .queued = on_queued, .rested = on_rested, .max_notes = MAX_NOTES
	};

	memset(f, 0, sizeof(*f));
	snprintf(f->folder, sizeof(f->folder), "/tmp/test_clerk.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%.40s/skimd.db", f->folder);
	assert_int_equal(docstore_open(&settings, &f->store, NULL), 0);
	clerk.store = f->store;
	assert_int_equal(clerk_start(&clerk, &f->clerk, NULL), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const SUFFIXES[] = { "", "-wal", "-shm", "-lock" };
	struct fixture *f = *state;
	char name[80];

	clerk_stop(f->clerk);
	docstore_close(f->store);
	for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++) {
		snprintf(name, sizeof(name), "%.64s%s", f->path, SUFFIXES[i]);
		unlink(name);
	}
	return rmdir(f->folder);
}

static struct document_file file_of(const char *path)
{
	return (struct document_file){ .path = path, .folder = "/in", .inode = 7, .ctime_ns = 9 };
}

static int add(struct fixture *f, const char *path)
{
	const struct document_file file = file_of(path);

	return clerk_add(f->clerk, &file);
}

static struct document get(struct fixture *f, const char *path)
{
	struct document document = { 0 };
	int64_t id;

	assert_int_equal(docstore_resolve(f->store, path, &id, NULL), 0);
	assert_int_equal(docstore_get(f->store, id, &document, NULL), 0);
	return document;
}

static void assert_state(struct fixture *f, const char *path, enum document_state state, const char *error)
{
	struct document document = get(f, path);

	assert_int_equal(document.state, state);
	if (error == NULL)
		assert_null(document.error);
	else
		assert_string_equal(document.error, error);
	document_done(&document);
}

static void what_is_told_is_written(void **state)
{
	struct fixture *f = *state;
	const struct document_file link = file_of("/in/link"), secret = file_of("/in/secret");

	assert_int_equal(add(f, "/in/a"), 0);
	assert_int_equal(clerk_ignore(f->clerk, &link, "not a regular file"), 0);
	assert_int_equal(clerk_refuse(f->clerk, &secret, "cannot be read"), 0);
	clerk_wait(f->clerk);
	assert_state(f, "/in/a", DOCUMENT_QUEUED, NULL);
	assert_state(f, "/in/link", DOCUMENT_IGNORED, "not a regular file");
	assert_state(f, "/in/secret", DOCUMENT_FAILED, "cannot be read");
	assert_int_equal(f->n_queued, 1);
	assert_int_equal(clerk_n_waiting(f->clerk), 0);
	clerk_stop(f->clerk);
	f->clerk = NULL;
	assert_true(f->n_rested >= 1);
}

static void a_file_that_could_not_be_read_is_queued_as_it_is(void **state)
{
	struct fixture *f = *state;
	const struct document_file file = file_of("/in/a");

	clerk_refuse(f->clerk, &file, "cannot be read");
	clerk_refuse(f->clerk, &file, "cannot be read");
	clerk_add(f->clerk, &file);
	clerk_wait(f->clerk);
	assert_state(f, "/in/a", DOCUMENT_QUEUED, NULL);
	assert_int_equal(f->n_queued, 1);
}

static int count_event(void *user, const struct document_event *event)
{
	assert_string_equal(event->message, "cannot be read");
	assert_true(event->document_id > 0);
	(*(int *)user)++;
	return 0;
}

static void that_a_file_cannot_be_read_is_one_event(void **state)
{
	struct fixture *f = *state;
	const struct document_file file = file_of("/in/a");
	int n = 0;

	clerk_refuse(f->clerk, &file, "cannot be read");
	clerk_refuse(f->clerk, &file, "cannot be read");
	clerk_wait(f->clerk);
	assert_int_equal(docstore_events(f->store, 0, 10, count_event, &n, NULL), 0);
	assert_int_equal(n, 1);
}

static void the_order_is_kept(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 20; i++) {
		add(f, "/in/a");
		clerk_gone(f->clerk, "/in/a");
	}
	clerk_gone(f->clerk, "/in/never known");
	clerk_wait(f->clerk);
	assert_state(f, "/in/a", DOCUMENT_GONE, NULL);
	assert_int_equal(f->n_queued, 20);
}

static void what_went_unseen_is_gone_below_the_folders_alone(void **state)
{
	struct fixture *f = *state;
	struct config_watch watch = { .path = f->folder };
	const struct config config = { .watch = &watch, .n_watch = 1 };
	char went[64];

	snprintf(went, sizeof(went), "%.40s/went", f->folder);
	add(f, went);
	add(f, f->path);
	add(f, "/nowhere/a");
	assert_int_equal(clerk_find_gone(f->clerk, &config), 0);
	clerk_wait(f->clerk);
	assert_state(f, went, DOCUMENT_GONE, NULL);
	assert_state(f, f->path, DOCUMENT_QUEUED, NULL);
	assert_state(f, "/nowhere/a", DOCUMENT_QUEUED, NULL);
}

/* Another process that writes: the clerk waits until it ends. */
static sqlite3 *write_beside(struct fixture *f)
{
	sqlite3 *other;

	assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return other;
}

static void end_writing(sqlite3 *other)
{
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
}

static void on_settled(void *user)
{
	(void)user;
}

static void make_old_file(const char *path)
{
	const struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fclose(file);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void what_goes_while_there_is_no_room_for_a_note_is_found_later(void **state)
{
	struct fixture *f = *state;
	char folder[64], path[80];
	struct config_watch watch = {
		.path = folder, .outbox = folder, .settle_ns = NS_PER_S, .rescan_ns = NS_PER_DAY
	};
	struct config config = { .watch = &watch, .n_watch = 1 };
	struct intake_settings settings = { .config = &config, .clerk = f->clerk, .settled = on_settled };
	struct intake *intake;
	sqlite3 *other;
	int r;

	snprintf(folder, sizeof(folder), "%.40s/in", f->folder);
	snprintf(path, sizeof(path), "%.60s/a", folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	make_old_file(path);
	assert_int_equal(loop_new(&settings.loop, NULL), 0);
	assert_int_equal(intake_open(&settings, &intake, NULL), 0);
	clerk_wait(f->clerk);
	assert_state(f, path, DOCUMENT_QUEUED, NULL);

	other = write_beside(f);
	clerk_event(f->clerk, "info", "waits for the other writer");
	while ((r = clerk_gone(f->clerk, "/in/never known")) == 0)
		;
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(unlink(path), 0);
	intake_catch_up(intake);
	intake_clerk_rested(intake); /* not yet */
	end_writing(other);
	clerk_wait(f->clerk);
	assert_state(f, path, DOCUMENT_QUEUED, NULL);
	intake_clerk_rested(intake);
	clerk_wait(f->clerk);
	assert_state(f, path, DOCUMENT_GONE, NULL);
	intake_clerk_rested(intake); /* once is enough */
	assert_int_equal(clerk_n_waiting(f->clerk), 0);

	intake_close(intake);
	loop_free(settings.loop);
	assert_int_equal(rmdir(folder), 0);
}

static void telling_waits_for_no_writer(void **state)
{
	struct fixture *f = *state;
	sqlite3 *other = write_beside(f);
	uint64_t slowest_ns = 0;

	for (int i = 0; i < N_FILES; i++) {
		char path[32];
		uint64_t start_ns = loop_now_ns(), took_ns;

		snprintf(path, sizeof(path), "/in/%d", i);
		assert_int_equal(add(f, path), 0);
		took_ns = loop_now_ns() - start_ns;
		slowest_ns = took_ns > slowest_ns ? took_ns : slowest_ns;
	}
	assert_true(slowest_ns < SLOW_NS);
	assert_int_equal(clerk_n_waiting(f->clerk), N_FILES);
	assert_true(clerk_has(f->clerk, "/in/499"));
	end_writing(other);
	clerk_wait(f->clerk);
	assert_false(clerk_has(f->clerk, "/in/499"));
	assert_int_equal(f->n_queued, N_FILES);
	print_message("# the slowest of %d calls took %.3f ms\n", N_FILES, (double)slowest_ns / 1e6);
}

/* Without the sanitizer it would pass in any case. */
static void a_file_may_be_dated_as_its_owner_likes(void **state)
{
	static const int64_t SECONDS[] = { 0, -1, INT64_C(10413792000), INT64_C(-10413792000),
		                           INT64_C(1) << 40 };
	const size_t n = sizeof(SECONDS) / sizeof(SECONDS[0]);
	int64_t times[sizeof(SECONDS) / sizeof(SECONDS[0])];

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct stat st = { .st_mtim = { .tv_sec = SECONDS[i], .tv_nsec = 7 } };

		times[i] = document_file_of("/in/a", NULL, NULL, &st).mtime_ns;
		for (size_t j = 0; j < i; j++)
			assert_true(times[i] != times[j]);
	}
	assert_int_equal(times[0], 7);
}

static void what_is_copied_may_go(void **state)
{
	struct fixture *f = *state;
	char path[] = "/in/a", reason[] = "no file";
	struct document_file file = file_of(path);

	clerk_ignore(f->clerk, &file, reason);
	memset(path, 'x', sizeof(path) - 1);
	memset(reason, 'x', sizeof(reason) - 1);
	clerk_wait(f->clerk);
	assert_state(f, "/in/a", DOCUMENT_IGNORED, "no file");
}

static int count_any(void *user, const struct document_event *event)
{
	(void)event;
	(*(int *)user)++;
	return 0;
}

static void it_stops_with_notes_unwritten(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	f->held = true;
	add(f, "/in/a");
	for (int i = 0; i < N_FILES; i++)
		clerk_event(f->clerk, "info", "more of the same");
	f->held = false;
	clerk_stop(f->clerk);
	f->clerk = NULL;
	assert_int_equal(docstore_events(f->store, 0, N_FILES + 1, count_any, &n, NULL), 0);
	assert_true(n < N_FILES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_told_is_written),
		TEST(a_file_that_could_not_be_read_is_queued_as_it_is),
		TEST(that_a_file_cannot_be_read_is_one_event),
		TEST(the_order_is_kept),
		TEST(what_went_unseen_is_gone_below_the_folders_alone),
		TEST(what_goes_while_there_is_no_room_for_a_note_is_found_later),
		TEST(telling_waits_for_no_writer),
		cmocka_unit_test(a_file_may_be_dated_as_its_owner_likes),
		TEST(what_is_copied_may_go),
		TEST(it_stops_with_notes_unwritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
