#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "daemon/units.h"
#include "daemon/watch.h"
#include "tests/remove_tree.h"

#define S NS_PER_S
#define MS NS_PER_MS
#define SETTLE (5 * S)

/* Everything happens below a temporary folder: in/ is watched, out/ is where files come from and go to. What is
 * told is written down as lines such as "ready a/b.txt", in the order in which it came. */
struct fixture {
	char base[64];
	char *globs[1];
	struct watch_settings settings;
	struct watch *watch;
	struct loop *loop;
	struct buf told;
	size_t n_ready, n_gone;
	size_t n_unsettled; /* as told last */
	size_t stop_at; /* end the loop when so many were ready */
	size_t n_refused; /* that many calls fail before anything is told */
	bool quiet; /* count only */
};

static struct fixture fixture;
static int n_watches_left; /* -1: no limit but the kernel's */
static bool
	remote; /* all folders look as if they were on a file server, whose other clients no event tells of */

/* The real ones, but for the limit and for file servers: tests link them instead of the C library's. */
int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	if (remote)
		mask &= IN_DELETE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW;
	if (n_watches_left == 0) {
		errno = ENOSPC;
		return -1;
	}
	if (n_watches_left > 0)
		n_watches_left--;
	return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

int fstatfs(int fd, struct statfs *ret)
{
	if (syscall(SYS_fstatfs, fd, ret) < 0)
		return -1;
	if (remote)
		ret->f_type = NFS_SUPER_MAGIC;
	return 0;
}

static void told(const char *what, const char *path)
{
	char *root = realpath(fixture.base, NULL);
	const char *rest = path + strlen(root) + strlen("/in");

	if (!fixture.quiet)
		buf_printf(&fixture.told, "%s %s\n", what, *rest == '/' ? rest + 1 : ".");
	free(root);
}

/* Whether to fail as a store does that is locked or full. */
static bool refuse(void)
{
	if (fixture.n_refused == 0)
		return false;
	fixture.n_refused--;
	return true;
}

static int on_ready(void *user, const char *path, const struct stat *st)
{
	struct stat now;

	(void)user;
	if (refuse())
		return -EBUSY;
	if (lstat(path, &now) < 0 || now.st_ino != st->st_ino || !S_ISREG(st->st_mode))
		told("not what is there:", path);
	told("ready", path);
	if (++fixture.n_ready == fixture.stop_at)
		loop_stop(fixture.loop);
	return 0;
}

static int on_unreadable(void *user, const char *path, int error)
{
	(void)user;
	if (refuse())
		return -ENOSPC;
	told(error == EACCES ? "no access to" : "cannot read", path);
	return 0;
}

static int on_ignored(void *user, const char *path, const struct stat *st, const char *reason)
{
	(void)user;
	(void)st;
	if (refuse())
		return -ENOSPC;
	told(reason, path);
	return 0;
}

static void on_gone(void *user, const char *path)
{
	(void)user;
	fixture.n_gone++;
	told("gone", path);
}

static void on_settled(void *user)
{
	(void)user;
	if (fixture.watch != NULL) /* not while it is opened */
		fixture.n_unsettled = watch_count(fixture.watch).n_unsettled;
}

/* Paths below the temporary folder; two may be in use at a time. */
static const char *at(const char *name)
{
	static char paths[2][PATH_MAX];
	static int next;
	char *path = paths[next = !next];

	snprintf(path, PATH_MAX, "%s/%s", fixture.base, name);
	return path;
}

static void make_folder(const char *name)
{
	assert_int_equal(mkdir(at(name), 0755), 0);
}

static int open_file(const char *name)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	return fd;
}

static void write_file(const char *name)
{
	int fd = open_file(name);

	assert_int_equal(write(fd, "text\n", 5), 5);
	close(fd);
}

static void make_old(const char *name)
{
	const struct timespec times[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };

	assert_int_equal(utimensat(AT_FDCWD, at(name), times, AT_SYMLINK_NOFOLLOW), 0);
}

static void write_old_file(const char *name)
{
	write_file(name);
	make_old(name);
}

static void move(const char *from, const char *to)
{
	assert_int_equal(rename(at(from), at(to)), 0);
}

static void open_watch(void)
{
	assert_int_equal(watch_open(&fixture.settings, fixture.loop, &fixture.watch, NULL), 0);
	assert_int_equal(watch_rescan(fixture.watch, NULL), 0);
}

