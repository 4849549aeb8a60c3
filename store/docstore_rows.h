/* Rows to structs and back, each within a transaction of the caller's; failures stick in the txn. What was read
 * until then stands in the struct, for its …_done(). */
#ifndef SKIMD_STORE_DOCSTORE_ROWS_H
#define SKIMD_STORE_DOCSTORE_ROWS_H

#include "store/db.h"
#include "store/docstore.h"

/* The first column of a statement's first row, which ends it; 0: there is none. */
int64_t rows_first_integer(sqlite3_stmt *row);

/* A row of DOCUMENT_COLUMNS. */
void rows_read_document(struct txn *txn, sqlite3_stmt *row, struct document *ret);

enum document_state rows_read_state(struct txn *txn, sqlite3_stmt *row, int column);

/* A row of CHUNK_COLUMNS, and its passages. */
void rows_read_chunk(struct txn *txn, sqlite3_stmt *row, struct document_chunk *ret);

/* Passages of the whole document. */
void rows_read_passages(struct txn *txn, int64_t document_id, struct passages *ret);

void rows_put_chunk(struct txn *txn, int64_t document_id, const struct document_chunk *chunk,
                    const char *text, size_t n);

/* chunk_id 0: of the whole document; model may be NULL. */
void rows_put_passages(struct txn *txn, int64_t document_id, int64_t chunk_id, const char *model,
                       const struct passages *passages);

/* What the tasks of a chunk, or an answer, looked at (docstore_audit.c); the other one's id is 0. */
void rows_put_looks(struct txn *txn, int64_t document_id, int64_t chunk_id, int64_t answer_id,
                    const struct looks *looks);
void rows_read_looks(struct txn *txn, int64_t chunk_id, struct looks *ret);

/* Rows of search do not go by themselves when a document is deleted: these come first. */
void rows_delete_chunks(struct txn *txn, int64_t document_id, int64_t first, int64_t last); /* by number */
void rows_delete_summaries(struct txn *txn, int64_t document_id); /* of the whole document */

/* A row of QUESTION_COLUMNS, and its answer with the evidence; all of a document's in the order in which they were asked. */
void rows_read_question(struct txn *txn, sqlite3_stmt *row, struct question *ret);
void rows_read_questions(struct txn *txn, int64_t document_id, struct questions *ret);

/* The answer that stands in a question, which has none in the database. */
void rows_put_answer(struct txn *txn, const struct question *question);
void rows_delete_answers(struct txn *txn, int64_t document_id); /* their lines of search, too */

/* A document was read, has failed or went away: its questions are ready to be answered, or have failed with it. */
void rows_settle_questions(struct txn *txn, int64_t document_id);

/* Give the chunks negative numbers: see docstore_schema.c. */
void rows_hide_chunks(struct txn *txn, int64_t document_id);

/* The text is the caller's. A document without one fails the txn with -ENOENT. */
char *rows_get_text(struct txn *txn, int64_t document_id, size_t *ret_n);
char *rows_get_marks(struct txn *txn, int64_t document_id,
                     size_t *ret_n); /* NULL without failure: there are none */

#endif
