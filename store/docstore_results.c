/* The calls of docstore.h that store and load what was read: texts, chunks, results. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "store/docstore_internal.h"
#include "store/docstore_questions.h"
#include "store/docstore_rows.h"
#include "store/docstore_schema.h"
#include "store/docstore_text.h"

/* A stored text that is damaged is not the same. */
static bool has_text(struct txn *txn, int64_t id, const char *text, size_t n)
{
	sqlite3_stmt *row = txn_rows(txn, GET_TEXT, db_int(id));
	char *stored = NULL;
	bool same = false;

	if (row != NULL && sqlite3_column_int64(row, 0) == (int64_t)n &&
	    text_inflate(sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1), n, &stored) == 0)
		same = memcmp(stored, text, n) == 0;
	row_done(row);
	free(stored);
	return same;
}

/* What quotes the old text goes, or is hidden: evidence always stands in the stored text. */
static void replace_text(struct txn *txn, int64_t id, const void *deflated, size_t n_deflated, size_t n)
{
	txn_run(txn, PUT_TEXT, db_int(id), db_int((int64_t)n), db_blob(deflated, n_deflated));
	rows_hide_chunks(txn, id);
	rows_delete_summaries(txn, id);
	rows_delete_answers(txn, id);
	txn_run(txn, ASK_ANEW, db_int(id));
	txn_run(txn, FORGET_RESULTS_OF_OLD_TEXT, db_int(id));
	txn_run(txn, FORGET_COPIES, db_int(id));
}

int docstore_put_text(struct docstore *store, int64_t id, const struct document *document, const char *text,
                      size_t n, struct err *err)
{
	unsigned char *deflated = NULL;
	size_t n_deflated = 0;
	struct txn txn;

	if (text_deflate(text, n, &deflated, &n_deflated) < 0)
		return err_set(err, -ENOMEM, "no memory to deflate a text of %zu bytes", n);
	txn = docstore_begin_passing(store, err);
	txn_run(&txn, SET_TEXT_FACTS, db_int(id), db_text(document->sha256), db_text(document->media_type),
	        db_text(document->charset), db_text(document->language), db_int(document->bytes),
	        db_int_or_null(document->pages), db_text(document->truncated), db_text(document->ocr_pages));
	docstore_need_row(&txn, id);
	if (!has_text(&txn, id, text, n))
		replace_text(&txn, id, deflated, n_deflated, n);
	free(deflated);
	return docstore_end(store, &txn);
}

static int get_bytes(struct docstore *store, int64_t id,
                     char *(*get)(struct txn *txn, int64_t document_id, size_t *ret_n), char **ret,
                     size_t *ret_n, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	size_t n = 0;
	char *bytes = get(&txn, id, &n);
	int r = docstore_end(store, &txn);

	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret = bytes;
	*ret_n = n;
	return 0;
}

int docstore_get_text(struct docstore *store, int64_t id, char **ret_text, size_t *ret_n, struct err *err)
{
	return get_bytes(store, id, rows_get_text, ret_text, ret_n, err);
}

int docstore_put_marks(struct docstore *store, int64_t id, const char *marks, size_t n, struct err *err)
{
	unsigned char *deflated = NULL;
	size_t n_deflated = 0;
	struct txn txn;

	if (n > 0 && text_deflate(marks, n, &deflated, &n_deflated) < 0)
		return err_set(err, -ENOMEM, "no memory to deflate %zu bytes of marks", n);
	txn = docstore_begin_passing(store, err);
	txn_run(&txn, PUT_MARKS, db_int(id), db_int((int64_t)n),
	        n == 0 ? db_null() : db_blob(deflated, n_deflated));
	if (txn.ret == 0 && txn_n_changed(&txn) == 0)
		txn_fail(&txn, -ENOENT, "document %lld has no text", (long long)id);
	free(deflated);
	return docstore_end(store, &txn);
}

int docstore_get_marks(struct docstore *store, int64_t id, char **ret_marks, size_t *ret_n, struct err *err)
{
	return get_bytes(store, id, rows_get_marks, ret_marks, ret_n, err);
}

int docstore_put_chunk(struct docstore *store, int64_t id, const struct document_chunk *chunk,
                       const char *text, size_t n, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	if (chunk->number < 0)
		txn_fail(&txn, -EINVAL, "chunk %lld of document %lld: its number is negative",
		         (long long)chunk->number, (long long)id);
	rows_delete_chunks(&txn, id, chunk->number, chunk->number);
	rows_put_chunk(&txn, id, chunk, text, n);
	return docstore_end(store, &txn);
}

int docstore_find_chunk(struct docstore *store, int64_t id, const char *key, struct document_chunk *ret,
                        struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	struct document_chunk chunk = { 0 };
	sqlite3_stmt *row = txn_rows(&txn, FIND_CHUNK, db_int(id), db_text(key));
	int r;

	if (row == NULL)
		txn_fail(&txn, -ENOENT, "no chunk has the key %s", key);
	else
		rows_read_chunk(&txn, row, &chunk);
	row_done(row);
	r = docstore_end(store, &txn);
	if (r < 0)
		document_chunk_done(&chunk);
	else
		*ret = chunk;
	return r;
}

