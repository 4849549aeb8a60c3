#include "daemon/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/paths.h"
#include "daemon/units.h"

/* A file that is renamed into place was written under another name, so this is only for tools that go on to
 * set times and modes. */
#define RENAMED_QUIET_NS (500 * NS_PER_MS)

#define REFUSED_NS (10 * NS_PER_S) /* until a file is offered again that could not be taken note of */
#define MAX_CHECKS 64 /* in one tick, so that a burst of files keeps nobody from the loop */

struct identity {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec mtime, ctime;
};

enum told { TOLD_NOTHING, TOLD_READY, TOLD_UNREADABLE, TOLD_IGNORED };

struct file {
	char *path; /* first, for paths_compare() */
	struct identity seen; /* at the last look */
	enum told told;
	struct identity told_identity;
	int told_error;
	bool settling;
	uint64_t since_ns, due_ns, quiet_ns;
	unsigned scan; /* the last one that saw it */
	LIST_ENTRY(file) all;
	TAILQ_ENTRY(file) unsettled;
};

LIST_HEAD(files, file);
TAILQ_HEAD(queue, file);

struct settle {
	struct settle_settings settings;
	void *by_path; /* a tree of tsearch(3) */
	struct files all;
	struct queue unsettled; /* in the order in which they came, which is that in which they are told */
	size_t n_files, n_unsettled;
	unsigned scan;
	unsigned n_checks_left; /* in this tick */
};

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same(const struct identity *a, const struct identity *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime);
}

static struct identity identity_of(const struct stat *st)
{
	return (struct identity){ .device = st->st_dev,
		                  .inode = st->st_ino,
		                  .size = st->st_size,
		                  .mtime = st->st_mtim,
		                  .ctime = st->st_ctim };
}

static struct file *find(const struct settle *settle, const char *path)
{
	const struct file key = { .path = (char *)path };
	struct file *const *found = tfind(&key, &settle->by_path, paths_compare);

	return found != NULL ? *found : NULL;
}

static struct file *find_or_add(struct settle *settle, const char *path)
{
	struct file *file = find(settle, path);

	if (file != NULL) {
		file->scan = settle->scan;
		return file;
	}
	file = calloc(1, sizeof(*file));
	if (file == NULL)
		return NULL;
	file->path = strdup(path);
	if (file->path == NULL || tsearch(file, &settle->by_path, paths_compare) == NULL) {
		free(file->path);
		free(file);
		return NULL;
	}
	file->scan = settle->scan;
	LIST_INSERT_HEAD(&settle->all, file, all);
	settle->n_files++;
	return file;
}

static void stop_settling(struct settle *settle, struct file *file)
{
	if (!file->settling)
		return;
	file->settling = false;
	TAILQ_REMOVE(&settle->unsettled, file, unsettled);
	settle->n_unsettled--;
}

static void start_settling(struct settle *settle, struct file *file, uint64_t quiet_ns, uint64_t now_ns)
{
	file->quiet_ns = quiet_ns;
	file->due_ns = now_ns + quiet_ns;
	if (file->settling)
		return;
	file->settling = true;
	file->since_ns = now_ns;
	TAILQ_INSERT_TAIL(&settle->unsettled, file, unsettled);
	settle->n_unsettled++;
}

static void remove_file(struct settle *settle, struct file *file)
{
	stop_settling(settle, file);
	tdelete(file, &settle->by_path, paths_compare);
	LIST_REMOVE(file, all);
	settle->n_files--;
	if (file->told != TOLD_NOTHING)
		settle->settings.gone(settle->settings.user, file->path);
	free(file->path);
	free(file);
}

struct settle *settle_new(const struct settle_settings *settings)
{
	struct settle *settle = calloc(1, sizeof(*settle));

	if (settle == NULL)
		return NULL;
	settle->settings = *settings;
	TAILQ_INIT(&settle->unsettled);
	return settle;
}

static void keep_node(void *file)
{
	(void)file; /* the list of all files frees it */
}

void settle_free(struct settle *settle)
{
	struct file *file;

	if (settle == NULL)
		return;
	tdestroy(settle->by_path, keep_node);
	while ((file = LIST_FIRST(&settle->all)) != NULL) {
		LIST_REMOVE(file, all);
		free(file->path);
		free(file);
	}
	free(settle);
}

