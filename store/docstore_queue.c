/* The calls of docstore.h about what is to be read, in which order, and how it ends: files seen, documents taken, failed,
 * tried again, left alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/backoff.h"
#include "store/docstore_internal.h"
#include "store/docstore_rows.h"
#include "store/docstore_schema.h"

#define REASON_BYTES 512

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

#define FILE_VALUES(file) db_text((file)->path), db_text((file)->output), FILE_STAT_VALUES(file)

static bool has_row(struct txn *txn, sqlite3_stmt *row)
{
	row_done(row);
	return txn->ret == 0 && row != NULL;
}

/* And is as it was then. */
static bool was_forgotten(struct txn *txn, const struct document_file *file)
{
	return !file->even_forgotten && has_row(txn, txn_rows(txn, WAS_FORGOTTEN, FILE_VALUES(file)));
}

/* 0: it was forgotten. */
static int64_t add_new(struct txn *txn, const struct document_file *file)
{
	if (was_forgotten(txn, file))
		return 0;
	txn_run(txn, NOT_FORGOTTEN, db_int(file->device), db_int(file->inode));
	txn_run(txn, ADD_FOLDER, FILE_VALUES(file), db_text(file->folder));
	txn_run(txn, ADD_FILE, FILE_VALUES(file), db_text(file->folder), db_text(name_of(file->path)));
	return txn_last_id(txn);
}

static void change_known(struct txn *txn, const struct document_file *file, bool as_it_was, bool moved)
{
	if (!as_it_was || moved)
		txn_run(txn, ADD_FOLDER, FILE_VALUES(file), db_text(file->folder));
	if (!as_it_was)
		txn_run(txn, CHANGE_FILE, FILE_VALUES(file), db_text(file->folder));
	else if (moved) /* the configuration's folders are others now */
		txn_run(txn, MOVE_TO_FOLDER, FILE_VALUES(file), db_text(file->folder));
}

int docstore_add(struct docstore *store, const struct document_file *file, int64_t *ret_id, bool *ret_queued,
                 struct err *err)
{
	struct txn txn = docstore_begin(store, err);
	sqlite3_stmt *row = txn_rows(&txn, FIND_FILE, FILE_VALUES(file), db_text(file->folder));
	int64_t id = row == NULL ? 0 : sqlite3_column_int64(row, 0);
	bool as_it_was = row != NULL && sqlite3_column_int(row, 1) != 0;
	bool moved = row != NULL && sqlite3_column_int(row, 2) != 0;
	bool known = has_row(&txn, row);
	int r;

	if (known)
		change_known(&txn, file, as_it_was, moved);
	else
		id = add_new(&txn, file);
	r = docstore_end(store, &txn);
	if (r < 0)
		return r;
	*ret_id = id;
	if (ret_queued != NULL)
		*ret_queued = id != 0 && !as_it_was;
	return 0;
}

/* The row's number; 0: it has none, or failed. */
static int64_t find_row(struct txn *txn, const struct document_file *file)
{
	return rows_first_integer(txn_rows(txn, FIND_FILE, FILE_VALUES(file), db_text(file->folder)));
}

/* Whether that changed anything. */
static bool leave_out(struct txn *txn, const struct document_file *file, enum document_state state,
                      const char *reason)
{
	txn_run(txn, ADD_FOLDER, FILE_VALUES(file), db_text(file->folder));
	txn_run(txn, LEAVE_OUT_FILE, FILE_VALUES(file), db_text(file->folder), db_text(name_of(file->path)),
	        db_text(reason), db_text(document_state_name(state)));
	if (txn->ret < 0 || txn_n_changed(txn) == 0)
		return false;
	rows_settle_questions(txn, find_row(txn, file));
	return true;
}

int docstore_ignore(struct docstore *store, const struct document_file *file, const char *reason,
                    struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	if (find_row(&txn, file) != 0 || !was_forgotten(&txn, file))
		leave_out(&txn, file, DOCUMENT_IGNORED, reason);
	return docstore_end(store, &txn);
}

int docstore_refuse(struct docstore *store, const struct document_file *file, const char *reason,
                    struct err *err)
{
	struct document_file refused = *file;
	struct txn txn = docstore_begin(store, err);

	/* A group that was joined or a folder that was opened leaves no trace in the file: whenever it can be read, it
	 * is another one than this. */
	refused.ctime_ns = 0;
	if ((find_row(&txn, file) != 0 || !(was_forgotten(&txn, file) || was_forgotten(&txn, &refused))) &&
	    leave_out(&txn, &refused, DOCUMENT_FAILED, reason))
		txn_run(&txn, PUT_EVENT, db_text("warning"), db_int(find_row(&txn, file)), db_text(reason));
	return docstore_end(store, &txn);
}

