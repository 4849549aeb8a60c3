#include "daemon/asking.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/ask_file_intake.h"
#include "daemon/inbox_intake.h"
#include "daemon/loop.h"
#include "daemon/standing.h"
#include "daemon/units.h"
#include "store/docstore_questions.h"

#define GATHER_NS \
	(50 * NS_PER_MS) /* between a change of the inbox and a look: a client changes it in steps */
#define QUIET_NS (1500 * NS_PER_MS) /* without a change, before rows are removed: that takes a lock */
#define BUSY_NS (500 * NS_PER_MS) /* between two tries while a client holds a lock */
#define FAILED_NS (30 * NS_PER_S)
#define POLL_NS (10 * NS_PER_MIN) /* in case that something went unnoticed; and */
#define UNWATCHED_NS NS_PER_S /* where inotify has none left for us */
#define DOCUMENTS_NS (500 * NS_PER_MS) /* between two looks at new documents: they come in bursts */
#define SHARE 10 /* of the time at least that is left to others, between two such looks */
#define MAX_FILES 10000 /* that wait for their documents */

struct paths {
	char **items;
	size_t n, cap;
};

struct asking {
	struct asking_settings settings;
	struct inbox_intake *inbox;
	char folder[PATH_MAX]; /* of the inbox */
	int inotify_fd; /* -1: none */
	int wake_fd;
	bool started;
	pthread_t thread;

	pthread_mutex_t lock; /* guards what follows */
	struct paths new_files;
	struct standing *new_standing; /* NULL: they are as they were */
	bool new_documents, stop, busy;
	struct asking_status status; /* but for busy */

	/* The thread's own. */
	struct standing *standing;
	struct paths files; /* whose documents are not known */
	uint64_t look_ns, clean_ns, documents_ns; /* when they are due; UINT64_MAX: not */
	bool documents_due;
	bool failed; /* of what documents_due stands for, something that may pass; it is tried again then: */
	uint64_t retry_ns;
};

static void paths_done(struct paths *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		free(paths->items[i]);
	free(paths->items);
	*paths = (struct paths){ 0 };
}

static bool paths_has(const struct paths *paths, const char *path)
{
	for (size_t i = 0; i < paths->n; i++) {
		if (strcmp(paths->items[i], path) == 0)
			return true;
	}
	return false;
}

static int paths_add(struct paths *paths, const char *path)
{
	char *copy;

	if (paths_has(paths, path))
		return 0;
	if (array_grow(&paths->items, sizeof(*paths->items), paths->n, &paths->cap) < 0 ||
	    (copy = strdup(path)) == NULL)
		return -ENOMEM;
	paths->items[paths->n++] = copy;
	return 0;
}

/* (gid_t)-1: none that we could give a file to. */
static gid_t group_of(const struct config *config)
{
	const struct group *group = getgrnam(config->control.group);

	return group == NULL ? (gid_t)-1 : group->gr_gid;
}

static int folder_of(const struct config *config, char *ret, struct err *err)
{
	char copy[PATH_MAX];

	if ((size_t)snprintf(copy, sizeof(copy), "%s", config->store.inbox) >= sizeof(copy))
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", config->store.inbox);
	snprintf(ret, PATH_MAX, "%s", dirname(copy));
	return 0;
}

int asking_make_folder(const struct config *config, struct err *err)
{
	gid_t group = group_of(config);
	char folder[PATH_MAX];
	struct stat st;
	int r = folder_of(config, folder, err);

	if (r < 0 || stat(folder, &st) == 0)
		return r;
	if ((r = file_make_folder_of(folder, 0750, err)) < 0)
		return r;
	if (mkdir(folder, 0700) < 0)
		return err_set(err, -errno, "%s: cannot be made: %s", folder, strerror(errno));
	if (group != (gid_t)-1 && (chown(folder, (uid_t)-1, group) < 0 || chmod(folder, 02770) < 0))
		log_info("inbox '%s': only this user can ask there: the folder cannot be given to group %s: "
		         "%s",
		         config->store.inbox, config->control.group, strerror(errno));
	return 0;
}

