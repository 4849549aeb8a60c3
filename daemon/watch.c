#include "daemon/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/ignore.h"
#include "daemon/settle.h"
#include "daemon/tree.h"
#include "daemon/units.h"

#define EVENT_BYTES ((size_t)1 << 16)
#define MAX_READS \
	64 /* in one tick, so that a writer who never rests does not keep us from telling anything */
#define RETRY_NS (10 * NS_PER_S) /* after a failure that may pass */
#define POLL_NS (30 * NS_PER_S) /* between scans of what may change without inotify, on a network */
#define CATCH_UP_NS NS_PER_S /* at least so much between two scans that somebody asks for */
#define UNWATCHED_NS (60 * NS_PER_S) /* between scans while inotify does not see everything */

struct watch {
	struct watch_settings settings;
	struct tree tree;
	struct loop *loop;
	struct loop_timer *timer;
	uint64_t scanned_ns, next_scan_ns;
	bool scan_wanted;
	bool limit_logged;
	size_t n_told_unsettled; /* when settled() was called last */
	bool absent; /* the root folder could not be opened when last tried */
	uint64_t n_overflows, n_scans;
	unsigned n_incomplete;
	char *events;
};

static void scan_within(struct watch *watch, uint64_t ns)
{
	if (watch->next_scan_ns > watch->tree.now_ns + ns)
		watch->next_scan_ns = watch->tree.now_ns + ns;
}

/* settle.c found something else than the file it knew. */
static void look_again(void *owner, const char *path)
{
	struct tree *tree = owner;
	char *copy = strdup(path); /* looking may free what path belongs to */

	if (copy == NULL)
		tree->incomplete = true;
	else
		tree_look(tree, copy, SIGHT_WRITTEN);
	free(copy);
}

/* About a watched folder itself. That it was deleted or renamed, its parent's watch says as well, but the root
 * has no such parent; that it is not watched any more (a file system was unmounted) is said here only. */
static void handle_self(struct watch *watch, struct folder *folder, uint32_t mask)
{
	bool is_root = strcmp(folder->path, watch->tree.root) == 0;

	if (mask & IN_IGNORED)
		folder_table_set_wd(&watch->tree.folders, folder, -1);
	if (is_root)
		watch->scan_wanted = true;
	else if (mask & IN_IGNORED)
		look_again(&watch->tree, folder->path);
}

static enum sight sight_of(uint32_t mask)
{
	return mask & IN_MOVED_TO ? SIGHT_RENAMED : mask & IN_ATTRIB ? SIGHT_ATTRIBUTES : SIGHT_WRITTEN;
}

static void handle_name(struct watch *watch, const struct folder *folder, const char *name, uint32_t mask)
{
	char *path;

	if (ignore_matches(name, watch->settings.ignore, watch->settings.n_ignore))
		return;
	if (asprintf(&path, "%s/%s", folder->path, name) < 0) {
		watch->tree.incomplete = true;
		return;
	}
	if ((mask & IN_MOVED_FROM) && (mask & IN_ISDIR))
		tree_forget(&watch->tree, path);
	tree_look(&watch->tree, path, sight_of(mask));
	free(path);
}

static void handle_event(struct watch *watch, const struct inotify_event *event)
{
	struct folder *folder = folder_table_find_wd(&watch->tree.folders, event->wd);

	if (event->mask & IN_Q_OVERFLOW) {
		watch->n_overflows++;
		watch->scan_wanted = true;
		log_info("'%s': more changes at once than inotify can queue, scanning all of it",
		         watch->tree.root);
	} else if (folder != NULL && event->len > 0) {
		handle_name(watch, folder, event->name, event->mask);
	} else if (folder != NULL) {
		handle_self(watch, folder, event->mask);
	}
}

static void take_events(struct watch *watch)
{
	for (int i = 0; i < MAX_READS && watch->tree.inotify_fd >= 0; i++) {
		ssize_t n = read(watch->tree.inotify_fd, watch->events, EVENT_BYTES);

		if (n <= 0)
			return; /* EAGAIN: no more */
		for (const char *p = watch->events; p < watch->events + n;) {
			const struct inotify_event *event = (const void *)p;

			handle_event(watch, event);
			p += sizeof(*event) + event->len;
		}
	}
}

/* What they say is found out by the scan that the root folder's return will bring. */
static void drop_events(const struct watch *watch)
{
	for (int i = 0; i < MAX_READS && watch->tree.inotify_fd >= 0; i++) {
		if (read(watch->tree.inotify_fd, watch->events, EVENT_BYTES) <= 0)
			return;
	}
}

