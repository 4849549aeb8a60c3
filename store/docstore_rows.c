#include "store/docstore_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "store/docstore_questions.h"
#include "store/docstore_schema.h"
#include "store/docstore_text.h"

static const char *const STATE_NAMES[] = {
	[DOCUMENT_QUEUED] = "queued", [DOCUMENT_READING] = "reading", [DOCUMENT_DONE] = "done",
	[DOCUMENT_FAILED] = "failed", [DOCUMENT_IGNORED] = "ignored", [DOCUMENT_GONE] = "gone",
};

/* RETRY_NONE has none. */
static const char *const RETRY_NAMES[] = {
	[RETRY_LATER] = "later",
	[RETRY_CHANGED] = "changed",
	[RETRY_NEVER] = "never",
};

static const char *const KIND_NAMES[] = {
	[PASSAGE_TITLE] = "title",
	[PASSAGE_ABSTRACT] = "abstract",
	[PASSAGE_KEY] = "key",
};

static const char *const QUESTION_STATE_NAMES[] = {
	[QUESTION_ASKED] = "asked",
	[QUESTION_ANSWERING] = "answering",
	[QUESTION_ANSWERED] = "answered",
	[QUESTION_FAILED] = "failed",
};

#define N_QUESTION_STATES (sizeof(QUESTION_STATE_NAMES) / sizeof(QUESTION_STATE_NAMES[0]))
#define N_STATES (sizeof(STATE_NAMES) / sizeof(STATE_NAMES[0]))
#define N_RETRIES (sizeof(RETRY_NAMES) / sizeof(RETRY_NAMES[0]))
#define N_KINDS (sizeof(KIND_NAMES) / sizeof(KIND_NAMES[0]))

const char *document_state_name(enum document_state state)
{
	return STATE_NAMES[state];
}

const char *document_retry_name(enum document_retry retry)
{
	return retry == RETRY_NONE ? NULL : RETRY_NAMES[retry];
}

const char *question_state_name(enum question_state state)
{
	return QUESTION_STATE_NAMES[state];
}

void document_done(struct document *document)
{
	free(document->path);
	free(document->name);
	free(document->output);
	free(document->sha256);
	free(document->media_type);
	free(document->charset);
	free(document->language);
	free(document->truncated);
	free(document->ocr_pages);
	free(document->stage);
	free(document->error);
	free(document->retry_at);
	free(document->model);
	free(document->fingerprint);
	free(document->added_at);
	free(document->finished_at);
	*document = (struct document){ 0 };
}

void evidence_done(struct evidence *evidence)
{
	free(evidence->quote);
	free(evidence->section);
	*evidence = (struct evidence){ 0 };
}

static void passage_done(struct passage *passage)
{
	for (size_t i = 0; i < passage->n_evidence; i++)
		evidence_done(&passage->evidence[i]);
	free(passage->evidence);
	free(passage->text);
}

void passages_done(struct passages *passages)
{
	for (size_t i = 0; i < passages->n; i++)
		passage_done(&passages->items[i]);
	free(passages->items);
	*passages = (struct passages){ 0 };
}

void question_done(struct question *question)
{
	free(question->name);
	free(question->path);
	free(question->text);
	free(question->source);
	free(question->asked_at);
	free(question->error);
	free(question->retry_at);
	passage_done(&question->answer);
	looks_done(&question->looks);
	free(question->answered_at);
	free(question->model);
	free(question->fingerprint);
	*question = (struct question){ 0 };
}

void questions_done(struct questions *questions)
{
	for (size_t i = 0; i < questions->n; i++)
		question_done(&questions->items[i]);
	free(questions->items);
	*questions = (struct questions){ 0 };
}

void document_chunk_done(struct document_chunk *chunk)
{
	free(chunk->section);
	free(chunk->key);
	passages_done(&chunk->passages);
	looks_done(&chunk->looks);
	*chunk = (struct document_chunk){ 0 };
}

void reading_done(struct reading *reading)
{
	document_done(&reading->document);
	passages_done(&reading->passages);
	for (size_t i = 0; i < reading->n_chunks; i++)
		document_chunk_done(&reading->chunks[i]);
	free(reading->chunks);
	questions_done(&reading->questions);
	*reading = (struct reading){ 0 };
}