static void look(struct asking *asking, uint64_t now_ns)
{
	uint64_t poll_ns = asking->inotify_fd < 0 ? UNWATCHED_NS : POLL_NS;
	struct inbox_counts counts;
	int r = inbox_intake_look(asking->inbox, now_ns >= asking->clean_ns, &counts);

	asking->look_ns = now_ns + (r == -EBUSY ? BUSY_NS : r < 0 ? FAILED_NS : poll_ns);
	if (r == 0 && counts.to_clean)
		asking->look_ns = asking->clean_ns;
	if (r < 0)
		return;
	pthread_mutex_lock(&asking->lock);
	asking->status.n_rows = counts.n_waiting;
	pthread_mutex_unlock(&asking->lock);
}

/* --- files of questions */

/* False: it waits for its document, or for better times. */
static bool take_file(struct asking *asking, const char *path)
{
	size_t n = 0;
	int r = ask_file_take(asking->settings.store, path, &n);

	if (n > 0)
		asking->settings.asked(asking->settings.user);
	asking->failed |= r < 0 && r != -ENOENT;
	return r == 0;
}

static void take_files(struct asking *asking)
{
	struct paths waiting = { 0 };

	for (size_t i = 0; i < asking->files.n; i++) {
		if (!take_file(asking, asking->files.items[i]) &&
		    paths_add(&waiting, asking->files.items[i]) < 0)
			log_error("'%s': no memory to wait for its document", asking->files.items[i]);
	}
	paths_done(&asking->files);
	asking->files = waiting;
}

static void name_files(struct asking *asking)
{
	struct asking_status *status = &asking->status;

	pthread_mutex_lock(&asking->lock);
	status->n_files = asking->files.n;
	for (size_t i = 0; i < asking->files.n && i < ASKING_MAX_NAMED; i++) {
		const char *path = asking->files.items[i];
		size_t n = strlen(path), most = sizeof(status->files[i]) - 1;

		snprintf(status->files[i], sizeof(status->files[i]), "%s", path + (n > most ? n - most : 0));
		text_printable(status->files[i]);
	}
	pthread_mutex_unlock(&asking->lock);
}

/* --- questions of folders */

static void ask_folder(struct asking *asking, const struct standing_folder *folder)
{
	for (size_t i = 0; i < folder->n_questions; i++) {
		struct question_request request = { .text = folder->questions[i], .source = "folder" };
		struct err err = { "" };
		int64_t n = 0;

		if (docstore_ask_all(asking->settings.store, &request, folder->path, &n, &err) < 0) {
			log_error("'%s': its questions cannot be asked: %s", folder->path, err.text);
			asking->failed = true;
		}
		if (n > 0)
			asking->settings.asked(asking->settings.user);
	}
}

/* Those of the configuration as it is now. */
static const struct standing *take_standing(struct asking *asking)
{
	pthread_mutex_lock(&asking->lock);
	if (asking->new_standing != NULL) {
		standing_free(asking->standing);
		asking->standing = asking->new_standing;
		asking->new_standing = NULL;
	}
	pthread_mutex_unlock(&asking->lock);
	return asking->standing;
}

/* Where there are so many documents that a look at them takes long, it comes the more seldom. */
static void set_next(struct asking *asking, uint64_t took_ns)
{
	uint64_t now_ns = loop_now_ns();

	asking->documents_ns = now_ns + (SHARE * took_ns > DOCUMENTS_NS ? SHARE * took_ns : DOCUMENTS_NS);
	asking->retry_ns = asking->failed ? now_ns + FAILED_NS : UINT64_MAX;
}

