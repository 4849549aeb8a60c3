#include "daemon/clerk.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>

#include "base/array.h"
#include "base/log.h"
#include "daemon/paths.h"
#include "pipeline/messages.h"

#define MAX_NOTES 100000
#define RETRY_S 10 /* until what could not be written is tried again */

struct note {
	int (*write)(struct clerk *clerk, const struct note *note, struct err *err);
	char *path; /* of the file; NULL: of none */
	struct document_file file; /* its strings are those of the note */
	char *folder, *output;
	char *text; /* reason or message */
	const char *level;
	char **folders; /* [n_folders], to be looked through */
	size_t n_folders;
	STAILQ_ENTRY(note) next;
};

STAILQ_HEAD(notes, note);

struct clerk {
	struct clerk_settings settings;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake, rested;
	struct notes notes; /* the one in work is the first */
	size_t n_notes;
	int failure; /* of writing the first, which waits; 0: none */
	struct err why;
	bool stop;
};

static void note_free(struct note *note)
{
	if (note == NULL)
		return;
	free(note->path);
	free(note->folder);
	free(note->output);
	free(note->text);
	for (size_t i = 0; i < note->n_folders; i++)
		free(note->folders[i]);
	free(note->folders);
	free(note);
}

/* --- the thread */

static int write_added(struct clerk *clerk, const struct note *note, struct err *err)
{
	bool queued;
	int64_t id;
	int r = docstore_add(clerk->settings.store, &note->file, &id, &queued, err);

	if (r < 0)
		return r;
	log_debug("'%s': settled, %lld bytes, %s", note->path, (long long)note->file.size,
	          queued ? "new or changed" : "known");
	if (queued) {
		log_info("'%s': queued", note->path);
		clerk->settings.queued(clerk->settings.user);
	}
	return 0;
}

static void log_left_out(const struct note *note, enum log_level level, const char *message_id,
                         const char *state)
{
	const struct log_field about[] = { { "MESSAGE_ID", message_id },
		                           { "SKIMD_PATH", note->path },
		                           { NULL, NULL } };

	log_fields(level, about, "'%s': %s: %s", note->path, state, note->text);
}

static int write_ignored(struct clerk *clerk, const struct note *note, struct err *err)
{
	int r = docstore_ignore(clerk->settings.store, &note->file, note->text, err);

	if (r == 0)
		log_left_out(note, LOG_LEVEL_INFO, MESSAGE_IGNORED, "ignored");
	return r;
}

static int write_refused(struct clerk *clerk, const struct note *note, struct err *err)
{
	int r = docstore_refuse(clerk->settings.store, &note->file, note->text, err);

	if (r == 0)
		log_left_out(note, LOG_LEVEL_WARNING, MESSAGE_REFUSED, "failed");
	return r;
}

static int write_gone(struct clerk *clerk, const struct note *note, struct err *err)
{
	int64_t id;
	int r = docstore_resolve(clerk->settings.store, note->path, &id, err);

	if (r == 0)
		r = docstore_gone(clerk->settings.store, id, err);
	return r == -ENOENT ? 0 : r; /* never known, or forgotten */
}

static int write_event(struct clerk *clerk, const struct note *note, struct err *err)
{
	return docstore_event(clerk->settings.store, note->level, 0, note->text, err);
}

static bool is_stopping(struct clerk *clerk)
{
	bool stop;

	pthread_mutex_lock(&clerk->lock);
	stop = clerk->stop;
	pthread_mutex_unlock(&clerk->lock);
	return stop;
}

static bool is_below(const char *path, const struct note *note)
{
	for (size_t i = 0; i < note->n_folders; i++) {
		if (paths_is_inside(path, note->folders[i]))
			return true;
	}
	return false;
}

struct search {
	struct clerk *clerk;
	const struct note *note;
	struct err *err;
};

static int mark_if_gone(void *user, const struct document *document)
{
	const struct search *search = user;
	struct stat st;
	int r;

	if (is_stopping(search->clerk))
		return err_set(search->err, -ECANCELED, "told to stop");
	if (document->state == DOCUMENT_GONE || !is_below(document->path, search->note) ||
	    lstat(document->path, &st) == 0 || errno != ENOENT)
		return 0;
	r = docstore_gone(search->clerk->settings.store, document->id, search->err);
	return r == -ENOENT ? 0 : r; /* forgotten meanwhile */
}