static void tick(uint64_t now_ns)
{
	watch_tick(fixture.watch, now_ns);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What was told since the last call, its lines sorted, since folders are read in any order. */
static const char *told_sorted(void)
{
	static char sorted[4096];
	char *lines[64], *save = NULL;
	size_t n = 0, n_bytes = 0;

	sorted[0] = '\0';
	if (fixture.told.n == 0)
		return sorted;
	for (char *line = strtok_r(fixture.told.data, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		lines[n++] = line;
	qsort(lines, n, sizeof(lines[0]), compare_lines);
	for (size_t i = 0; i < n; i++)
		n_bytes += (size_t)snprintf(sorted + n_bytes, sizeof(sorted) - n_bytes, "%s%s",
		                            i > 0 ? ", " : "", lines[i]);
	buf_done(&fixture.told);
	return sorted;
}

#define assert_told(expected) assert_string_equal(told_sorted(), expected)

static int setup(void **state)
{
	(void)state;
	fixture = (struct fixture){ .base = "/tmp/test_watch.XXXXXX" };
	n_watches_left = -1;
	remote = false;
	assert_non_null(mkdtemp(fixture.base));
	make_folder("in");
	make_folder("out");
	fixture.globs[0] = (char *)"*.bak";
	fixture.settings = (struct watch_settings){
		.recursive = true,
		.settle_ns = SETTLE,
		.rescan_ns = 300 * S,
		.ignore = fixture.globs,
		.n_ignore = 1,
		.ready = on_ready,
		.unreadable = on_unreadable,
		.ignored = on_ignored,
		.gone = on_gone,
		.settled = on_settled,
	};
	/* at() gives a buffer that is used again */
	fixture.settings.path = strdup(at("in"));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	watch_close(fixture.watch);
	loop_free(fixture.loop);
	buf_done(&fixture.told);
	free((char *)fixture.settings.path);
	return remove_tree(fixture.base);
}

static void a_written_file_is_ready_when_it_has_settled(void **state)
{
	(void)state;
	open_watch();
	write_file("in/a.txt");
	tick(1 * S);
	tick(1 * S + SETTLE - 1);
	assert_told("");
	tick(1 * S + SETTLE);
	assert_told("ready a.txt");
}

static void a_file_is_told_once_until_it_changes(void **state)
{
	(void)state;
	open_watch();
	write_file("in/a.txt");
	tick(1 * S);
	tick(10 * S);
	assert_told("ready a.txt");
	assert_int_equal(watch_rescan(fixture.watch, NULL), 0);
	tick(20 * S);
	tick(400 * S);
	assert_told("");
	write_file("in/a.txt");
	tick(401 * S);
	assert_told("");
	tick(410 * S);
	assert_told("ready a.txt");
}

static void a_file_renamed_into_place_is_ready_sooner(void **state)
{
	(void)state;
	open_watch();
	write_file("out/a.txt");
	move("out/a.txt", "in/a.txt");
	tick(1 * S);
	tick(1 * S + 499 * MS);
	assert_told("");
	tick(1 * S + 500 * MS);
	assert_told("ready a.txt");
}

static void a_short_settle_is_kept_for_renamed_files_as_well(void **state)
{
	(void)state;
	fixture.settings.settle_ns = 100 * MS;
	open_watch();
	write_file("out/a.txt");
	move("out/a.txt", "in/a.txt");
	tick(1 * S);
	tick(1 * S + 100 * MS);
	assert_told("ready a.txt");
}

static void a_mode_change_after_the_rename_does_not_make_it_wait_the_full_time(void **state)
{
	(void)state;
	open_watch();
	write_file("out/a.txt");
	move("out/a.txt", "in/a.txt");
	tick(1 * S);
	assert_int_equal(chmod(at("in/a.txt"), 0600), 0);
	tick(1 * S + 100 * MS);
	tick(1 * S + 500 * MS);
	assert_told("");
	tick(1 * S + 600 * MS);
	assert_told("ready a.txt");
}

static void a_renamed_file_that_is_written_to_settles_like_any_other(void **state)
{
	(void)state;
	open_watch();
	write_file("out/a.txt");
	move("out/a.txt", "in/a.txt");
	tick(1 * S);
	write_file("in/a.txt");
	tick(1 * S + 100 * MS);
	tick(1 * S + 600 * MS);
	assert_told("");
	tick(1 * S + 100 * MS + SETTLE);
	assert_told("ready a.txt");
}

static void a_slow_writer_is_waited_for(void **state)
{
	(void)state;
	open_watch();
	for (uint64_t i = 1; i <= 10; i++) {
		write_file("in/a.txt");
		tick(i * 4 * S);
		assert_told("");
	}
	tick(40 * S + SETTLE);
	assert_told("ready a.txt");
}

static void a_file_that_a_writer_holds_open_is_not_ready(void **state)
{
	int fd;

	(void)state;
	open_watch();
	fd = open_file("in/a.txt");
	assert_int_equal(write(fd, "half", 4), 4);
	tick(1 * S);
	for (uint64_t i = 1; i < 20; i++)
		tick(i * 10 * S);
	assert_told("");
	assert_int_equal(watch_count(fixture.watch).n_unsettled, 1);
	close(fd);
	tick(200 * S);
	tick(200 * S + SETTLE);
	assert_told("ready a.txt");
}

static void an_old_file_that_a_writer_holds_open_is_not_ready_either(void **state)
{
	int fd;

	(void)state;
	fd = open_file("in/a.txt");
	make_old("in/a.txt");
	open_watch();
	assert_told("");
	close(fd);
	tick(1 * S);
	tick(1 * S + SETTLE);
	assert_told("ready a.txt");
}

static void a_change_without_an_event_is_noticed_at_the_second_look(void **state)
{
	(void)state;
	n_watches_left = 0;
	write_file("in/a.txt");
	open_watch();
	write_file("in/a.txt");
	tick(SETTLE);
	assert_told("");
	tick(2 * SETTLE);
	assert_told("ready a.txt");
}

static void with_no_settle_time_a_busy_file_is_still_not_asked_for_all_the_time(void **state)
{
	int fd;

	(void)state;
	fixture.settings.settle_ns = 0;
	open_watch();
	fd = open_file("in/a.txt");
	write_file("in/b.txt");
	tick(1 * S);
	assert_told("ready b.txt");
	close(fd);
	tick(1 * S + 1);
	assert_told("ready a.txt");
}

static void old_files_are_ready_at_open_and_young_ones_settle(void **state)
{
	(void)state;
	make_folder("in/sub");
	write_old_file("in/old.txt");
	write_old_file("in/sub/old.txt");
	write_file("in/young.txt");
	open_watch();
	assert_told("ready old.txt, ready sub/old.txt");
	tick(SETTLE);
	assert_told("ready young.txt");
}

static void a_file_that_could_not_be_noted_is_offered_again(void **state)
{
	(void)state;
	write_old_file("in/a.txt");
	fixture.n_refused = 2;
	open_watch();
	tick(9 * S);
	assert_int_equal(fixture.n_refused, 1);
	tick(10 * S);
	assert_int_equal(fixture.n_refused, 0);
	assert_int_equal(watch_count(fixture.watch).n_unsettled, 1);
	assert_int_equal(unlink(at("in/a.txt")), 0);
	write_old_file("in/a.txt");
	tick(11 * S);
	tick(30 * S);
	assert_told("ready a.txt");
	tick(60 * S);
	assert_told("");
}

static void a_refusal_leaves_the_others_for_the_next_round(void **state)
{
	(void)state;
	write_old_file("in/a.txt");
	write_old_file("in/b.txt");
	fixture.n_refused = 1;
	open_watch();
	assert_told("");
	tick(0);
	assert_int_equal(fixture.n_ready, 1);
	tick(10 * S);
	assert_told("ready a.txt, ready b.txt");
}

static void what_is_ignored_and_could_not_be_noted_is_told_later(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(at("in/fifo"), 0600), 0);
	fixture.n_refused = 1;
	open_watch();
	tick(9 * S);
	assert_told("");
	tick(10 * S);
	assert_told("not a regular file fifo");
	tick(400 * S);
	assert_told("");
}

static void a_burst_is_told_in_parts(void **state)
{
	(void)state;
	fixture.quiet = true;
	for (int i = 0; i < 150; i++) {
		char name[32];

		snprintf(name, sizeof(name), "in/%d.txt", i);
		write_old_file(name);
	}
	open_watch();
	assert_int_equal(fixture.n_ready, 64);
	tick(0);
	assert_int_equal(fixture.n_ready, 128);
	tick(0);
	assert_int_equal(fixture.n_ready, 150);
}

static void a_deep_tree_made_at_once_is_found(void **state)
{
	(void)state;
	open_watch();
	make_folder("in/a");
	make_folder("in/a/b");
	make_folder("in/a/b/c");
	write_file("in/a/b/c/deep.txt");
	tick(1 * S);
	write_file("in/a/b/c/later.txt");
	tick(2 * S);
	tick(10 * S);
	assert_told("ready a/b/c/deep.txt, ready a/b/c/later.txt");
	assert_int_equal(watch_count(fixture.watch).n_folders, 4);
}

static void a_tree_moved_in_is_read_and_moved_out_is_gone(void **state)
{
	(void)state;
	open_watch();
	make_folder("out/tree");
	make_folder("out/tree/sub");
	write_old_file("out/tree/a.txt");
	write_old_file("out/tree/sub/b.txt");
	move("out/tree", "in/tree");
	tick(1 * S);
	assert_told("ready tree/a.txt, ready tree/sub/b.txt");
	move("in/tree", "out/tree");
	tick(2 * S);
	assert_told("gone tree/a.txt, gone tree/sub/b.txt");
	assert_int_equal(watch_count(fixture.watch).n_folders, 1);
	write_file("out/tree/a.txt");
	tick(3 * S);
	tick(30 * S);
	assert_told("");
}

static void a_tree_moved_within_has_new_names(void **state)
{
	(void)state;
	make_folder("in/a");
	make_folder("in/a/sub");
	write_old_file("in/a/sub/x.txt");
	open_watch();
	assert_told("ready a/sub/x.txt");
	move("in/a", "in/b");
	make_folder("in/a");
	write_old_file("in/a/y.txt");
	tick(1 * S);
	tick(1 * S + SETTLE);
	assert_told("gone a/sub/x.txt, ready a/y.txt, ready b/sub/x.txt");
	write_file("in/b/sub/z.txt");
	tick(20 * S);
	tick(30 * S);
	assert_told("ready b/sub/z.txt");
}

static void a_file_moved_within_is_gone_and_ready(void **state)
{
	(void)state;
	write_old_file("in/a.txt");
	open_watch();
	assert_told("ready a.txt");
	move("in/a.txt", "in/b.txt");
	tick(1 * S);
	tick(2 * S);
	assert_told("gone a.txt, ready b.txt");
}

static void a_deleted_file_is_gone(void **state)
{
	(void)state;
	write_old_file("in/a.txt");
	open_watch();
	assert_told("ready a.txt");
	assert_int_equal(unlink(at("in/a.txt")), 0);
	tick(1 * S);
	assert_told("gone a.txt");
	assert_int_equal(watch_count(fixture.watch).n_files, 0);
}

static void a_file_that_goes_before_it_settles_is_not_mentioned(void **state)
{
	(void)state;
	open_watch();
	write_file("in/a.txt");
	tick(1 * S);
	assert_int_equal(watch_count(fixture.watch).n_unsettled, 1);
	assert_int_equal(unlink(at("in/a.txt")), 0);
	tick(2 * S);
	tick(20 * S);
	assert_told("");
	assert_int_equal(watch_count(fixture.watch).n_unsettled, 0);
}

static void a_file_replaced_by_another_is_ready_again_and_never_gone(void **state)
{
	(void)state;
	write_old_file("in/a.txt");
	open_watch();
	write_old_file("out/a.txt");
	move("out/a.txt", "in/a.txt");
	tick(1 * S);
	tick(2 * S);
	assert_told("ready a.txt, ready a.txt");
}

static void a_removed_tree_is_gone_file_by_file(void **state)
{
	(void)state;
	make_folder("in/a");
	make_folder("in/a/b");
	write_old_file("in/a/x.txt");
	write_old_file("in/a/b/y.txt");
	open_watch();
	assert_told("ready a/b/y.txt, ready a/x.txt");
	assert_int_equal(remove_tree(at("in/a")), 0);
	tick(1 * S);
	assert_told("gone a/b/y.txt, gone a/x.txt");
	assert_int_equal(watch_count(fixture.watch).n_folders, 1);
}

static void a_folder_may_take_the_place_of_a_file_and_the_other_way_round(void **state)
{
	(void)state;
	write_old_file("in/a");
	make_folder("in/b");
	write_old_file("in/b/x.txt");
	open_watch();
	assert_told("ready a, ready b/x.txt");
	assert_int_equal(unlink(at("in/a")), 0);
	make_folder("in/a");
	write_old_file("in/a/y.txt");
	assert_int_equal(remove_tree(at("in/b")), 0);
	write_file("in/b");
	tick(1 * S);
	tick(1 * S + SETTLE);
	assert_told("gone a, gone b/x.txt, ready a/y.txt, ready b");
}

static void names_that_match_a_pattern_are_as_if_not_there(void **state)
{
	(void)state;
	make_folder("in/.git");
	write_old_file("in/.git/config");
	write_old_file("in/a.part");
	open_watch();
	make_folder("in/x.bak");
	write_file("in/x.bak/a.txt");
	write_file("in/a.bak");
	write_file("in/~$letter.docx");
	write_file("in/.a.txt.Xy12Zz");
	assert_int_equal(symlink("nowhere", at("in/.#lock")), 0);
	tick(1 * S);
	tick(20 * S);
	assert_told("");
	assert_int_equal(watch_count(fixture.watch).n_folders, 1);
	move("in/a.part", "in/a.txt");
	tick(21 * S);
	tick(22 * S);
	assert_told("ready a.txt");
}

static void what_is_not_a_regular_file_is_ignored_once_with_a_reason(void **state)
{
	(void)state;
	make_folder("out/folder");
	write_old_file("out/folder/secret.txt");
	assert_int_equal(mkfifo(at("in/fifo"), 0600), 0);
	open_watch();
	assert_told("not a regular file fifo");
	assert_int_equal(symlink("../out/folder", at("in/link")), 0);
	assert_int_equal(symlink("../out/folder/secret.txt", at("in/outside.txt")), 0);
	assert_int_equal(symlink("nowhere", at("in/dangling")), 0);
	tick(1 * S);
	assert_int_equal(watch_rescan(fixture.watch, NULL), 0);
	tick(20 * S);
	assert_told("not a regular file dangling, not a regular file link, not a regular file outside.txt");
	assert_int_equal(unlink(at("in/fifo")), 0);
	tick(21 * S);
	assert_told("gone fifo");
}

static void a_link_to_a_watched_file_is_skipped(void **state)
{
	(void)state;
	write_old_file("in/a.txt");
	assert_int_equal(symlink("a.txt", at("in/again.txt")), 0);
	open_watch();
	assert_told("ready a.txt");
}

/* Without events, so that the file waits under a name that leads elsewhere when it is due. */
static void nothing_is_read_through_a_folder_that_became_a_link(void **state)
{
	(void)state;
	n_watches_left = 0;
	make_folder("out/folder");
	write_file("out/folder/a.txt");
	make_folder("in/folder");
	write_file("in/folder/a.txt");
	open_watch();
	assert_int_equal(watch_count(fixture.watch).n_unsettled, 1);
	move("in/folder", "out/away");
	assert_int_equal(symlink("../out/folder", at("in/folder")), 0);
	for (uint64_t i = 1; i < 10; i++)
		tick(i * SETTLE);
	assert_told("");
	tick(60 * S);
	assert_told("not a regular file folder");
}

static void a_scan_forgets_folders_that_are_gone(void **state)
{
	(void)state;
	n_watches_left = 0;
	make_folder("in/a");
	open_watch();
	assert_int_equal(watch_count(fixture.watch).n_folders, 2);
	assert_int_equal(rmdir(at("in/a")), 0);
	assert_int_equal(watch_rescan(fixture.watch, NULL), 0);
	assert_int_equal(watch_count(fixture.watch).n_folders, 1);
}

static void without_recursion_subfolders_are_left_alone(void **state)
{
	(void)state;
	fixture.settings.recursive = false;
	make_folder("in/sub");
	write_old_file("in/sub/a.txt");
	write_old_file("in/b.txt");
	open_watch();
	make_folder("in/new");
	write_file("in/new/c.txt");
	tick(1 * S);
	tick(20 * S);
	assert_told("ready b.txt");
}

static void when_events_are_lost_nothing_else_is(void **state)
{
	enum { N_FILES = 20000 };

	(void)state;
	fixture.quiet = true;
	make_folder("in/many");
	write_old_file("in/many/removed.txt");
	open_watch();
	assert_int_equal(fixture.n_ready, 1);
	for (int i = 0; i < N_FILES; i++) {
		char name[64];

		snprintf(name, sizeof(name), "in/many/%d.txt", i);
		close(open_file(name));
	}
	make_folder("in/more");
	write_file("in/more/last.txt");
	assert_int_equal(unlink(at("in/many/removed.txt")), 0);
	tick(1 * S);
	assert_int_equal(fixture.n_gone, 1);
	for (int i = 0; i < N_FILES && watch_count(fixture.watch).n_unsettled > 0; i++)
		tick(1 * S + SETTLE);
	assert_int_equal(fixture.n_ready, 1 + N_FILES + 1);
	assert_int_equal(watch_count(fixture.watch).n_unsettled, 0);
	/* 40,000 events and a queue of 16,384, unless the machine's was made longer. */
	if (watch_count(fixture.watch).n_overflows == 0)
		print_message("the queue of this machine did not overflow\n");
	else
		assert_int_equal(watch_count(fixture.watch).n_scans, 2);
}

static void without_enough_watches_scans_find_what_events_do_not(void **state)
{
	(void)state;
	make_folder("in/a");
	make_folder("in/b");
	n_watches_left = 1; /* the root */
	open_watch();
	assert_int_equal(watch_count(fixture.watch).n_unwatched_folders, 2);
	write_old_file("in/b/x.txt");
	tick(59 * S);
	assert_told("");
	tick(60 * S);
	assert_told("ready b/x.txt");
	n_watches_left = -1;
	tick(120 * S);
	assert_int_equal(watch_count(fixture.watch).n_unwatched_folders, 0);
	assert_int_equal(unlink(at("in/b/x.txt")), 0);
	tick(121 * S);
	assert_told("gone b/x.txt");
}

static void a_file_server_is_looked_through_every_half_minute(void **state)
{
	(void)state;
	remote = true;
	make_folder("in/a");
	open_watch();
	assert_int_equal(watch_count(fixture.watch).n_remote_folders, 2);
	write_old_file("in/a/x.txt");
	tick(29 * S);
	assert_told("");
	tick(30 * S);
	assert_told(""); /* its time is the server's, and says nothing */
	assert_int_equal(fixture.n_unsettled, 1);
	tick(30 * S + SETTLE);
	assert_told("ready a/x.txt");
	assert_int_equal(fixture.n_unsettled, 0);
	assert_int_equal(unlink(at("in/a/x.txt")), 0);
	tick(61 * S);
	assert_told("gone a/x.txt");
}

static void who_asks_need_not_wait_for_the_next_look_at_a_file_server(void **state)
{
	(void)state;
	remote = true;
	open_watch();
	tick(999 * MS);
	write_old_file("in/x.txt");
	watch_catch_up(fixture.watch);
	assert_int_equal(watch_count(fixture.watch).n_scans, 1); /* who asks all the time asks for nothing */
	tick(1 * S);
	watch_catch_up(fixture.watch);
	assert_int_equal(watch_count(fixture.watch).n_unsettled, 1);
	assert_true(watch_is_unsettled(fixture.watch, at("in/x.txt")));
	assert_false(watch_is_unsettled(fixture.watch, at("in/y.txt")));
}

static void who_asks_hears_of_files_whose_events_wait(void **state)
{
	(void)state;
	open_watch();
	write_file("in/x.txt");
	watch_catch_up(fixture.watch);
	assert_int_equal(watch_count(fixture.watch).n_unsettled, 1);
	assert_int_equal(fixture.n_unsettled, 1);
	assert_int_equal(unlink(at("in/x.txt")), 0);
	watch_catch_up(fixture.watch); /* a file that goes before it was told of is told in no other way */
	assert_int_equal(fixture.n_unsettled, 0);
}

static void scans_come_round_at_their_interval(void **state)
{
	(void)state;
	open_watch();
	assert_int_equal(watch_count(fixture.watch).n_scans, 1);
	tick(300 * S - 1);
	assert_int_equal(watch_count(fixture.watch).n_scans, 1);
	tick(300 * S);
	tick(300 * S + 1);
	assert_int_equal(watch_count(fixture.watch).n_scans, 2);
}

static void a_root_that_is_away_keeps_what_is_known_and_is_found_again(void **state)
{
	(void)state;
	write_old_file("in/a.txt");
	write_old_file("in/b.txt");
	open_watch();
	assert_told("ready a.txt, ready b.txt");
	move("in", "elsewhere");
	tick(1 * S);
	assert_told("");
	assert_int_equal(watch_rescan(fixture.watch, NULL), -ENOENT);
	assert_int_equal(unlink(at("elsewhere/b.txt")), 0);
	move("elsewhere", "in");
	tick(20 * S);
	assert_told("gone b.txt");
	write_file("in/c.txt");
	tick(21 * S);
	tick(30 * S);
	assert_told("ready c.txt");
}

static void a_root_that_was_made_anew_is_watched(void **state)
{
	(void)state;
	write_old_file("in/a.txt");
	open_watch();
	assert_told("ready a.txt");
	assert_int_equal(remove_tree(at("in")), 0);
	make_folder("in");
	tick(1 * S);
	assert_told("gone a.txt");
	write_file("in/b.txt");
	tick(2 * S);
	tick(20 * S);
	assert_told("ready b.txt");
}

static void nothing_is_told_before_the_first_scan(void **state)
{
	(void)state;
	write_old_file("in/a.txt");
	assert_int_equal(watch_open(&fixture.settings, NULL, &fixture.watch, NULL), 0);
	assert_told("");
	assert_int_equal(watch_count(fixture.watch).n_files, 0);
	assert_int_equal(watch_rescan(fixture.watch, NULL), 0);
	assert_told("ready a.txt");
}

static void files_are_told_in_the_order_in_which_they_came(void **state)
{
	(void)state;
	open_watch();
	write_file("in/b.txt");
	write_file("in/c.txt");
	write_file("in/a.txt");
	tick(2 * S);
	tick(20 * S);
	assert_string_equal(fixture.told.data, "ready b.txt\nready c.txt\nready a.txt\n");
	buf_done(&fixture.told);
}

static void opening_what_is_no_folder_fails_with_its_name(void **state)
{
	char expected[PATH_MAX];
	struct err err;

	(void)state;
	assert_int_equal(rmdir(at("in")), 0);
	assert_int_equal(watch_open(&fixture.settings, NULL, &fixture.watch, &err), -ENOENT);
	snprintf(expected, sizeof(expected), "cannot watch '%s': No such file or directory", at("in"));
	assert_string_equal(err.text, expected);
	write_file("in");
	assert_int_equal(watch_open(&fixture.settings, NULL, &fixture.watch, &err), -ENOTDIR);
}

static void keep_name(void *user, const char *path, uint64_t since_ns)
{
	snprintf(user, PATH_MAX, "%s since %d", strrchr(path, '/'), (int)(since_ns / S));
}

static void unsettled_files_can_be_listed(void **state)
{
	char listed[PATH_MAX] = "";

	(void)state;
	open_watch();
	write_file("in/a.txt");
	tick(3 * S);
	write_file("in/a.txt");
	tick(4 * S);
	assert_int_equal(watch_count(fixture.watch).n_unsettled, 1);
	watch_each_unsettled(fixture.watch, keep_name, listed);
	assert_string_equal(listed, "/a.txt since 3");
}

/* What an ordinary user meets; the parent tests what it says. */
static void meet_permissions(void)
{
	write_old_file("in/closed.txt");
	chmod(at("in/closed.txt"), 0);
	make_folder("in/shut");
	write_old_file("in/shut/a.txt");
	chmod(at("in/shut"), 0);
	make_folder("in/listed");
	write_old_file("in/listed/b.txt");
	chmod(at("in/listed"), 0444);
	open_watch();
	watch_rescan(fixture.watch, NULL);
	buf_puts(&fixture.told, "then\n");
	chmod(at("in/closed.txt"), 0644);
	chmod(at("in/shut"), 0755);
	chmod(at("in/listed"), 0755);
	tick(1 * S);
	tick(1 * S + SETTLE);
}

static void what_cannot_be_read_is_told_once_and_ready_when_it_can(void **state)
{
	char output[1024] = "";
	int pipe_fds[2], status;
	ssize_t n;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(fixture.base, 65534, 65534), 0);
		assert_int_equal(chown(fixture.settings.path, 65534, 65534), 0);
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
		                       setresuid(65534, 65534, 65534) < 0))
			_exit(1);
		meet_permissions();
		n = write(pipe_fds[1], fixture.told.data, fixture.told.n);
		_exit(n == (ssize_t)fixture.told.n ? 0 : 1);
	}
	close(pipe_fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	n = read(pipe_fds[0], output, sizeof(output) - 1);
	close(pipe_fds[0]);
	assert_true(n > 0);
	buf_puts(&fixture.told, output);
	assert_told(
		"gone listed, gone shut, no access to closed.txt, no access to listed, no access to shut, "
		"ready closed.txt, ready listed/b.txt, ready shut/a.txt, then");
	assert_non_null(strstr(output, "then\n"));
	assert_true(strstr(output, "no access to closed.txt") < strstr(output, "then\n"));
	assert_true(strstr(output, "ready closed.txt") > strstr(output, "then\n"));
}