static void see_documents(struct asking *asking, uint64_t now_ns)
{
	const struct standing *standing = take_standing(asking);

	asking->documents_due = asking->failed = false;
	for (size_t i = 0; i < standing->n_folders; i++)
		ask_folder(asking, &standing->folders[i]);
	take_files(asking);
	name_files(asking);
	if (asking->status.n_rows > 0) /* written by this thread alone */
		asking->look_ns = now_ns;
	set_next(asking, loop_now_ns() - now_ns);
}

/* --- the thread */

static void drain(int fd, bool *ret_any)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		*ret_any = true;
}

static int timeout_ms(const struct asking *asking)
{
	uint64_t now_ns = loop_now_ns(), due_ns = asking->look_ns;

	if (asking->documents_due && asking->documents_ns < due_ns)
		due_ns = asking->documents_ns;
	if (asking->retry_ns < due_ns)
		due_ns = asking->retry_ns;
	if (due_ns <= now_ns)
		return 0;
	return (int)((due_ns - now_ns) / NS_PER_MS) + 1;
}

static void wait_for_something(struct asking *asking)
{
	struct pollfd fds[] = { { .fd = asking->wake_fd, .events = POLLIN },
		                { .fd = asking->inotify_fd, .events = POLLIN } };
	bool changed = false, woken = false;
	uint64_t now_ns;

	if (poll(fds, 2, timeout_ms(asking)) <= 0)
		return;
	now_ns = loop_now_ns();
	if (fds[0].revents != 0)
		drain(asking->wake_fd, &woken);
	if (fds[1].revents != 0)
		drain(asking->inotify_fd, &changed);
	if (!changed)
		return;
	asking->clean_ns = now_ns + QUIET_NS;
	if (asking->look_ns > now_ns + GATHER_NS)
		asking->look_ns = now_ns + GATHER_NS;
}

/* What others left for us. False: stop. */
static bool take_orders(struct asking *asking)
{
	struct paths files;
	bool stop;

	pthread_mutex_lock(&asking->lock);
	stop = asking->stop;
	asking->busy = true;
	asking->documents_due |= asking->new_documents || asking->new_files.n > 0;
	asking->new_documents = false;
	files = asking->new_files;
	asking->new_files = (struct paths){ 0 };
	pthread_mutex_unlock(&asking->lock);
	for (size_t i = 0; i < files.n; i++) {
		if (paths_add(&asking->files, files.items[i]) < 0)
			log_error("'%s': no memory for its questions", files.items[i]);
	}
	paths_done(&files);
	return !stop;
}

static void rest(struct asking *asking)
{
	pthread_mutex_lock(&asking->lock);
	asking->busy = asking->documents_due;
	pthread_mutex_unlock(&asking->lock);
}

static void *asking_main(void *user)
{
	struct asking *asking = user;

	while (take_orders(asking)) {
		uint64_t now_ns = loop_now_ns();

		if ((asking->documents_due && now_ns >= asking->documents_ns) || now_ns >= asking->retry_ns)
			see_documents(asking, now_ns);
		if (now_ns >= asking->look_ns)
			look(asking, now_ns);
		rest(asking);
		wait_for_something(asking);
	}
	return NULL;
}

static void wake(struct asking *asking)
{
	eventfd_write(asking->wake_fd, 1);
}

int asking_file(struct asking *asking, const char *path)
{
	int r;

	pthread_mutex_lock(&asking->lock);
	r = asking->status.n_files + asking->new_files.n < MAX_FILES ? paths_add(&asking->new_files, path)
	                                                             : -EAGAIN;
	pthread_mutex_unlock(&asking->lock);
	wake(asking);
	return r;
}

void asking_documents(struct asking *asking)
{
	pthread_mutex_lock(&asking->lock);
	asking->new_documents = true;
	pthread_mutex_unlock(&asking->lock);
	wake(asking);
}