struct passage *passages_add(struct passages *passages, enum passage_kind kind)
{
	struct passage *passage;

	if (array_grow(&passages->items, sizeof(*passages->items), passages->n, &passages->cap) < 0)
		return NULL;
	passage = &passages->items[passages->n++];
	*passage = (struct passage){ .kind = kind };
	return passage;
}

/* A passage has one evidence or a few: the array has no room to spare, and struct passage no capacity. */
struct evidence *passage_add_evidence(struct passage *passage)
{
	struct evidence *grown = reallocarray(passage->evidence, passage->n_evidence + 1, sizeof(*grown));

	if (grown == NULL)
		return NULL;
	passage->evidence = grown;
	grown += passage->n_evidence++;
	*grown = (struct evidence){ 0 };
	return grown;
}

int passage_copy_evidence(struct passage *passage, const struct evidence *evidence)
{
	struct evidence *copy = passage_add_evidence(passage);

	if (copy == NULL)
		return -ENOMEM;
	*copy = *evidence;
	copy->quote = strdup(evidence->quote);
	copy->section = evidence->section == NULL ? NULL : strdup(evidence->section);
	return copy->quote == NULL || (evidence->section != NULL && copy->section == NULL) ? -ENOMEM : 0;
}

int passages_append(struct passages *passages, const struct passages *more)
{
	for (size_t i = 0; i < more->n; i++) {
		const struct passage *passage = &more->items[i];
		struct passage *copy = passages_add(passages, passage->kind);

		if (copy == NULL || (copy->text = strdup(passage->text)) == NULL)
			return -ENOMEM;
		copy->generated = passage->generated;
		copy->score = passage->score;
		for (size_t j = 0; j < passage->n_evidence; j++) {
			if (passage_copy_evidence(copy, &passage->evidence[j]) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* A word that a CHECK should have kept out is damage. */
static size_t name_number(struct txn *txn, sqlite3_stmt *row, int column, const char *const *names, size_t n)
{
	const char *word = (const char *)sqlite3_column_text(row, column);

	for (size_t i = 0; i < n && word != NULL; i++) {
		if (strcmp(word, names[i]) == 0)
			return i;
	}
	txn_fail(txn, -EBADMSG, "'%s' in a row is no state or kind", word == NULL ? "" : word);
	return 0;
}

static enum document_retry read_retry(struct txn *txn, sqlite3_stmt *row, int column)
{
	if (sqlite3_column_type(row, column) == SQLITE_NULL)
		return RETRY_NONE;
	return (enum document_retry)name_number(txn, row, column, RETRY_NAMES, N_RETRIES);
}

enum document_state rows_read_state(struct txn *txn, sqlite3_stmt *row, int column)
{
	return (enum document_state)name_number(txn, row, column, STATE_NAMES, N_STATES);
}

int64_t rows_first_integer(sqlite3_stmt *row)
{
	int64_t integer = row == NULL ? 0 : sqlite3_column_int64(row, 0);

	row_done(row);
	return integer;
}

void rows_read_document(struct txn *txn, sqlite3_stmt *row, struct document *ret)
{
	int column = 0;

	ret->id = sqlite3_column_int64(row, column++);
	ret->path = row_text(txn, row, column++);
	ret->name = row_text(txn, row, column++);
	ret->output = row_text(txn, row, column++);
	ret->sha256 = row_text(txn, row, column++);
	ret->media_type = row_text(txn, row, column++);
	ret->charset = row_text(txn, row, column++);
	ret->language = row_text(txn, row, column++);
	ret->bytes = sqlite3_column_int64(row, column++);
	ret->pages = sqlite3_column_int64(row, column++);
	ret->tokens = sqlite3_column_int64(row, column++);
	ret->state = rows_read_state(txn, row, column++);
	ret->stage = row_text(txn, row, column++);
	ret->progress = sqlite3_column_double(row, column++);
	ret->error = row_text(txn, row, column++);
	ret->duplicate_of = sqlite3_column_int64(row, column++);
	ret->model = row_text(txn, row, column++);
	ret->fingerprint = row_text(txn, row, column++);
	ret->usage.prompt_tokens = sqlite3_column_int64(row, column++);
	ret->usage.computed_tokens = sqlite3_column_int64(row, column++);
	ret->usage.reused_tokens = sqlite3_column_int64(row, column++);
	ret->usage.generated_tokens = sqlite3_column_int64(row, column++);
	ret->seconds = sqlite3_column_double(row, column++);
	ret->added_at = row_text(txn, row, column++);
	ret->finished_at = row_text(txn, row, column++);
	ret->published = sqlite3_column_int(row, column++) != 0;
	ret->tokens_done = sqlite3_column_int64(row, column++);
	ret->tokens_total = sqlite3_column_int64(row, column++);
	ret->eta_seconds = sqlite3_column_int64(row, column++);
	ret->retry = read_retry(txn, row, column++);
	ret->retry_at = row_text(txn, row, column++);
	ret->attempts = sqlite3_column_int64(row, column++);
	ret->crashes = sqlite3_column_int64(row, column++);
	ret->truncated = row_text(txn, row, column++);
	ret->ocr_pages = row_text(txn, row, column++);
}

static void read_evidence(struct txn *txn, int statement, int64_t id, struct passage *passage)
{
	sqlite3_stmt *row;

	for (row = txn_rows(txn, statement, db_int(id)); row != NULL; row = txn_next(txn, row)) {
		struct evidence *evidence = passage_add_evidence(passage);

		if (evidence == NULL) {
			txn_fail(txn, -ENOMEM, "no memory for the evidence");
			continue;
		}
		evidence->quote = row_text(txn, row, 0);
		evidence->byte_start = sqlite3_column_int64(row, 1);
		evidence->byte_end = sqlite3_column_int64(row, 2);
		evidence->page = sqlite3_column_int64(row, 3);
		evidence->section = row_text(txn, row, 4);
		evidence->score = sqlite3_column_double(row, 5);
	}
}

static void read_passages(struct txn *txn, int statement, int64_t id, struct passages *ret)
{
	sqlite3_stmt *row;

	for (row = txn_rows(txn, statement, db_int(id)); row != NULL; row = txn_next(txn, row)) {
		size_t kind = name_number(txn, row, 1, KIND_NAMES, N_KINDS);
		struct passage *passage = passages_add(ret, (enum passage_kind)kind);

		if (passage == NULL) {
			txn_fail(txn, -ENOMEM, "no memory for the passages");
			continue;
		}
		passage->text = row_text(txn, row, 2);
		passage->generated = sqlite3_column_int(row, 3) != 0;
		passage->score = sqlite3_column_double(row, 4);
		read_evidence(txn, GET_EVIDENCE, sqlite3_column_int64(row, 0), passage);
	}
}

void rows_read_passages(struct txn *txn, int64_t document_id, struct passages *ret)
{
	read_passages(txn, GET_SUMMARIES, document_id, ret);
}

void rows_read_chunk(struct txn *txn, sqlite3_stmt *row, struct document_chunk *ret)
{
	ret->number = sqlite3_column_int64(row, 1);
	ret->byte_start = sqlite3_column_int64(row, 2);
	ret->byte_end = sqlite3_column_int64(row, 3);
	ret->section = row_text(txn, row, 4);
	ret->tokens = sqlite3_column_int64(row, 5);
	ret->key = row_text(txn, row, 6);
	read_passages(txn, GET_CHUNK_SUMMARIES, sqlite3_column_int64(row, 0), &ret->passages);
	rows_read_looks(txn, sqlite3_column_int64(row, 0), &ret->looks);
}

/* Of a summary or of an answer; the other is 0. */
static void put_evidence(struct txn *txn, int64_t document_id, int64_t summary_id, int64_t answer_id,
                         const struct evidence *evidence)
{
	txn_run(txn, PUT_EVIDENCE, db_int(document_id), db_int_or_null(summary_id), db_int_or_null(answer_id),
	        db_text(evidence->quote), db_int(evidence->byte_start), db_int(evidence->byte_end),
	        db_int_or_null(evidence->page), db_text(evidence->section), db_real(evidence->score));
	if (txn->ret == -EINVAL)
		err_prefix(txn->err, txn->ret,
		           "evidence of bytes %lld to %lld: ", (long long)evidence->byte_start,
		           (long long)evidence->byte_end);
}

void rows_put_passages(struct txn *txn, int64_t document_id, int64_t chunk_id, const char *model,
                       const struct passages *passages)
{
	int64_t n_of_kind[N_KINDS] = { 0 };

	for (size_t i = 0; i < passages->n && txn->ret == 0; i++) {
		const struct passage *passage = &passages->items[i];
		int64_t summary_id;

		txn_run(txn, PUT_SUMMARY, db_int(document_id), db_int_or_null(chunk_id),
		        db_text(KIND_NAMES[passage->kind]), db_int(n_of_kind[passage->kind]++),
		        db_text(passage->text), db_int(passage->generated), db_real(passage->score),
		        db_text(model));
		summary_id = txn_last_id(txn);
		txn_run(txn, PUT_SUMMARY_SEARCH, db_int(summary_id));
		for (size_t j = 0; j < passage->n_evidence && txn->ret == 0; j++)
			put_evidence(txn, document_id, summary_id, 0, &passage->evidence[j]);
	}
}

void rows_put_chunk(struct txn *txn, int64_t document_id, const struct document_chunk *chunk,
                    const char *text, size_t n)
{
	int64_t chunk_id;

	txn_run(txn, PUT_CHUNK, db_int(document_id), db_int(chunk->number), db_int(chunk->byte_start),
	        db_int(chunk->byte_end), db_text(chunk->section), db_int(chunk->tokens), db_text(chunk->key));
	chunk_id = txn_last_id(txn);
	txn_run(txn, PUT_CHUNK_SEARCH, db_int(chunk_id), db_int(document_id), db_int(chunk->number),
	        db_text_n(text, n));
	rows_put_passages(txn, document_id, chunk_id, NULL, &chunk->passages);
	rows_put_looks(txn, document_id, chunk_id, 0, &chunk->looks);
	if (chunk->check != CHECK_NOT_DUE)
		txn_run(txn, PUT_DUE_CHECK, db_int(document_id), db_int(chunk_id), db_int_or_null(0),
		        db_int(chunk->check == CHECK_WHOLE_DUE));
}

static void unsearch_chunks(struct txn *txn, int64_t document_id, int64_t first, int64_t last)
{
	txn_run(txn, UNSEARCH_CHUNKS, db_int(document_id), db_int(first), db_int(last));
	txn_run(txn, UNSEARCH_CHUNK_SUMMARIES, db_int(document_id), db_int(first), db_int(last));
}

void rows_delete_chunks(struct txn *txn, int64_t document_id, int64_t first, int64_t last)
{
	unsearch_chunks(txn, document_id, first, last);
	txn_run(txn, DELETE_CHUNKS, db_int(document_id), db_int(first), db_int(last));
}

void rows_hide_chunks(struct txn *txn, int64_t document_id)
{
	unsearch_chunks(txn, document_id, 0, INT64_MAX);
	txn_run(txn, SET_CHUNKS_ASIDE, db_int(document_id));
}

void rows_delete_summaries(struct txn *txn, int64_t document_id)
{
	txn_run(txn, UNSEARCH_SUMMARIES, db_int(document_id));
	txn_run(txn, DELETE_SUMMARIES, db_int(document_id));
}

static void read_answer(struct txn *txn, sqlite3_stmt *row, int column, struct question *ret)
{
	int64_t answer_id = sqlite3_column_int64(row, column++);

	ret->answer.text = row_text(txn, row, column++);
	ret->found = sqlite3_column_int(row, column++) != 0;
	ret->answer.generated = sqlite3_column_int(row, column++) != 0;
	ret->answer.score = sqlite3_column_double(row, column++);
	ret->answered_at = row_text(txn, row, column++);
	ret->model = row_text(txn, row, column++);
	ret->fingerprint = row_text(txn, row, column++);
	ret->usage.prompt_tokens = sqlite3_column_int64(row, column++);
	ret->usage.computed_tokens = sqlite3_column_int64(row, column++);
	ret->usage.reused_tokens = sqlite3_column_int64(row, column++);
	ret->usage.generated_tokens = sqlite3_column_int64(row, column++);
	ret->seconds = sqlite3_column_double(row, column++);
	read_evidence(txn, GET_ANSWER_EVIDENCE, answer_id, &ret->answer);
}

void rows_read_question(struct txn *txn, sqlite3_stmt *row, struct question *ret)
{
	int column = 0;

	ret->id = sqlite3_column_int64(row, column++);
	ret->document_id = sqlite3_column_int64(row, column++);
	ret->name = row_text(txn, row, column++);
	ret->path = row_text(txn, row, column++);
	ret->text = row_text(txn, row, column++);
	ret->source = row_text(txn, row, column++);
	ret->state =
		(enum question_state)name_number(txn, row, column++, QUESTION_STATE_NAMES, N_QUESTION_STATES);
	ret->error = row_text(txn, row, column++);
	ret->retry_at = row_text(txn, row, column++);
	ret->unread = sqlite3_column_int(row, column++) != 0;
	ret->asked_at = row_text(txn, row, column++);
	if (sqlite3_column_type(row, column) != SQLITE_NULL)
		read_answer(txn, row, column, ret);
}

void rows_read_questions(struct txn *txn, int64_t document_id, struct questions *ret)
{
	sqlite3_stmt *row;

	for (row = txn_rows(txn, GET_QUESTIONS, db_int(document_id)); row != NULL; row = txn_next(txn, row)) {
		if (array_grow(&ret->items, sizeof(*ret->items), ret->n, &ret->cap) < 0) {
			txn_fail(txn, -ENOMEM, "no memory for the questions");
			continue;
		}
		ret->items[ret->n] = (struct question){ 0 };
		rows_read_question(txn, row, &ret->items[ret->n++]);
	}
}

void rows_put_answer(struct txn *txn, const struct question *question)
{
	const struct usage *usage = &question->usage;
	int64_t answer_id;

	txn_run(txn, PUT_ANSWER, db_int(question->id), db_int(question->document_id),
	        db_text(question->answer.text), db_int(question->found), db_int(question->answer.generated),
	        db_real(question->answer.score), db_text(question->model), db_text(question->fingerprint),
	        db_int(usage->prompt_tokens), db_int(usage->computed_tokens), db_int(usage->reused_tokens),
	        db_int(usage->generated_tokens), db_real(question->seconds));
	answer_id = txn_last_id(txn);
	txn_run(txn, PUT_ANSWER_SEARCH, db_int(answer_id));
	for (size_t i = 0; i < question->answer.n_evidence && txn->ret == 0; i++)
		put_evidence(txn, question->document_id, 0, answer_id, &question->answer.evidence[i]);
	rows_put_looks(txn, question->document_id, 0, answer_id, &question->looks);
	if (question->check != CHECK_NOT_DUE)
		txn_run(txn, PUT_DUE_CHECK, db_int(question->document_id), db_int_or_null(0),
		        db_int(answer_id), db_int(question->check == CHECK_WHOLE_DUE));
}

void rows_delete_answers(struct txn *txn, int64_t document_id)
{
	txn_run(txn, UNSEARCH_ANSWERS, db_int(document_id));
	txn_run(txn, DELETE_ANSWERS, db_int(document_id));
}

void rows_settle_questions(struct txn *txn, int64_t document_id)
{
	txn_run(txn, FAIL_OF_DOCUMENT, db_int(document_id));
	txn_run(txn, MAKE_READY, db_int(document_id));
}

/* The two columns of GET_TEXT and GET_MARKS; what is what the words call them. NULL: nothing is stored, or a failure. */
static char *get_deflated(struct txn *txn, enum docstore_statement statement, const char *what,
                          int64_t document_id, size_t *ret_n)
{
	sqlite3_stmt *row = txn_rows(txn, (int)statement, db_int(document_id));
	char *text = NULL;
	int r = 0;

	if (row == NULL) {
		txn_fail(txn, -ENOENT, "document %lld has no text", (long long)document_id);
		return NULL;
	}
	*ret_n = (size_t)sqlite3_column_int64(row, 0);
	if (sqlite3_column_type(row, 1) != SQLITE_NULL)
		r = text_inflate(sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1), *ret_n,
		                 &text);
	if (r < 0)
		txn_fail(txn, r,
		         r == -ENOMEM ? "no memory for the %s of document %lld"
		                      : "the %s of document %lld is damaged",
		         what, (long long)document_id);
	row_done(row);
	return text;
}

char *rows_get_text(struct txn *txn, int64_t document_id, size_t *ret_n)
{
	return get_deflated(txn, GET_TEXT, "text", document_id, ret_n);
}

char *rows_get_marks(struct txn *txn, int64_t document_id, size_t *ret_n)
{
	return get_deflated(txn, GET_MARKS, "marks", document_id, ret_n);
}
