#include "daemon/intake.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "daemon/ask_file.h"
#include "daemon/document_file.h"
#include "pipeline/messages.h"
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
	struct folder *folders; /* [n_folders], as config->watch */
	size_t n_folders;
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

static int see_ignored(void *user, const char *path, const struct stat *st, const char *reason)
{
	struct folder *folder = user;
	char output[PATH_MAX];
	bool fits = find_output(folder, path, output);
	struct document_file file = document_file_of(path, folder->config->path, fits ? output : NULL, st);
	const struct log_field about[] = { { "MESSAGE_ID", MESSAGE_IGNORED },
		                           { "SKIMD_PATH", path },
		                           { NULL, NULL } };
	struct err err = { "" };
	int r = docstore_ignore(folder->intake->settings.store, &file, reason, &err);

	if (r < 0)
		log_error("'%s': cannot be noted: %s", path, err.text);
	else
		log_fields(LOG_LEVEL_INFO, about, "'%s': ignored: %s", path, reason);
	return r;
}

static int queue(const struct folder *folder, const struct document_file *file)
{
	const struct intake_settings *settings = &folder->intake->settings;
	struct err err = { "" };
	bool queued;
	int64_t id;
	int r = docstore_add(settings->store, file, &id, &queued, &err);

	if (r < 0) {
		log_error("'%s': cannot be queued, trying again soon: %s", file->path, err.text);
		return r;
	}
	log_debug("'%s': settled, %lld bytes, %s", file->path, (long long)file->size,
	          queued ? "new or changed" : "known");
	if (queued) {
		log_info("'%s': queued", file->path);
		settings->queued(settings->user);
	}
	return 0;
}

static int see_ready(void *user, const char *path, const struct stat *st)
{
	struct folder *folder = user;
	char output[PATH_MAX];
	struct document_file file;

	if (ask_file_is(path))
		return folder->intake->settings.questions(folder->intake->settings.user, path);
	if (!name_fits(folder, path))
		return see_ignored(user, path, st, "the name is too long for its outputs");
	if (!find_output(folder, path, output))
		return see_ignored(user, path, st, "the path is too long for its outputs");
	file = document_file_of(path, folder->config->path, output, st);
	return queue(folder, &file);
}

/* A watched folder that is deleted and made again, or mounted anew, is another one, and walls do not move: only a new
 * start can open it. */
static bool is_replaced(const struct folder *folder)
{
	struct stat st;

	return folder->intake->settings.walled && stat(folder->config->path, &st) == 0 &&
	       (st.st_dev != folder->device || st.st_ino != folder->inode);
}

static int see_unreadable(void *user, const char *path, int error)
{
	struct folder *folder = user;
	const struct intake_settings *settings = &folder->intake->settings;
	char reason[256];
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
	snprintf(reason, sizeof(reason), "cannot be read: %s", strerror(error));
	return see_ignored(user, path, &st, reason);
}

static void see_gone(void *user, const char *path)
{
	struct folder *folder = user;
	struct docstore *store = folder->intake->settings.store;
	struct err err = { "" };
	int64_t id;

	if (docstore_resolve(store, path, &id, &err) == 0 && docstore_gone(store, id, &err) < 0)
		log_error("'%s': %s", path, err.text);
}

/* Documents whose file went while nobody watched. */
struct vanished {
	const struct config *config;
	int64_t *ids;
	size_t n, cap;
};

static int note_vanished(void *user, const struct document *document)
{
	struct vanished *vanished = user;
	struct stat st;

	if (document->state == DOCUMENT_GONE || config_watch_of(vanished->config, document->path) == NULL ||
	    lstat(document->path, &st) == 0 || errno != ENOENT)
		return 0;
	if (array_grow(&vanished->ids, sizeof(*vanished->ids), vanished->n, &vanished->cap) < 0)
		return -ENOMEM;
	vanished->ids[vanished->n++] = document->id;
	return 0;
}

static int mark_vanished(const struct intake_settings *settings, struct err *err)
{
	struct vanished vanished = { .config = settings->config };
	int r = docstore_each(settings->store, note_vanished, &vanished, err);

	for (size_t i = 0; r == 0 && i < vanished.n; i++)
		r = docstore_gone(settings->store, vanished.ids[i], err);
	free(vanished.ids);
	return r;
}

static int open_folder(struct intake *intake, size_t i, struct err *err)
{
	const struct config_watch *config = &intake->settings.config->watch[i];
	struct folder *folder = &intake->folders[i];
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
	};
	struct stat st = { 0 };

	stat(config->path, &st); /* what it is not, watch_open() says */
	*folder = (struct folder){ intake, config, NULL, st.st_dev, st.st_ino };
	return watch_open(&settings, intake->settings.loop, &folder->watch, err);
}

int intake_open(const struct intake_settings *settings, struct intake **ret, struct err *err)
{
	struct intake *intake = array_new(struct intake, 1);
	int r;

	if (intake == NULL)
		return err_set(err, -ENOMEM, "no memory for the folders");
	intake->settings = *settings;
	intake->n_folders = settings->config->n_watch;
	intake->folders = array_new(struct folder, intake->n_folders);
	r = intake->folders == NULL ? err_set(err, -ENOMEM, "no memory for the folders")
	                            : mark_vanished(settings, err);
	for (size_t i = 0; r == 0 && i < intake->n_folders; i++)
		r = open_folder(intake, i, err);
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
		watch_close(intake->folders[i].watch);
	free(intake->folders);
	free(intake);
}

void intake_rescan(struct intake *intake)
{
	for (size_t i = 0; i < intake->n_folders; i++) {
		struct err err = { "" };

		if (watch_rescan(intake->folders[i].watch, &err) < 0)
			log_warning("%s", err.text);
	}
}

int intake_add(struct intake *intake, size_t i, const char *path, const struct stat *st, struct err *err)
{
	const struct folder *folder = &intake->folders[i];
	char output[PATH_MAX];
	struct document_file file;

	if (ask_file_is(path))
		return err_set(err, -EINVAL, "'%s' holds questions of another file, and is no document",
		               path);
	if (!name_fits(folder, path) || !find_output(folder, path, output))
		return err_set(err, -ENAMETOOLONG, "'%s': the name is too long for its outputs", path);
	file = document_file_of(path, folder->config->path, output, st);
	file.even_forgotten = true;
	return queue(folder, &file) < 0 ? err_set(err, -EIO, "'%s' cannot be queued", path) : 0;
}

struct watch *intake_watch(const struct intake *intake, size_t i)
{
	return intake->folders[i].watch;
}

size_t intake_n_unsettled(const struct intake *intake)
{
	size_t n = 0;

	for (size_t i = 0; i < intake->n_folders; i++)
		n += watch_count(intake->folders[i].watch).n_unsettled;
	return n;
}

bool intake_is_incomplete(const struct intake *intake)
{
	for (size_t i = 0; i < intake->n_folders; i++) {
		unsigned n = watch_count(intake->folders[i].watch).n_incomplete;

		if (n > 0 && n < MOST_SCANS)
			return true;
	}
	return false;
}