int docstore_gone(struct docstore *store, int64_t id, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	txn_run(&txn, MARK_GONE, db_int(id));
	docstore_need_row(&txn, id);
	rows_settle_questions(&txn, id);
	return docstore_end(store, &txn);
}

int docstore_start(struct docstore *store, int64_t id, struct err *err)
{
	return docstore_change(store, MARK_READING, id, err);
}

int docstore_put_back(struct docstore *store, int64_t id, struct err *err)
{
	return docstore_change(store, PUT_BACK, id, err);
}

int docstore_take(struct docstore *store, int64_t *ret_id, struct err *err)
{
	int64_t now = store->clock(), id;
	struct txn txn = docstore_begin(store, err);
	sqlite3_stmt *row;
	int r;

	txn_run(&txn, QUEUE_DUE, db_int(now), db_int(now + BACKOFF_LONGEST_S));
	row = txn_rows(&txn, NEXT_QUEUED);
	id = row == NULL ? 0 : sqlite3_column_int64(row, 0);
	row_done(row);
	if (row == NULL)
		txn_fail(&txn, -ENOENT, "no document is queued");
	txn_run(&txn, MARK_SERVED, db_int(id));
	txn_run(&txn, MARK_READING, db_int(id));
	r = docstore_end(store, &txn);
	if (r == 0)
		*ret_id = id;
	return r;
}

/* One that is put off for longer than anything is, since the clock was set back, is due now, as docstore_take() has
 * it. */
int docstore_next_retry(struct docstore *store, int64_t *ret_unix_seconds, struct err *err)
{
	int64_t now = store->clock(), next = 0;
	struct txn txn = docstore_begin_read(store, err);
	sqlite3_stmt *row = txn_rows(&txn, NEXT_RETRY, db_int(now + BACKOFF_LONGEST_S));
	int r;

	if (row != NULL && sqlite3_column_type(row, 0) == SQLITE_NULL)
		txn_fail(&txn, -ENOENT, "no document waits to be tried again");
	else if (row != NULL)
		next = sqlite3_column_int(row, 1) != 0 ? now : sqlite3_column_int64(row, 0);
	row_done(row);
	r = docstore_end(store, &txn);
	if (r == 0)
		*ret_unix_seconds = next;
	return r;
}

int docstore_progress(struct docstore *store, int64_t id, const struct document_progress *progress,
                      struct err *err)
{
	struct txn txn = docstore_begin_passing(store, err);

	txn_run(&txn, SET_PROGRESS, db_int(id), db_text(progress->stage), db_real(progress->share),
	        db_int_or_null(progress->tokens_done), db_int_or_null(progress->tokens_total),
	        progress->eta_seconds < 0 ? db_null() : db_int(progress->eta_seconds));
	docstore_need_row(&txn, id);
	return docstore_end(store, &txn);
}

struct failure {
	enum document_state state;
	enum document_retry retry;
	char reason[REASON_BYTES];
	int64_t n_attempts;
	struct db_value retry_at; /* NULL: not by itself */
};

/* The failure of one that was to be tried again later, but has been often enough, or not yet. */
static void put_off(struct failure *failure, int64_t id, int64_t n_before, int64_t now)
{
	char end[REASON_BYTES];
	size_t n;

	failure->n_attempts = n_before + 1;
	if (failure->n_attempts < BACKOFF_ATTEMPTS) {
		failure->retry_at = db_int(now + backoff_seconds(failure->n_attempts, id));
		return;
	}
	failure->retry = RETRY_CHANGED;
	n = (size_t)snprintf(end, sizeof(end),
	                     "; given up after %d attempts, 'skimctl retry %lld' tries again",
	                     BACKOFF_ATTEMPTS, (long long)id);
	n = strnlen(failure->reason, sizeof(failure->reason) - 1 - n);
	memcpy(failure->reason + n, end, strlen(end) + 1);
}

static void count_attempt(struct txn *txn, int64_t id, struct failure *failure, int64_t now)
{
	int64_t n_before = rows_first_integer(txn_rows(txn, GET_ATTEMPTS, db_int(id)));

	if (failure->retry == RETRY_LATER)
		put_off(failure, id, n_before, now);
}

static void fail_document(struct txn *txn, int64_t id, struct failure *failure, int64_t now)
{
	count_attempt(txn, id, failure, now);
	txn_run(txn, MARK_FAILED, db_int(id), db_text(document_state_name(failure->state)),
	        db_text(failure->reason), db_text(document_retry_name(failure->retry)), failure->retry_at,
	        db_int(failure->n_attempts));
	docstore_need_row(txn, id);
	txn_run(txn, PUT_EVENT, db_text("warning"), db_int(id), db_text(failure->reason));
	rows_settle_questions(txn, id);
}