static void log_limit(struct watch *watch, const char *sysctl)
{
	if (watch->limit_logged)
		return;
	watch->limit_logged = true;
	log_warning("'%s': a limit of inotify is reached, scanning at least every %.0f s instead; sysctl %s "
	            "raises it",
	            watch->tree.root, (double)UNWATCHED_NS / (double)NS_PER_S, sysctl);
}

static void scan(struct watch *watch)
{
	tree_scan(&watch->tree);
	watch->n_scans++;
	watch->scan_wanted = false;
	watch->scanned_ns = watch->tree.now_ns;
	watch->next_scan_ns = watch->tree.now_ns + watch->settings.rescan_ns;
	log_debug("'%s': scanned, %zu files in %zu folders, %zu of them unsettled", watch->tree.root,
	          settle_n_files(watch->tree.settle), watch->tree.folders.n,
	          settle_n_unsettled(watch->tree.settle));
}

/* While the root folder is away everything stays as it is known; its return is found by asking again. */
static int open_root(struct watch *watch, struct err *err)
{
	int r = tree_open(&watch->tree, err);

	if (r < 0) {
		watch->scan_wanted = true;
		watch->next_scan_ns = watch->tree.now_ns + RETRY_NS;
	}
	return r;
}

static void log_absence(struct watch *watch, const struct err *err)
{
	if (err != NULL && !watch->absent)
		log_warning("%s; trying again every %.0f s", err->text, (double)RETRY_NS / (double)NS_PER_S);
	else if (err == NULL && watch->absent)
		log_info("'%s' can be watched again", watch->tree.root);
	watch->absent = err != NULL;
}

static void plan_scan(struct watch *watch, bool scanned)
{
	if (watch->tree.limit_reached)
		log_limit(watch, "fs.inotify.max_user_watches");
	if (watch->tree.folders.n_remote > 0)
		scan_within(watch, POLL_NS);
	if (watch->tree.folders.n_unwatched > 0)
		scan_within(watch, UNWATCHED_NS);
	if (watch->tree.incomplete) {
		scan_within(watch, RETRY_NS);
		watch->n_incomplete++;
	} else if (scanned) {
		watch->n_incomplete = 0;
	}
	watch->tree.incomplete = false;
}

static void set_timer(struct watch *watch)
{
	uint64_t now_ns = watch->tree.now_ns, next_ns = watch->next_scan_ns;

	if (watch->timer == NULL)
		return;
	/* Without the folder nothing settles, and what is due would be due for ever. */
	if (!watch->absent && settle_next_ns(watch->tree.settle) < next_ns)
		next_ns = settle_next_ns(watch->tree.settle);
	loop_timer_start(watch->timer, next_ns > now_ns ? next_ns - now_ns : 0, 0);
}

static void tell_settled(struct watch *watch)
{
	size_t n = settle_n_unsettled(watch->tree.settle);

	if (n == watch->n_told_unsettled)
		return;
	watch->n_told_unsettled = n;
	watch->settings.settled(watch->settings.user);
}

static void tick_in_root(struct watch *watch)
{
	bool is_due;

	take_events(watch);
	is_due = watch->scan_wanted || watch->tree.now_ns >= watch->next_scan_ns;
	if (is_due)
		scan(watch);
	settle_tick(watch->tree.settle, watch->tree.root_fd, watch->tree.now_ns);
	plan_scan(watch, is_due);
	tree_close(&watch->tree);
	tell_settled(watch);
}

void watch_tick(struct watch *watch, uint64_t now_ns)
{
	struct err err;
	int r;

	watch->tree.now_ns = now_ns;
	r = open_root(watch, &err);
	log_absence(watch, r < 0 ? &err : NULL);
	if (r == 0)
		tick_in_root(watch);
	else
		drop_events(watch);
	set_timer(watch);
}

int watch_rescan(struct watch *watch, struct err *err)
{
	int r;

	if (watch->loop != NULL)
		watch->tree.now_ns = loop_now_ns();
	watch->scan_wanted = true;
	r = open_root(watch, err);
	watch->absent = r < 0;
	if (r == 0)
		tick_in_root(watch);
	set_timer(watch);
	return r;
}

int watch_look(struct watch *watch, const char *path, struct err *err)
{
	int r;

	if (watch->loop != NULL)
		watch->tree.now_ns = loop_now_ns();
	r = open_root(watch, err);
	if (r == 0) {
		tree_look(&watch->tree, path, watch->tree.folders.n_remote > 0 ? SIGHT_POLL : SIGHT_SCAN);
		tick_in_root(watch);
	}
	set_timer(watch);
	return r;
}