static int write_all_gone(struct clerk *clerk, const struct note *note, struct err *err)
{
	struct search search = { clerk, note, err };
	int r = docstore_each(clerk->settings.store, mark_if_gone, &search, err);

	if (r != -EBADMSG)
		return r;
	log_error("looking for files that are gone: %s",
	          err->text); /* a damaged row; what comes is noted all the same */
	return 0;
}

/* Of the note itself, so that it would fail for ever and keep all others from being written. */
static bool is_hopeless(int r)
{
	return r == -EINVAL || r == -EFBIG;
}

/* With the lock. */
static void rest_a_while(struct clerk *clerk)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += RETRY_S;
	while (!clerk->stop && pthread_cond_timedwait(&clerk->wake, &clerk->lock, &until) != ETIMEDOUT)
		;
}

static const char *name_of(const struct note *note)
{
	return note->path != NULL ? note->path : note->text != NULL ? note->text : note->folders[0];
}

/* With the lock, which is given up for the writing. */
static void write_first(struct clerk *clerk)
{
	struct note *note = STAILQ_FIRST(&clerk->notes);
	struct err err = { "" };
	int r;

	pthread_mutex_unlock(&clerk->lock);
	r = note->write(clerk, note, &err);
	if (r < 0 && r != -ECANCELED && (clerk->failure == 0 || is_hopeless(r)))
		log_error("'%s': cannot be noted%s: %s", name_of(note),
		          is_hopeless(r) ? "" : ", trying again soon", err.text);
	pthread_mutex_lock(&clerk->lock);
	clerk->failure = is_hopeless(r) ? 0 : r;
	if (clerk->failure < 0) {
		clerk->why = err;
		pthread_cond_broadcast(&clerk->rested);
		rest_a_while(clerk);
		return;
	}
	STAILQ_REMOVE_HEAD(&clerk->notes, next);
	clerk->n_notes--;
	note_free(note);
}

/* With the lock. */
static void tell_rested(struct clerk *clerk)
{
	pthread_cond_broadcast(&clerk->rested);
	pthread_mutex_unlock(&clerk->lock);
	clerk->settings.rested(clerk->settings.user);
	pthread_mutex_lock(&clerk->lock);
}

static void *clerk_main(void *user)
{
	struct clerk *clerk = user;

	pthread_mutex_lock(&clerk->lock);
	while (!clerk->stop) {
		if (clerk->n_notes == 0) {
			pthread_cond_wait(&clerk->wake, &clerk->lock);
			continue;
		}
		write_first(clerk);
		if (clerk->n_notes == 0)
			tell_rested(clerk);
	}
	pthread_mutex_unlock(&clerk->lock);
	return NULL;
}

/* Time that is waited for is no matter of the clock on the wall. */
static void init_wake(pthread_cond_t *wake)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(wake, &attributes);
	pthread_condattr_destroy(&attributes);
}

int clerk_start(const struct clerk_settings *settings, struct clerk **ret, struct err *err)
{
	struct clerk *clerk = array_new(struct clerk, 1);
	int r;

	if (clerk == NULL)
		return err_set(err, -ENOMEM, "no memory for the clerk");
	clerk->settings = *settings;
	if (clerk->settings.max_notes == 0)
		clerk->settings.max_notes = MAX_NOTES;
	STAILQ_INIT(&clerk->notes);
	pthread_mutex_init(&clerk->lock, NULL);
	init_wake(&clerk->wake);
	pthread_cond_init(&clerk->rested, NULL);
	r = -pthread_create(&clerk->thread, NULL, clerk_main, clerk);
	if (r < 0) {
		free(clerk);
		return err_set(err, r, "cannot start the clerk: %s", strerror(-r));
	}
	*ret = clerk;
	return 0;
}

void clerk_stop(struct clerk *clerk)
{
	struct note *note;

	if (clerk == NULL)
		return;
	pthread_mutex_lock(&clerk->lock);
	clerk->stop = true;
	pthread_cond_broadcast(&clerk->wake);
	pthread_mutex_unlock(&clerk->lock);
	pthread_join(clerk->thread, NULL);
	while ((note = STAILQ_FIRST(&clerk->notes)) != NULL) {
		STAILQ_REMOVE_HEAD(&clerk->notes, next);
		note_free(note);
	}
	pthread_mutex_destroy(&clerk->lock);
	pthread_cond_destroy(&clerk->wake);
	pthread_cond_destroy(&clerk->rested);
	free(clerk);
}

/* --- what is told */

