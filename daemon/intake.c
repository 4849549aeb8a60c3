#include "daemon/intake.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "daemon/ask_file.h"
#include "daemon/document_file.h"
#include "daemon/ignore.h"
#include "daemon/paths.h"
#include "daemon/remedy.h"
#include "pipeline/output.h"

#define MOST_SCANS 3 /* in a row that could not see everything, before it is as good as it gets */

/* One watch entry of the configuration, running. */
struct folder {
	struct intake *intake;
	const struct config_watch *config;
	struct watch *watch;
	dev_t device; /* of the folder itself, when the walls were put up */
	ino_t inode;
};

struct intake {
	struct intake_settings settings;
	struct folder **folders; /* [n_folders], as config->watch */
	size_t n_folders;
	bool gone_untold; /* the clerk could not take note of a file that is gone */
	pthread_mutex_t lock; /* guards the configuration's folders, which other threads ask for */
};

/* The outbox mirrors the tree below the watched folder. ret is room for PATH_MAX; false: it is not enough. */
static bool find_output(const struct folder *folder, const char *path, char *ret)
{
	int n = snprintf(ret, PATH_MAX, "%s%s", folder->config->outbox, path + strlen(folder->config->path));

	return n >= 0 && (size_t)n + strlen(OUTPUT_JSON_SUFFIX) < PATH_MAX;
}

static bool name_fits(const struct folder *folder, const char *path)
{
	bool has_outputs = folder->config->markdown || folder->config->json || folder->config->html;

	return !has_outputs || strlen(strrchr(path, '/') + 1) + strlen(OUTPUT_JSON_SUFFIX) <= NAME_MAX;
}

/* As the outputs of a file that is left out would be, if they can be. */
static struct document_file left_out(const struct folder *folder, const char *path, const struct stat *st,
                                     char *output)
{
	bool fits = find_output(folder, path, output);

	return document_file_of(path, folder->config->path, fits ? output : NULL, st);
}

static int see_ignored(void *user, const char *path, const struct stat *st, const char *reason)
{
	const struct folder *folder = user;
	char output[PATH_MAX];
	struct document_file file = left_out(folder, path, st, output);

	return clerk_ignore(folder->intake->settings.clerk, &file, reason);
}

/* A document that was forgotten and has come back is asked again what stands in the file beside it, which was told long
 * ago. One that is still being written is told by itself. */
static void ask_again(const struct folder *folder, const char *path)
{
	const struct intake_settings *settings = &folder->intake->settings;
	char questions[PATH_MAX];
	struct stat st;

	if (snprintf(questions, sizeof(questions), "%s" ASK_FILE_SUFFIX, path) >= (int)sizeof(questions) ||
	    lstat(questions, &st) < 0 || !S_ISREG(st.st_mode) ||
	    ignore_matches(strrchr(questions, '/') + 1, folder->config->ignore, folder->config->n_ignore) ||
	    watch_is_unsettled(folder->watch, questions))
		return;
	if (settings->questions(settings->user, questions) < 0)
		log_warning("'%s': too many files of questions wait: it is asked at the next start",
		            questions);
}

/* The clerk's word whether it was taken. */
static int add(const struct folder *folder, const struct document_file *file)
{
	int r = clerk_add(folder->intake->settings.clerk, file);

	if (r == 0)
		ask_again(folder, file->path);
	return r;
}

static int see_ready(void *user, const char *path, const struct stat *st)
{
	const struct folder *folder = user;
	char output[PATH_MAX];
	struct document_file file;

	if (ask_file_is(path))
		return folder->intake->settings.questions(folder->intake->settings.user, path);
	if (!name_fits(folder, path))
		return see_ignored(user, path, st, "the name is too long for its outputs");
	if (!find_output(folder, path, output))
		return see_ignored(user, path, st, "the path is too long for its outputs");
	file = document_file_of(path, folder->config->path, output, st);
	return add(folder, &file);
}

/* A watched folder that is deleted and made again, or mounted anew, is another one, and walls do not move: only a new
 * start can open it. */
static bool is_replaced(const struct folder *folder)
{
	struct stat st;

	return folder->intake->settings.walled && stat(folder->config->path, &st) == 0 &&
	       (st.st_dev != folder->device || st.st_ino != folder->inode);
}

/* Why, and what mends it where somebody's permission is all that is missing. */
static void explain(const char *path, const struct stat *st, int error, struct buf *ret)
{
	buf_printf(ret, "cannot be read: %s", strerror(error));
	if (error != EACCES && error != EPERM)
		return;
	buf_puts(ret, "; as root or its owner: ");
	remedy_own(path, st, ret);
}

static int refuse(const struct folder *folder, const char *path, const struct stat *st, int error)
{
	struct buf reason = { 0 };
	char output[PATH_MAX];
	struct document_file file = left_out(folder, path, st, output);
	int r;

	explain(path, st, error, &reason);
	r = buf_status(&reason);
	if (r == 0)
		r = clerk_refuse(folder->intake->settings.clerk, &file, reason.data);
	buf_done(&reason);
	return r;
}