void watch_catch_up(struct watch *watch)
{
	uint64_t now_ns = watch->loop != NULL ? loop_now_ns() : watch->tree.now_ns;

	if (watch->tree.folders.n_remote + watch->tree.folders.n_unwatched > 0 &&
	    now_ns - watch->scanned_ns >= CATCH_UP_NS)
		watch->scan_wanted = true;
	watch_tick(watch, now_ns);
}

static void timer_fires(void *user)
{
	watch_tick(user, loop_now_ns());
}

static void events_arrive(void *user, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	watch_tick(user, loop_now_ns());
}

static int open_inotify(struct watch *watch)
{
	watch->tree.inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->tree.inotify_fd < 0)
		log_limit(watch, "fs.inotify.max_user_instances");
	watch->events = malloc(EVENT_BYTES);
	return watch->events != NULL ? 0 : -ENOMEM;
}

static int open_settle(struct watch *watch)
{
	const struct settle_settings settings = {
		.n_root = strlen(watch->tree.root),
		.settle_ns = watch->settings.settle_ns,
		.user = watch->settings.user,
		.ready = watch->settings.ready,
		.unreadable = watch->settings.unreadable,
		.ignored = watch->settings.ignored,
		.gone = watch->settings.gone,
		.owner = &watch->tree,
		.changed = look_again,
	};

	watch->tree.settle = settle_new(&settings);
	return watch->tree.settle != NULL ? 0 : -ENOMEM;
}

static int join_loop(struct watch *watch, struct loop *loop, struct err *err)
{
	int r;

	if (loop == NULL)
		return 0;
	watch->loop = loop;
	watch->tree.now_ns = loop_now_ns();
	if (watch->tree.inotify_fd >= 0 &&
	    (r = loop_add_fd(loop, watch->tree.inotify_fd, EPOLLIN, events_arrive, watch, err)) < 0)
		return r;
	return loop_add_timer(loop, timer_fires, watch, &watch->timer, err);
}

int watch_open(const struct watch_settings *settings, struct loop *loop, struct watch **ret, struct err *err)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (watch == NULL)
		return err_set(err, -ENOMEM, "cannot watch '%s': no memory", settings->path);
	watch->settings = *settings;
	watch->tree = (struct tree){ .recursive = settings->recursive,
		                     .ignore = settings->ignore,
		                     .n_ignore = settings->n_ignore,
		                     .inotify_fd = -1,
		                     .root_fd = -1 };
	watch->tree.root = realpath(settings->path, NULL);
	if (watch->tree.root == NULL) {
		r = err_set(err, -errno, "cannot watch '%s': %s", settings->path, strerror(errno));
		goto fail;
	}
	if ((r = open_inotify(watch)) < 0 || (r = open_settle(watch)) < 0) {
		err_set(err, r, "cannot watch '%s': no memory", settings->path);
		goto fail;
	}
	if ((r = join_loop(watch, loop, err)) < 0 || (r = open_root(watch, err)) < 0)
		goto fail;
	tree_close(&watch->tree);
	*ret = watch;
	return 0;
fail:
	watch_close(watch);
	return r;
}

void watch_close(struct watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->loop != NULL) {
		loop_remove_timer(watch->loop, watch->timer);
		loop_remove_fd(watch->loop, watch->tree.inotify_fd);
	}
	if (watch->tree.inotify_fd >= 0)
		close(watch->tree.inotify_fd);
	tree_done(&watch->tree);
	settle_free(watch->tree.settle);
	free(watch->events);
	free(watch->tree.root);
	free(watch);
}

struct watch_counts watch_count(const struct watch *watch)
{
	return (struct watch_counts){
		.n_files = settle_n_files(watch->tree.settle),
		.n_unsettled = settle_n_unsettled(watch->tree.settle),
		.n_folders = watch->tree.folders.n,
		.n_unwatched_folders = watch->tree.folders.n_unwatched,
		.n_remote_folders = watch->tree.folders.n_remote,
		.n_overflows = watch->n_overflows,
		.n_scans = watch->n_scans,
		.n_incomplete = watch->n_incomplete,
	};
}

void watch_each_unsettled(const struct watch *watch,
                          void (*each)(void *user, const char *path, uint64_t since_ns), void *user)
{
	settle_each_unsettled(watch->tree.settle, each, user);
}

bool watch_is_unsettled(const struct watch *watch, const char *path)
{
	return settle_is_unsettled(watch->tree.settle, path);
}