/* The file's last writing by the wall clock, as that is what its times are in. */
static bool is_older(const struct stat *st, uint64_t age_ns)
{
	struct timespec now;
	int64_t seconds;

	clock_gettime(CLOCK_REALTIME, &now);
	seconds = (int64_t)now.tv_sec - (int64_t)st->st_mtim.tv_sec;
	if (seconds < 0)
		return false;
	if ((uint64_t)seconds > age_ns / NS_PER_S + 1)
		return true;
	return (int64_t)((uint64_t)seconds * NS_PER_S) + now.tv_nsec - st->st_mtim.tv_nsec > (int64_t)age_ns;
}

static uint64_t quiet_for(const struct settle *settle, const struct file *file, const struct stat *st,
                          enum sight sight)
{
	uint64_t settle_ns = settle->settings.settle_ns;

	switch (sight) {
	case SIGHT_RENAMED:
		return settle_ns < RENAMED_QUIET_NS ? settle_ns : RENAMED_QUIET_NS;
	case SIGHT_ATTRIBUTES:
		return file->settling ? file->quiet_ns : settle_ns;
	case SIGHT_SCAN:
		return !file->settling && is_older(st, settle_ns) ? 0 : settle_ns;
	case SIGHT_POLL:
	case SIGHT_WRITTEN:
		break;
	}
	return settle_ns;
}

int settle_see(struct settle *settle, const char *path, const struct stat *st, enum sight sight,
               uint64_t now_ns)
{
	struct identity identity = identity_of(st);
	struct file *file = find_or_add(settle, path);

	if (file == NULL)
		return -ENOMEM;
	if (file->told == TOLD_READY && same(&identity, &file->told_identity)) {
		stop_settling(settle, file);
		return 0;
	}
	/* A scan is no event: what waits goes on waiting. */
	if ((sight == SIGHT_SCAN || sight == SIGHT_POLL) && file->settling && same(&identity, &file->seen))
		return 0;
	start_settling(settle, file, quiet_for(settle, file, st, sight), now_ns);
	file->seen = identity;
	return 0;
}

int settle_see_other(struct settle *settle, const char *path, const struct stat *st, const char *reason)
{
	struct identity identity = identity_of(st);
	struct file *file = find_or_add(settle, path);
	int r;

	if (file == NULL)
		return -ENOMEM;
	stop_settling(settle, file);
	if (file->told == TOLD_IGNORED && same(&identity, &file->told_identity))
		return 0;
	if ((r = settle->settings.ignored(settle->settings.user, file->path, st, reason)) < 0)
		return r;
	file->told = TOLD_IGNORED;
	file->told_identity = identity;
	return 0;
}

static int tell_unreadable(struct settle *settle, struct file *file, int error)
{
	int r;

	stop_settling(settle, file);
	if (file->told == TOLD_UNREADABLE && file->told_error == error &&
	    same(&file->seen, &file->told_identity))
		return 0;
	if ((r = settle->settings.unreadable(settle->settings.user, file->path, error)) < 0)
		return r;
	file->told = TOLD_UNREADABLE;
	file->told_error = error;
	file->told_identity = file->seen;
	return 0;
}

int settle_see_unreadable(struct settle *settle, const char *path, int error)
{
	struct file *file = find_or_add(settle, path);

	return file == NULL ? -ENOMEM : tell_unreadable(settle, file, error);
}

void settle_forget(struct settle *settle, const char *path)
{
	struct file *file = find(settle, path);

	if (file != NULL)
		remove_file(settle, file);
}

void settle_forget_below(struct settle *settle, const char *folder)
{
	size_t n = strlen(folder);
	struct file *next;

	for (struct file *file = LIST_FIRST(&settle->all); file != NULL; file = next) {
		next = LIST_NEXT(file, all);
		if (strncmp(file->path, folder, n) == 0 && file->path[n] == '/')
			remove_file(settle, file);
	}
}

void settle_begin_scan(struct settle *settle)
{
	settle->scan++;
}

void settle_end_scan(struct settle *settle, bool (*exists)(void *owner, const char *path))
{
	struct file *next;

	for (struct file *file = LIST_FIRST(&settle->all); file != NULL; file = next) {
		next = LIST_NEXT(file, all);
		if (file->scan != settle->scan && !exists(settle->settings.owner, file->path))
			remove_file(settle, file);
	}
}