static void a_loop_comes_back_for_the_rest_of_a_burst(void **state)
{
	(void)state;
	fixture.quiet = true;
	for (int i = 0; i < 150; i++) {
		char name[32];

		snprintf(name, sizeof(name), "in/%d.txt", i);
		write_old_file(name);
	}
	fixture.stop_at = 150;
	assert_int_equal(loop_new(&fixture.loop, NULL), 0);
	open_watch();
	assert_int_equal(loop_run(fixture.loop, NULL), 0);
	assert_int_equal(watch_count(fixture.watch).n_unsettled, 0);
}

static void a_loop_does_it_all_by_itself(void **state)
{
	(void)state;
	fixture.settings.settle_ns = 20 * MS;
	fixture.stop_at = 2;
	assert_int_equal(loop_new(&fixture.loop, NULL), 0);
	open_watch();
	write_file("in/a.txt");
	make_folder("in/sub");
	write_file("in/sub/b.txt");
	assert_int_equal(loop_run(fixture.loop, NULL), 0);
	assert_told("ready a.txt, ready sub/b.txt");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_written_file_is_ready_when_it_has_settled),
		TEST(a_file_is_told_once_until_it_changes),
		TEST(a_file_renamed_into_place_is_ready_sooner),
		TEST(a_short_settle_is_kept_for_renamed_files_as_well),
		TEST(a_mode_change_after_the_rename_does_not_make_it_wait_the_full_time),
		TEST(a_renamed_file_that_is_written_to_settles_like_any_other),
		TEST(a_slow_writer_is_waited_for),
		TEST(a_file_that_a_writer_holds_open_is_not_ready),
		TEST(an_old_file_that_a_writer_holds_open_is_not_ready_either),
		TEST(a_change_without_an_event_is_noticed_at_the_second_look),
		TEST(with_no_settle_time_a_busy_file_is_still_not_asked_for_all_the_time),
		TEST(old_files_are_ready_at_open_and_young_ones_settle),
		TEST(a_file_that_could_not_be_noted_is_offered_again),
		TEST(a_refusal_leaves_the_others_for_the_next_round),
		TEST(what_is_ignored_and_could_not_be_noted_is_told_later),
		TEST(a_burst_is_told_in_parts),
		TEST(a_deep_tree_made_at_once_is_found),
		TEST(a_tree_moved_in_is_read_and_moved_out_is_gone),
		TEST(a_tree_moved_within_has_new_names),
		TEST(a_file_moved_within_is_gone_and_ready),
		TEST(a_deleted_file_is_gone),
		TEST(a_file_that_goes_before_it_settles_is_not_mentioned),
		TEST(a_file_replaced_by_another_is_ready_again_and_never_gone),
		TEST(a_removed_tree_is_gone_file_by_file),
		TEST(a_folder_may_take_the_place_of_a_file_and_the_other_way_round),
		TEST(names_that_match_a_pattern_are_as_if_not_there),
		TEST(what_is_not_a_regular_file_is_ignored_once_with_a_reason),
		TEST(a_link_to_a_watched_file_is_skipped),
		TEST(nothing_is_read_through_a_folder_that_became_a_link),
		TEST(a_scan_forgets_folders_that_are_gone),
		TEST(without_recursion_subfolders_are_left_alone),
		TEST(when_events_are_lost_nothing_else_is),
		TEST(without_enough_watches_scans_find_what_events_do_not),
		TEST(a_file_server_is_looked_through_every_half_minute),
		TEST(who_asks_need_not_wait_for_the_next_look_at_a_file_server),
		TEST(who_asks_hears_of_files_whose_events_wait),
		TEST(scans_come_round_at_their_interval),
		TEST(a_root_that_is_away_keeps_what_is_known_and_is_found_again),
		TEST(a_root_that_was_made_anew_is_watched),
		TEST(nothing_is_told_before_the_first_scan),
		TEST(files_are_told_in_the_order_in_which_they_came),
		TEST(opening_what_is_no_folder_fails_with_its_name),
		TEST(unsettled_files_can_be_listed),
		TEST(what_cannot_be_read_is_told_once_and_ready_when_it_can),
		TEST(a_loop_comes_back_for_the_rest_of_a_burst),
		TEST(a_loop_does_it_all_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