static int see_unreadable(void *user, const char *path, int error)
{
	const struct folder *folder = user;
	const struct intake_settings *settings = &folder->intake->settings;
	struct stat st;

	if (error == EACCES && is_replaced(folder)) {
		settings->replaced(settings->user, folder->config->path);
		return -ESTALE;
	}
	if (lstat(path, &st) < 0)
		return 0; /* gone, as the next event or scan will say */
	if (ask_file_is(path)) {
		log_warning("'%s': its questions cannot be read: %s", path, strerror(error));
		return 0;
	}
	return refuse(folder, path, &st, error);
}

static void see_gone(void *user, const char *path)
{
	const struct folder *folder = user;
	struct intake *intake = folder->intake;
	int r = clerk_gone(intake->settings.clerk, path);

	if (r < 0 && !intake->gone_untold)
		log_warning("'%s': that it is gone cannot be noted: %s, looking for all that is gone later",
		            path, strerror(-r));
	intake->gone_untold |= r < 0;
}

static void see_settled(void *user)
{
	const struct folder *folder = user;

	folder->intake->settings.settled(folder->intake->settings.user);
}

/* What is gone is written down before what the scan that follows finds. */
static int mark_vanished(struct intake_settings *settings, struct err *err)
{
	int r = clerk_find_gone(settings->clerk, settings->config);

	if (r < 0)
		return err_set(err, r, "files that are gone cannot be looked for: %s", strerror(-r));
	return 0;
}

void intake_clerk_rested(struct intake *intake)
{
	struct err err;

	/* Where it fails, there is another time. */
	if (intake->gone_untold && mark_vanished(&intake->settings, &err) == 0)
		intake->gone_untold = false;
}

static int open_watch(struct folder *folder, struct err *err)
{
	const struct config_watch *config = folder->config;
	struct watch_settings settings = {
		.path = config->path,
		.recursive = config->recursive,
		.settle_ns = config->settle_ns,
		.rescan_ns = config->rescan_ns,
		.ignore = config->ignore,
		.n_ignore = config->n_ignore,
		.user = folder,
		.ready = see_ready,
		.unreadable = see_unreadable,
		.ignored = see_ignored,
		.gone = see_gone,
		.settled = see_settled,
	};

	return watch_open(&settings, folder->intake->settings.loop, &folder->watch, err);
}

static void close_folder(struct folder *folder)
{
	if (folder != NULL)
		watch_close(folder->watch);
	free(folder);
}

/* Nothing of it is touched before it is scanned. */
static int open_folder(struct intake *intake, const struct config_watch *config, struct folder **ret,
                       struct err *err)
{
	struct folder *folder = array_new(struct folder, 1);
	struct stat st = { 0 };
	int r;

	if (folder == NULL)
		return err_set(err, -ENOMEM, "no memory for the folders");
	stat(config->path, &st); /* what it is not, watch_open() says */
	*folder = (struct folder){ intake, config, NULL, st.st_dev, st.st_ino };
	r = open_watch(folder, err);
	if (r < 0)
		close_folder(folder);
	else
		*ret = folder;
	return r;
}

int intake_open(const struct intake_settings *settings, struct intake **ret, struct err *err)
{
	struct intake *intake = array_new(struct intake, 1);
	int r;

	if (intake == NULL)
		return err_set(err, -ENOMEM, "no memory for the folders");
	pthread_mutex_init(&intake->lock, NULL);
	intake->settings = *settings;
	intake->n_folders = settings->config->n_watch;
	intake->folders = array_new(struct folder *, intake->n_folders);
	r = intake->folders == NULL ? err_set(err, -ENOMEM, "no memory for the folders")
	                            : mark_vanished(&intake->settings, err);
	for (size_t i = 0; r == 0 && i < intake->n_folders; i++)
		r = open_folder(intake, &settings->config->watch[i], &intake->folders[i], err);
	for (size_t i = 0; r == 0 && i < intake->n_folders; i++)
		r = watch_rescan(intake->folders[i]->watch, err);
	if (r < 0)
		intake_close(intake);
	else
		*ret = intake;
	return r;
}

void intake_close(struct intake *intake)
{
	if (intake == NULL)
		return;
	for (size_t i = 0; intake->folders != NULL && i < intake->n_folders; i++)
		close_folder(intake->folders[i]);
	free(intake->folders);
	pthread_mutex_destroy(&intake->lock);
	free(intake);
}

/* A folder that goes on being watched as it is; NULL: there is none. */
static struct folder *find_same(const struct intake *intake, const struct config_watch *config)
{
	for (size_t i = 0; i < intake->n_folders; i++) {
		if (config_watch_is_same(intake->folders[i]->config, config))
			return intake->folders[i];
	}
	return NULL;
}

static bool is_among(const struct folder *folder, struct folder *const *folders, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (folders[i] == folder)
			return true;
	}
	return false;
}

/* Those of folders that are not among others are closed; the list goes, too. */
static void close_others(struct folder **folders, size_t n, struct folder *const *others, size_t n_others)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_among(folders[i], others, n_others))
			close_folder(folders[i]);
	}
	free(folders);
}