int asking_reload(struct asking *asking, const struct config *config)
{
	struct standing *fresh;
	int r = standing_copy(config, &fresh);

	if (r < 0)
		return r;
	pthread_mutex_lock(&asking->lock);
	standing_free(asking->new_standing);
	asking->new_standing = fresh;
	pthread_mutex_unlock(&asking->lock);
	asking_documents(asking);
	return 0;
}

void asking_status(struct asking *asking, struct asking_status *ret)
{
	pthread_mutex_lock(&asking->lock);
	*ret = asking->status;
	ret->busy = asking->busy || asking->new_documents || asking->new_files.n > 0;
	pthread_mutex_unlock(&asking->lock);
}

static int open_inbox(struct asking *asking, struct err *err)
{
	const struct config *config = asking->settings.config;
	struct inbox_intake_settings settings = { .path = config->store.inbox,
		                                  .group = group_of(config),
		                                  .store = asking->settings.store,
		                                  .fingerprint = asking->settings.fingerprint,
		                                  .user = asking->settings.user,
		                                  .asked = asking->settings.asked };
	struct stat st;
	int r = folder_of(config, asking->folder, err);

	if (r < 0)
		return r;
	/* Where the folder is the user's alone, so is what is in it. */
	if (stat(asking->folder, &st) == 0 && st.st_gid != settings.group)
		settings.group = (gid_t)-1;
	return inbox_intake_new(&settings, &asking->inbox, err);
}

/* Not IN_CLOSE_WRITE: we close it ourselves after each look. */
static void watch_folder(struct asking *asking)
{
	asking->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (asking->inotify_fd >= 0 &&
	    inotify_add_watch(asking->inotify_fd, asking->folder,
	                      IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE) >= 0)
		return;
	log_info("inbox: inotify: %s: looking at it every %.0f s instead", strerror(errno),
	         (double)UNWATCHED_NS / (double)NS_PER_S);
	if (asking->inotify_fd >= 0)
		close(asking->inotify_fd);
	asking->inotify_fd = -1;
}

int asking_new(const struct asking_settings *settings, struct asking **ret, struct err *err)
{
	struct asking *asking = array_new(struct asking, 1);
	int r;

	if (asking == NULL)
		return err_set(err, -ENOMEM, "no memory for questions");
	asking->settings = *settings;
	asking->inotify_fd = -1;
	asking->busy = true;
	asking->documents_due = true;
	asking->retry_ns = UINT64_MAX;
	pthread_mutex_init(&asking->lock, NULL);
	asking->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r = asking->wake_fd < 0 ? err_set(err, -errno, "cannot make an event: %s", strerror(errno))
	                        : open_inbox(asking, err);
	if (r == 0 && (r = standing_copy(settings->config, &asking->standing)) < 0)
		err_set(err, r, "no memory for the folders' questions");
	if (r < 0)
		asking_free(asking);
	else
		*ret = asking;
	return r;
}

int asking_start(struct asking *asking, struct err *err)
{
	int r;

	watch_folder(asking);
	r = -pthread_create(&asking->thread, NULL, asking_main, asking);
	if (r < 0)
		return err_set(err, r, "cannot start a thread: %s", strerror(-r));
	asking->started = true;
	return 0;
}

void asking_free(struct asking *asking)
{
	if (asking == NULL)
		return;
	pthread_mutex_lock(&asking->lock);
	asking->stop = true;
	pthread_mutex_unlock(&asking->lock);
	if (asking->started) {
		inbox_intake_cancel(asking->inbox);
		wake(asking);
		pthread_join(asking->thread, NULL);
	}
	inbox_intake_free(asking->inbox);
	paths_done(&asking->files);
	paths_done(&asking->new_files);
	standing_free(asking->new_standing);
	standing_free(asking->standing);
	if (asking->inotify_fd >= 0)
		close(asking->inotify_fd);
	if (asking->wake_fd >= 0)
		close(asking->wake_fd);
	pthread_mutex_destroy(&asking->lock);
	free(asking);
}
