#include "store/docstore_questions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "store/backoff.h"
#include "store/docstore_internal.h"
#include "store/docstore_rows.h"
#include "store/docstore_schema.h"

int question_check(const char *text, struct err *err)
{
	size_t n = strlen(text);

	if (text[strspn(text, " ")] == '\0')
		return err_set(err, -EINVAL, "the question is empty");
	if (n > QUESTION_MAX_BYTES)
		return err_set(err, -EINVAL, "the question has %zu bytes, more than %d", n,
		               QUESTION_MAX_BYTES);
	if (!text_is_utf8(text, n))
		return err_set(err, -EINVAL, "the question is not UTF-8");
	for (size_t i = 0; i < n; i++) {
		if (text_control_length(text + i) > 0)
			return err_set(err, -EINVAL, "the question has a control character at byte %zu", i);
	}
	return 0;
}

/* Somebody who asks now wants another try of what has failed; a folder's list or a file says the same for ever. */
static bool is_somebody(const char *source)
{
	return strcmp(source, "folder") != 0 && strcmp(source, "file") != 0;
}

/* What folders ask of all documents takes nobody's place. */
static void need_room(struct txn *txn)
{
	if (rows_first_integer(txn_rows(txn, COUNT_ASKED_BY_SOMEBODY)) >= QUESTION_MAX_ASKED)
		txn_fail(txn, -EAGAIN, "%d questions wait to be answered: ask again later",
		         QUESTION_MAX_ASKED);
}

static int64_t find_or_put(struct txn *txn, const struct question_request *request)
{
	int64_t document_id = request->document_id, id;

	if (rows_first_integer(txn_rows(txn, HAS_DOCUMENT, db_int(document_id))) == 0)
		txn_fail(txn, -ENOENT, "there is no document %lld", (long long)document_id);
	id = rows_first_integer(txn_rows(txn, FIND_QUESTION, db_int(document_id), db_text(request->text)));
	if (id != 0) {
		txn_run(txn, ASK_AGAIN, db_int(id), db_text(request->fingerprint),
		        db_int(is_somebody(request->source)));
		return id;
	}
	need_room(txn);
	txn_run(txn, PUT_QUESTION, db_int(document_id), db_text(request->text), db_text(request->source));
	return txn_last_id(txn);
}

static int64_t ask(struct txn *txn, const struct question_request *request)
{
	int64_t id = find_or_put(txn, request);

	rows_settle_questions(txn, request->document_id);
	return id;
}

int docstore_ask(struct docstore *store, const struct question_request *request, int64_t *ret_id,
                 struct err *err)
{
	int r = question_check(request->text, err);
	struct txn txn;
	int64_t id;

	if (r < 0)
		return r;
	txn = docstore_begin(store, err);
	id = ask(&txn, request);
	r = docstore_end(store, &txn);
	if (r == 0)
		*ret_id = id;
	return r;
}

int docstore_ask_all(struct docstore *store, const struct question_request *request, const char *folder,
                     int64_t *ret_n, struct err *err)
{
	int r = question_check(request->text, err);
	struct txn txn;
	int64_t n;

	if (r < 0)
		return r;
	txn = docstore_begin(store, err);
	if (is_somebody(request->source))
		need_room(&txn);
	txn_run(&txn, ASK_ALL, db_text(request->text), db_text(request->source), db_text(folder));
	n = txn_n_changed(&txn);
	if (is_somebody(request->source))
		txn_run(&txn, ASK_ALL_AGAIN, db_text(request->text), db_text(request->fingerprint));
	txn_run(&txn, FAIL_OF_TEXT, db_text(request->text));
	r = docstore_end(store, &txn);
	if (r == 0)
		*ret_n = n;
	return r;
}

int docstore_ask_from_inbox(struct docstore *store, const struct question_request *request, const char *inbox,
                            int64_t row, int64_t *ret_id, struct err *err)
{
	int r = question_check(request->text, err);
	struct txn txn;
	int64_t id = 0;

	if (r < 0)
		return r;
	txn = docstore_begin(store, err);
	if (rows_first_integer(txn_rows(&txn, HAS_INBOX_ROW, db_text(inbox), db_int(row))) == 0) {
		txn_run(&txn, PUT_INBOX_ROW, db_text(inbox), db_int(row));
		id = ask(&txn, request);
	}
	r = docstore_end(store, &txn);
	if (r == 0)
		*ret_id = id;
	return r;
}