static int open_folders(struct intake *intake, const struct config *config, struct folder **folders,
                        struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_watch; i++) {
		folders[i] = find_same(intake, &config->watch[i]);
		if (folders[i] == NULL)
			r = open_folder(intake, &config->watch[i], &folders[i], err);
	}
	return r;
}

/* The watches that go on have the strings of the configuration with which they were opened. */
static void adopt(struct intake *intake, struct config *fresh, struct folder *const *folders)
{
	pthread_mutex_lock(&intake->lock);
	for (size_t i = 0; i < intake->n_folders; i++) {
		for (size_t j = 0; j < fresh->n_watch; j++) {
			if (intake->folders[i] == folders[j])
				config_watch_trade(&intake->settings.config->watch[i], &fresh->watch[j]);
		}
	}
	config_adopt(intake->settings.config, fresh);
	pthread_mutex_unlock(&intake->lock);
}

int intake_reload(struct intake *intake, struct config *fresh, struct err *err)
{
	struct folder **folders = array_new(struct folder *, fresh->n_watch), **old = intake->folders;
	size_t n = fresh->n_watch, n_old = intake->n_folders;
	int r = folders == NULL ? err_set(err, -ENOMEM, "no memory for the folders")
	                        : open_folders(intake, fresh, folders, err);

	if (r < 0) {
		if (folders != NULL)
			close_others(folders, n, old, n_old);
		return r;
	}
	adopt(intake, fresh, folders);
	intake->folders = folders;
	intake->n_folders = n;
	for (size_t i = 0; i < n; i++)
		folders[i]->config = &intake->settings.config->watch[i];
	close_others(old, n_old, folders, n);
	if (mark_vanished(&intake->settings, err) < 0)
		log_warning("%s", err->text);
	return 0;
}

void intake_rescan(struct intake *intake)
{
	for (size_t i = 0; i < intake->n_folders; i++) {
		struct err err = { "" };

		if (watch_rescan(intake->folders[i]->watch, &err) < 0)
			log_warning("%s", err.text);
	}
}

void intake_catch_up(struct intake *intake)
{
	for (size_t i = 0; i < intake->n_folders; i++)
		watch_catch_up(intake->folders[i]->watch);
}

int intake_add(struct intake *intake, size_t i, const char *path, const struct stat *st, struct err *err)
{
	const struct folder *folder = intake->folders[i];
	char output[PATH_MAX];
	struct document_file file;
	int r;

	if (ask_file_is(path))
		return err_set(err, -EINVAL, "'%s' holds questions of another file, and is no document",
		               path);
	if (!name_fits(folder, path) || !find_output(folder, path, output))
		return err_set(err, -ENAMETOOLONG, "'%s': the name is too long for its outputs", path);
	file = document_file_of(path, folder->config->path, output, st);
	file.even_forgotten = true;
	r = add(folder, &file);
	return r < 0 ? err_set(err, r, "'%s' cannot be queued: %s", path, strerror(-r)) : 0;
}

struct pipeline_outputs intake_outputs(struct intake *intake, const char *path)
{
	struct pipeline_outputs outputs = { .markdown = false };
	const struct config_watch *watch;

	pthread_mutex_lock(&intake->lock);
	watch = config_watch_of(intake->settings.config, path);
	if (watch != NULL)
		outputs = (struct pipeline_outputs){ watch->markdown, watch->json, watch->html };
	pthread_mutex_unlock(&intake->lock);
	return outputs;
}

bool intake_keep(struct intake *intake, size_t i, char *ret_folder, uint64_t *ret_keep_ns)
{
	const struct config *config = intake->settings.config;
	bool found;

	pthread_mutex_lock(&intake->lock);
	found = i < config->n_watch;
	if (found) {
		snprintf(ret_folder, PATH_MAX, "%s", config->watch[i].path);
		*ret_keep_ns = config->watch[i].keep_ns;
	}
	pthread_mutex_unlock(&intake->lock);
	return found;
}

struct watch *intake_watch(const struct intake *intake, size_t i)
{
	return intake->folders[i]->watch;
}

size_t intake_n_unsettled(const struct intake *intake)
{
	size_t n = clerk_n_waiting(intake->settings.clerk);

	for (size_t i = 0; i < intake->n_folders; i++)
		n += watch_count(intake->folders[i]->watch).n_unsettled;
	return n;
}

bool intake_is_unsettled(const struct intake *intake, const char *path)
{
	bool found = clerk_has(intake->settings.clerk, path);

	for (size_t i = 0; i < intake->n_folders && !found; i++)
		found = paths_is_inside(path, intake->folders[i]->config->path) &&
		        watch_is_unsettled(intake->folders[i]->watch, path);
	return found;
}

bool intake_is_incomplete(const struct intake *intake)
{
	for (size_t i = 0; i < intake->n_folders; i++) {
		unsigned n = watch_count(intake->folders[i]->watch).n_incomplete;

		if (n > 0 && n < MOST_SCANS)
			return true;
	}
	return false;
}