/* Takes the note over; NULL: no memory for it. */
static int put(struct clerk *clerk, struct note *note)
{
	bool full;

	if (note == NULL)
		return -ENOMEM;
	pthread_mutex_lock(&clerk->lock);
	full = clerk->n_notes >= clerk->settings.max_notes;
	if (!full) {
		STAILQ_INSERT_TAIL(&clerk->notes, note, next);
		clerk->n_notes++;
		/* One that rests for want of room is woken by the time alone. */
		if (clerk->failure == 0)
			pthread_cond_signal(&clerk->wake);
	}
	pthread_mutex_unlock(&clerk->lock);
	if (full)
		note_free(note);
	return full ? -EAGAIN : 0;
}

/* False: no memory. NULL stays NULL. */
static bool copy(const char *text, char **ret)
{
	*ret = text == NULL ? NULL : strdup(text);
	return text == NULL || *ret != NULL;
}

static struct note *note_of(const struct document_file *file, const char *text)
{
	struct note *note = array_new(struct note, 1);

	if (note == NULL)
		return NULL;
	note->file = *file;
	if (!copy(file->path, &note->path) || !copy(file->folder, &note->folder) ||
	    !copy(file->output, &note->output) || !copy(text, &note->text)) {
		note_free(note);
		return NULL;
	}
	note->file.path = note->path;
	note->file.folder = note->folder;
	note->file.output = note->output;
	return note;
}

static int put_file(struct clerk *clerk, const struct document_file *file, const char *text,
                    int (*write)(struct clerk *clerk, const struct note *note, struct err *err))
{
	struct note *note = note_of(file, text);

	if (note != NULL)
		note->write = write;
	return put(clerk, note);
}

int clerk_add(struct clerk *clerk, const struct document_file *file)
{
	return put_file(clerk, file, NULL, write_added);
}

int clerk_ignore(struct clerk *clerk, const struct document_file *file, const char *reason)
{
	return put_file(clerk, file, reason, write_ignored);
}

int clerk_refuse(struct clerk *clerk, const struct document_file *file, const char *reason)
{
	return put_file(clerk, file, reason, write_refused);
}

int clerk_gone(struct clerk *clerk, const char *path)
{
	return put_file(clerk, &(struct document_file){ .path = path }, NULL, write_gone);
}

int clerk_event(struct clerk *clerk, const char *level, const char *message)
{
	struct note *note = note_of(&(struct document_file){ .path = NULL }, message);

	if (note != NULL) {
		note->write = write_event;
		note->level = level;
	}
	return put(clerk, note);
}

int clerk_find_gone(struct clerk *clerk, const struct config *config)
{
	struct note *note = note_of(&(struct document_file){ .path = NULL }, NULL);

	if (note == NULL || (note->folders = array_new(char *, config->n_watch)) == NULL) {
		note_free(note);
		return -ENOMEM;
	}
	note->write = write_all_gone;
	for (; note->n_folders < config->n_watch; note->n_folders++) {
		if (!copy(config->watch[note->n_folders].path, &note->folders[note->n_folders])) {
			note_free(note);
			return -ENOMEM;
		}
	}
	return put(clerk, note);
}

size_t clerk_n_waiting(struct clerk *clerk)
{
	size_t n;

	pthread_mutex_lock(&clerk->lock);
	n = clerk->n_notes;
	pthread_mutex_unlock(&clerk->lock);
	return n;
}

bool clerk_has(struct clerk *clerk, const char *path)
{
	const struct note *note;
	bool found = false;

	pthread_mutex_lock(&clerk->lock);
	STAILQ_FOREACH(note, &clerk->notes, next)
	{
		found = note->path != NULL && strcmp(note->path, path) == 0;
		if (found)
			break;
	}
	pthread_mutex_unlock(&clerk->lock);
	return found;
}

int clerk_failure(struct clerk *clerk, struct err *err)
{
	int r;

	pthread_mutex_lock(&clerk->lock);
	r = clerk->failure;
	if (r < 0 && err != NULL)
		*err = clerk->why;
	pthread_mutex_unlock(&clerk->lock);
	return r;
}

void clerk_wait(struct clerk *clerk)
{
	pthread_mutex_lock(&clerk->lock);
	while (clerk->n_notes > 0 && clerk->failure == 0 && !clerk->stop)
		pthread_cond_wait(&clerk->rested, &clerk->lock);
	pthread_mutex_unlock(&clerk->lock);
}