int docstore_finish(struct docstore *store, int64_t id, const struct document *document,
                    const struct passages *passages, size_t n_chunks, struct err *err)
{
	const struct usage *usage = &document->usage;
	int64_t first_to_remove = n_chunks < INT64_MAX ? (int64_t)n_chunks : INT64_MAX;
	struct txn txn = docstore_begin(store, err);

	txn_run(&txn, MARK_DONE, db_int(id), db_int_or_null(document->tokens), db_text(document->model),
	        db_text(document->fingerprint), db_int(usage->prompt_tokens), db_int(usage->computed_tokens),
	        db_int(usage->reused_tokens), db_int(usage->generated_tokens), db_real(document->seconds));
	docstore_need_row(&txn, id);
	rows_delete_chunks(&txn, id, INT64_MIN, -1);
	rows_delete_chunks(&txn, id, first_to_remove, INT64_MAX);
	rows_delete_summaries(&txn, id);
	txn_run(&txn, NAME_MODEL_OF_SUMMARIES, db_int(id), db_text(document->model));
	rows_put_passages(&txn, id, 0, document->model, passages);
	txn_run(&txn, ASK_AFTER_READING, db_int(id), db_text(document->fingerprint),
	        db_int(QUESTION_MAX_CRASHES));
	rows_settle_questions(&txn, id);
	return docstore_end(store, &txn);
}

int docstore_find_done(struct docstore *store, int64_t id, const char *sha256, const char *fingerprint,
                       int64_t *ret_id, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	sqlite3_stmt *row = txn_rows(&txn, FIND_DONE, db_int(id), db_text(sha256), db_text(fingerprint));
	int64_t found = row == NULL ? 0 : sqlite3_column_int64(row, 0);
	int r;

	if (row == NULL)
		txn_fail(&txn, -ENOENT, "no other document has this content and is done by this model");
	row_done(row);
	r = docstore_end(store, &txn);
	if (r == 0)
		*ret_id = found;
	return r;
}

static void load_chunks(struct txn *txn, int64_t id, struct reading *reading)
{
	size_t cap = 0;
	sqlite3_stmt *row;

	for (row = txn_rows(txn, GET_CHUNKS, db_int(id)); row != NULL; row = txn_next(txn, row)) {
		if (array_grow(&reading->chunks, sizeof(*reading->chunks), reading->n_chunks, &cap) < 0) {
			txn_fail(txn, -ENOMEM, "no memory for the chunks of document %lld", (long long)id);
			continue;
		}
		reading->chunks[reading->n_chunks] = (struct document_chunk){ 0 };
		rows_read_chunk(txn, row, &reading->chunks[reading->n_chunks++]);
	}
}

static void load(struct txn *txn, int64_t id, struct reading *reading)
{
	sqlite3_stmt *row = txn_rows(txn, GET_DOCUMENT, db_int(id));

	if (row == NULL)
		txn_fail(txn, -ENOENT, "there is no document %lld", (long long)id);
	else
		rows_read_document(txn, row, &reading->document);
	row_done(row);
	rows_read_passages(txn, id, &reading->passages);
	load_chunks(txn, id, reading);
	rows_read_questions(txn, id, &reading->questions);
}

int docstore_load(struct docstore *store, int64_t id, struct reading *ret, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	struct reading reading = { 0 };
	int r;

	load(&txn, id, &reading);
	r = docstore_end(store, &txn);
	if (r < 0)
		reading_done(&reading);
	else
		*ret = reading;
	return r;
}

/* The rows of `from`, read as structs, written for `to`. */
static void copy_results(struct txn *txn, int64_t to, const struct reading *from, const char *text, size_t n)
{
	for (size_t i = 0; i < from->n_chunks && txn->ret == 0; i++) {
		const struct document_chunk *chunk = &from->chunks[i];

		if (chunk->byte_start < 0 || (uint64_t)chunk->byte_end > n)
			txn_fail(txn, -EBADMSG, "chunk %lld of document %lld: outside of its text",
			         (long long)chunk->number, (long long)from->document.id);
		else
			rows_put_chunk(txn, to, chunk, text + chunk->byte_start,
			               (size_t)(chunk->byte_end - chunk->byte_start));
	}
	rows_put_passages(txn, to, 0, from->document.model, &from->passages);
}

int docstore_copy(struct docstore *store, int64_t from, int64_t to, struct err *err)
{
	struct txn txn = docstore_begin(store, err);
	struct reading reading = { 0 };
	size_t n = 0;
	char *text;

	if (from == to)
		txn_fail(&txn, -EINVAL, "document %lld cannot be a copy of itself", (long long)to);
	load(&txn, from, &reading);
	text = rows_get_text(&txn, from, &n);
	txn_run(&txn, MARK_COPIED, db_int(from), db_int(to));
	docstore_need_row(&txn, to);
	txn_run(&txn, COPY_TEXT, db_int(from), db_int(to));
	rows_delete_chunks(&txn, to, INT64_MIN, INT64_MAX);
	rows_delete_summaries(&txn, to);
	copy_results(&txn, to, &reading, text, n);
	txn_run(&txn, ASK_AFTER_READING, db_int(to), db_text(reading.document.fingerprint),
	        db_int(QUESTION_MAX_CRASHES));
	rows_settle_questions(&txn, to);
	txn_run(&txn, NAME_MODEL_OF_SUMMARIES, db_int(to), db_text(reading.document.model));
	free(text);
	reading_done(&reading);
	return docstore_end(store, &txn);
}