int docstore_has_inbox_row(struct docstore *store, const char *inbox, int64_t row, bool *ret, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	bool found = rows_first_integer(txn_rows(&txn, HAS_INBOX_ROW, db_text(inbox), db_int(row))) != 0;
	int r = docstore_end(store, &txn);

	if (r == 0)
		*ret = found;
	return r;
}

int docstore_inbox_removed(struct docstore *store, const char *inbox, int64_t row, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	txn_run(&txn, DELETE_INBOX_ROW, db_text(inbox), db_int(row));
	txn_run(&txn, DELETE_OTHER_INBOXES, db_text(inbox));
	return docstore_end(store, &txn);
}

int docstore_has_ask_file(struct docstore *store, int64_t document_id, const struct document_file *file,
                          bool *ret, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	bool found = rows_first_integer(
			     txn_rows(&txn, HAS_ASK_FILE, db_int(document_id), FILE_STAT_VALUES(file))) != 0;
	int r = docstore_end(store, &txn);

	if (r == 0)
		*ret = found;
	return r;
}

/* Where that is lost, nothing happens but that it is taken once more. */
int docstore_put_ask_file(struct docstore *store, int64_t document_id, const struct document_file *file,
                          struct err *err)
{
	struct txn txn = docstore_begin_passing(store, err);

	txn_run(&txn, PUT_ASK_FILE, db_int(document_id), FILE_STAT_VALUES(file));
	return docstore_end(store, &txn);
}

/* What has failed and is due. */
static void ask_due(struct txn *txn, int64_t now)
{
	txn_run(txn, ASK_DUE, db_int(now), db_int(now + BACKOFF_LONGEST_S));
	if (txn->ret == 0 && txn_n_changed(txn) > 0)
		txn_run(txn, FAIL_ALL);
}

/* 0: none. */
static int64_t next_question(struct txn *txn, int64_t beside)
{
	sqlite3_stmt *row = txn_rows(txn, NEXT_QUESTION);
	int64_t id = row == NULL ? 0 : sqlite3_column_int64(row, 0), other = 0;
	bool of_folder = row != NULL && sqlite3_column_int(row, 1) != 0;

	row_done(row);
	if (id != 0 && beside != 0)
		other = rows_first_integer(
			txn_rows(txn, NEXT_QUESTION_BESIDE, db_int(beside), db_int(of_folder)));
	return other != 0 ? other : id;
}

int docstore_take_question(struct docstore *store, int64_t beside, int64_t *ret_id, struct err *err)
{
	int64_t now = store->clock(), id;
	struct txn txn = docstore_begin(store, err);
	int r;

	ask_due(&txn, now);
	id = next_question(&txn, beside);
	if (id != 0)
		txn_run(&txn, MARK_ANSWERING, db_int(id));
	r = docstore_end(store, &txn);
	if (r < 0)
		return r;
	if (id == 0)
		return err_set(err, -ENOENT, "no question can be answered now");
	*ret_id = id;
	return 0;
}

int docstore_has_question(struct docstore *store, bool *ret, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	bool found = rows_first_integer(txn_rows(&txn, NEXT_QUESTION)) != 0;
	int r = docstore_end(store, &txn);

	if (r == 0)
		*ret = found;
	return r;
}

static void need_question(struct txn *txn, int64_t id)
{
	if (txn->ret == 0 && txn_n_changed(txn) == 0)
		txn_fail(txn, -ENOENT, "there is no question %lld", (long long)id);
}

int docstore_start_question(struct docstore *store, int64_t id, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	txn_run(&txn, MARK_ANSWERING, db_int(id));
	need_question(&txn, id);
	return docstore_end(store, &txn);
}

int docstore_put_back_question(struct docstore *store, int64_t id, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	txn_run(&txn, PUT_BACK_QUESTION, db_int(id));
	return docstore_end(store, &txn);
}

int docstore_put_answer(struct docstore *store, const struct question *question, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	txn_run(&txn, MARK_ANSWERED, db_int(question->id));
	need_question(&txn, question->id);
	txn_run(&txn, UNSEARCH_ANSWER, db_int(question->id));
	txn_run(&txn, DELETE_ANSWER, db_int(question->id));
	rows_put_answer(&txn, question);
	txn_run(&txn, MARK_TO_PUBLISH, db_int(question->document_id));
	return docstore_end(store, &txn);
}