int docstore_fail(struct docstore *store, int64_t id, enum document_state state, enum document_retry retry,
                  const char *error, struct err *err)
{
	struct failure failure = { .state = state, .retry = retry, .retry_at = db_null() };
	struct txn txn = docstore_begin(store, err);

	if ((state != DOCUMENT_FAILED && state != DOCUMENT_IGNORED) || retry == RETRY_NONE ||
	    (state == DOCUMENT_IGNORED && retry == RETRY_LATER))
		txn_fail(&txn, -EINVAL, "document %lld cannot fail as '%s'", (long long)id,
		         document_state_name(state));
	snprintf(failure.reason, sizeof(failure.reason), "%s", error);
	fail_document(&txn, id, &failure, store->clock());
	return docstore_end(store, &txn);
}

int docstore_unpublished(struct docstore *store, int64_t id, enum document_retry retry, const char *why,
                         struct err *err)
{
	struct failure failure = { .state = DOCUMENT_DONE, .retry = retry, .retry_at = db_null() };
	struct txn txn = docstore_begin(store, err);

	snprintf(failure.reason, sizeof(failure.reason), "%s", why);
	count_attempt(&txn, id, &failure, store->clock());
	txn_run(&txn, MARK_UNPUBLISHED, db_int(id), db_text(failure.reason),
	        db_text(document_retry_name(failure.retry)), failure.retry_at, db_int(failure.n_attempts));
	txn_run(&txn, PUT_EVENT, db_text("warning"), db_int(id), db_text(failure.reason));
	return docstore_end(store, &txn);
}

/* Fail unless statement finds the document in this state or that one; words: what is to be done in another. */
static void need_state(struct txn *txn, int statement, int64_t id, enum document_state this,
                       enum document_state that, const char *words)
{
	sqlite3_stmt *row = txn_rows(txn, statement, db_int(id));
	char *state = row == NULL ? NULL : row_text(txn, row, 0);

	row_done(row);
	if (row == NULL)
		txn_fail(txn, -ENOENT, "there is no document %lld", (long long)id);
	else if (state != NULL && strcmp(state, document_state_name(this)) != 0 &&
	         strcmp(state, document_state_name(that)) != 0)
		txn_fail(txn, -EINVAL, "document %lld is %s: %s", (long long)id, state, words);
	free(state);
}

int docstore_retry(struct docstore *store, int64_t id, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	need_state(&txn, GET_OUTCOME, id, DOCUMENT_FAILED, DOCUMENT_IGNORED,
	           "only what failed or was ignored is tried again; what is done is read anew by 'reread'");
	txn_run(&txn, FORGET_CRASHES, db_int(id));
	txn_run(&txn, QUEUE_AGAIN, db_int(id));
	return docstore_end(store, &txn);
}

int docstore_reread(struct docstore *store, int64_t id, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	need_state(&txn, GET_STATE, id, DOCUMENT_DONE, DOCUMENT_DONE,
	           "only what is done is read anew; what failed is tried again by 'retry'");
	txn_run(&txn, DISOWN_CHUNKS, db_int(id));
	txn_run(&txn, QUEUE_REREAD, db_int(id));
	return docstore_end(store, &txn);
}

int docstore_is_quarantined(struct docstore *store, int64_t id, bool *ret, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	bool found =
		has_row(&txn, txn_rows(&txn, FIND_QUARANTINED, db_int(id), db_int(DOCUMENT_MAX_CRASHES)));
	int r = docstore_end(store, &txn);

	if (r == 0)
		*ret = found;
	return r;
}

/* Fails the next document that has crashed too often. False: there is none. */
static bool quarantine_next(struct txn *txn, int64_t now)
{
	struct failure failure = { .state = DOCUMENT_FAILED, .retry = RETRY_NEVER, .retry_at = db_null() };
	sqlite3_stmt *row = txn_rows(txn, NEXT_CRASHED, db_int(DOCUMENT_MAX_CRASHES));
	const char *stage = row == NULL ? NULL : (const char *)sqlite3_column_text(row, 1);
	int64_t id = row == NULL ? 0 : sqlite3_column_int64(row, 0);

	if (row == NULL)
		return false;
	snprintf(failure.reason, sizeof(failure.reason),
	         "skimd ended %d times in the middle of it (stage '%s'): left out until its content changes, "
	         "or"
	         " 'skimctl retry %lld'",
	         DOCUMENT_MAX_CRASHES, stage == NULL ? "start" : stage, (long long)id);
	row_done(row);
	fail_document(txn, id, &failure, now);
	return txn->ret == 0;
}

int docstore_recover(struct docstore *store, bool orderly, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	if (!orderly) {
		txn_run(&txn, COUNT_CRASHES);
		while (quarantine_next(&txn, store->clock()))
			;
	}
	txn_run(&txn, PUT_BACK_ALL);
	docstore_recover_questions(&txn, orderly);
	return docstore_end(store, &txn);
}