int settle_open(int root_fd, const char *relative, int flags)
{
	const struct open_how how = { .flags = (unsigned)(flags | O_CLOEXEC),
		                      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	long fd = syscall(SYS_openat2, root_fd, relative, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Whether nobody has the file open for writing, as far as can be told: the file of another user, or one on a
 * network, grants no lease, which is no sign of a writer. */
static bool lease_agrees(int fd)
{
	/* Who opens the file for writing while we hold the lease makes the kernel send a signal, and SIGIO, the
	 * usual one, would end the process. SIGURG is ignored unless somebody asks for it. */
	if (fcntl(fd, F_SETSIG, SIGURG) < 0)
		return true;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno != EAGAIN;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return true;
}

static void wait_longer(struct settle *settle, struct file *file, uint64_t now_ns)
{
	uint64_t quiet_ns = settle->settings.settle_ns;

	/* With settle: 0 a busy file would be due again at once, for ever. */
	start_settling(settle, file, quiet_ns > RENAMED_QUIET_NS ? quiet_ns : RENAMED_QUIET_NS, now_ns);
}

/* It may be freed when this returns. */
static void look_again(struct settle *settle, struct file *file, uint64_t now_ns)
{
	wait_longer(settle, file, now_ns); /* in case that the owner cannot tell, either */
	settle->settings.changed(settle->settings.owner, file->path);
}

/* Whoever could not take this one will hardly take the next: that may wait, too, and the loop comes round first. */
static void offer_again(struct settle *settle, struct file *file, uint64_t now_ns)
{
	start_settling(settle, file, REFUSED_NS, now_ns);
	settle->n_checks_left = 0;
}

static void found_unreadable(struct settle *settle, struct file *file, int error, uint64_t now_ns)
{
	if (tell_unreadable(settle, file, error) < 0)
		offer_again(settle, file, now_ns);
}

static void cannot_open(struct settle *settle, struct file *file, int error, uint64_t now_ns)
{
	switch (error) {
	case ENOENT: /* gone, or now a symbolic link, a folder in its way, a device without a driver */
	case ENOTDIR:
	case ELOOP:
	case ENXIO:
	case ENODEV:
		look_again(settle, file, now_ns);
		break;
	case EAGAIN: /* somebody holds a write lease, or the tree is being renamed */
	case EINTR:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		wait_longer(settle, file, now_ns);
		break;
	default:
		found_unreadable(settle, file, error, now_ns);
	}
}

static void check_open_file(struct settle *settle, struct file *file, int fd, uint64_t now_ns)
{
	struct identity identity;
	struct stat st;

	if (fstat(fd, &st) < 0) {
		found_unreadable(settle, file, errno, now_ns);
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		look_again(settle, file, now_ns);
		return;
	}
	identity = identity_of(&st);
	if (!same(&identity, &file->seen) || !lease_agrees(fd)) {
		file->seen = identity;
		wait_longer(settle, file, now_ns);
		return;
	}
	if (settle->settings.ready(settle->settings.user, file->path, &st) < 0) {
		offer_again(settle, file, now_ns);
		return;
	}
	stop_settling(settle, file);
	file->told = TOLD_READY;
	file->told_identity = identity;
}

static void check_due(struct settle *settle, struct file *file, int root_fd, uint64_t now_ns)
{
	/* O_NONBLOCK: not to wait for the other end of a FIFO or for the holder of a lease. */
	int fd = settle_open(root_fd, file->path + settle->settings.n_root + 1,
	                     O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		cannot_open(settle, file, -fd, now_ns);
		return;
	}
	check_open_file(settle, file, fd, now_ns);
	close(fd);
}

void settle_tick(struct settle *settle, int root_fd, uint64_t now_ns)
{
	struct file *next;

	settle->n_checks_left = MAX_CHECKS;
	/* A check removes at most its own file, and what it adds goes to the end of the list. */
	for (struct file *file = TAILQ_FIRST(&settle->unsettled); file != NULL && settle->n_checks_left > 0;
	     file = next) {
		next = TAILQ_NEXT(file, unsettled);
		if (file->due_ns > now_ns)
			continue;
		settle->n_checks_left--;
		check_due(settle, file, root_fd, now_ns);
	}
}

uint64_t settle_next_ns(const struct settle *settle)
{
	uint64_t next_ns = UINT64_MAX;
	const struct file *file;

	TAILQ_FOREACH(file, &settle->unsettled, unsettled)
	{
		if (file->due_ns < next_ns)
			next_ns = file->due_ns;
	}
	return next_ns;
}

size_t settle_n_files(const struct settle *settle)
{
	return settle->n_files;
}

size_t settle_n_unsettled(const struct settle *settle)
{
	return settle->n_unsettled;
}

bool settle_is_unsettled(const struct settle *settle, const char *path)
{
	const struct file *file = find(settle, path);

	return file != NULL && file->settling;
}

void settle_each_unsettled(const struct settle *settle,
                           void (*each)(void *user, const char *path, uint64_t since_ns), void *user)
{
	const struct file *file;

	TAILQ_FOREACH(file, &settle->unsettled, unsettled)
	each(user, file->path, file->since_ns);
}