/* retry_at NULL: not by itself. */
static void fail(struct txn *txn, int64_t id, const char *error, struct db_value retry_at, int64_t n_attempts)
{
	char words[600];

	txn_run(txn, FAIL_QUESTION, db_int(id), db_text(error), retry_at, db_int(n_attempts));
	need_question(txn, id);
	snprintf(words, sizeof(words), "question %lld: %s", (long long)id, error);
	txn_run(txn, PUT_QUESTION_EVENT, db_int(id), db_text(words));
}

/* As put off as a document is: so much later each time, and not for ever. */
static void put_off(struct txn *txn, int64_t id, const char *error, int64_t now)
{
	int64_t n_attempts = 1 + rows_first_integer(txn_rows(txn, GET_QUESTION_ATTEMPTS, db_int(id)));
	char words[512];

	if (n_attempts < BACKOFF_ATTEMPTS) {
		fail(txn, id, error, db_int(now + backoff_seconds(n_attempts, id)), n_attempts);
		return;
	}
	snprintf(words, sizeof(words), "%.400s; given up after %d attempts until it is asked again", error,
	         BACKOFF_ATTEMPTS);
	fail(txn, id, words, db_null(), n_attempts);
}

int docstore_fail_question(struct docstore *store, int64_t id, enum document_retry retry, const char *error,
                           struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	if (retry == RETRY_LATER)
		put_off(&txn, id, error, store->clock());
	else
		fail(&txn, id, error, db_null(), 0);
	return docstore_end(store, &txn);
}

/* Fails the next question that has crashed too often. False: there is none. */
static bool fail_crashed(struct txn *txn)
{
	int64_t id = rows_first_integer(txn_rows(txn, NEXT_QUESTION_CRASHED, db_int(QUESTION_MAX_CRASHES)));
	char error[128];

	if (id == 0)
		return false;
	snprintf(error, sizeof(error),
	         "skimd ended %d times in the middle of it: left out until it is asked again",
	         QUESTION_MAX_CRASHES);
	fail(txn, id, error, db_null(), 0);
	return txn->ret == 0;
}

void docstore_recover_questions(struct txn *txn, bool orderly)
{
	if (!orderly) {
		txn_run(txn, COUNT_QUESTION_CRASHES);
		while (fail_crashed(txn))
			;
	}
	txn_run(txn, PUT_BACK_QUESTIONS);
}

/* One row of QUESTION_COLUMNS, in a transaction that began before. */
static int end_with_question(struct docstore *store, struct txn *txn, sqlite3_stmt *row, const char *none,
                             struct question *ret)
{
	struct question question = { 0 };
	int r;

	if (row == NULL)
		txn_fail(txn, -ENOENT, "%s", none);
	else
		rows_read_question(txn, row, &question);
	row_done(row);
	r = docstore_end(store, txn);
	if (r < 0)
		question_done(&question);
	else
		*ret = question;
	return r;
}

int docstore_get_question(struct docstore *store, int64_t id, struct question *ret, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	sqlite3_stmt *row = txn_rows(&txn, GET_QUESTION, db_int(id));

	return end_with_question(store, &txn, row, "there is no such question", ret);
}

static sqlite3_stmt *next_of(struct txn *txn, int64_t id, int64_t document_id, const char *text)
{
	if (document_id != 0)
		return txn_rows(txn, NEXT_QUESTION_OF_DOCUMENT, db_int(id), db_int(document_id),
		                db_text(text));
	if (text != NULL)
		return txn_rows(txn, NEXT_QUESTION_OF_TEXT, db_int(id), db_text(text));
	return txn_rows(txn, NEXT_QUESTION_OF_ALL, db_int(id));
}

int docstore_next_question(struct docstore *store, int64_t id, int64_t document_id, const char *text,
                           struct question *ret, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	sqlite3_stmt *row = next_of(&txn, id, document_id, text);

	return end_with_question(store, &txn, row, "there is no further question", ret);
}

int docstore_count_questions(struct docstore *store, enum question_state state, int64_t *ret_n,
                             struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	int64_t n = rows_first_integer(txn_rows(&txn, COUNT_QUESTIONS, db_text(question_state_name(state))));
	int r = docstore_end(store, &txn);

	if (r == 0)
		*ret_n = n;
	return r;
}
