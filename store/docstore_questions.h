/* Questions of documents in skimd.db: as they are asked, taken to be answered, and answered or failed. A question stands
 * there once for each document and text, and so does its answer. Threads and errors are as in docstore.h. */
#ifndef SKIMD_STORE_DOCSTORE_QUESTIONS_H
#define SKIMD_STORE_DOCSTORE_QUESTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/docstore.h"

#define QUESTION_MAX_BYTES 4096
#define QUESTION_MAX_ASKED 100000 /* of all documents, that wait at a time */

const char *question_state_name(enum question_state state);

/* Whether words can be a question. -EINVAL: empty, too long, not UTF-8, or with a control character, which the words say. */
int question_check(const char *text, struct err *err);

struct question_request {
	int64_t document_id;
	const char *text;
	/* "inbox", "control" (the socket), "command" (skimctl without a daemon), "file" (a dropped .ask), "folder" (the
	 * configuration's). The first three are somebody who asks now: what has failed is tried again. */
	const char *source;
	const char *
		fingerprint; /* of the model: an answer of another one is replaced. NULL: any answer will do */
};

/* A question to be answered; asked before, *ret_id is the row that is there, with its answer. -EINVAL: as of
 * question_check(), or no such source; -ENOENT: no such document; -EAGAIN: too many wait already. */
int docstore_ask(struct docstore *store, const struct question_request *request, int64_t *ret_id,
                 struct err *err);

/* Ask every document that is read, or with a folder also those in it that will be; those that were asked before keep
 * their answers. request's document_id is not used. *ret_n: how many have not been asked before. */
int docstore_ask_all(struct docstore *store, const struct question_request *request, const char *folder,
                     int64_t *ret_n, struct err *err);

/* The same as docstore_ask() of a row in an inbox.db, which is known by a word of its own, just once: a row that was
 * taken before changes nothing, and *ret_id is 0. */
int docstore_ask_from_inbox(struct docstore *store, const struct question_request *request, const char *inbox,
                            int64_t row, int64_t *ret_id, struct err *err);

int docstore_has_inbox_row(struct docstore *store, const char *inbox, int64_t row, bool *ret,
                           struct err *err);

/* The row is removed from the inbox, and need not be known any more; nor those of any other inbox. */
int docstore_inbox_removed(struct docstore *store, const char *inbox, int64_t row, struct err *err);

/* Whether the file of questions beside a document was taken as it is, and that it was. Of file only what stat(2) says counts;
 * one that is another in any of it is another file. */
int docstore_has_ask_file(struct docstore *store, int64_t document_id, const struct document_file *file,
                          bool *ret, struct err *err);
int docstore_put_ask_file(struct docstore *store, int64_t document_id, const struct document_file *file,
                          struct err *err);

/* The next question whose document is read, now 'answering'. Those whose document cannot be read fail with it. First come,
 * first served, but what folders ask of every document is last; of either kind one about document beside (0: none) comes
 * before the others. One that has failed and is due is asked again. -ENOENT: none. */
int docstore_take_question(struct docstore *store, int64_t beside, int64_t *ret_id, struct err *err);

/* Whether docstore_take_question() would find one, but for what has failed. */
int docstore_has_question(struct docstore *store, bool *ret, struct err *err);

/* Take one question, whatever its state: it is 'answering' now. -ENOENT. */
int docstore_start_question(struct docstore *store, int64_t id, struct err *err);

/* Back to 'asked': skimd stops before it is answered. */
int docstore_put_back_question(struct docstore *store, int64_t id, struct err *err);

/* Keep the answer that stands in question (answer, found, model, fingerprint, usage, seconds), in place of an earlier
 * one; the question is 'answered', and its document's outputs are to be written again (published 0). One transaction.
 * -ENOENT: there is no such question any more; -EINVAL: a quote that is not as long as its bytes. */
int docstore_put_answer(struct docstore *store, const struct question *question, struct err *err);

/* It cannot be answered, for this reason; also an event. retry: RETRY_LATER, as docstore_fail() has it, or RETRY_NEVER:
 * when somebody asks it again, or its document is read again. */
int docstore_fail_question(struct docstore *store, int64_t id, enum document_retry retry, const char *error,
                           struct err *err);

/* Where the writer ended without docstore_close(), docstore_open() counts a crash of the question that was being
 * answered; after so many it fails. */
#define QUESTION_MAX_CRASHES 2

int docstore_get_question(struct docstore *store, int64_t id, struct question *ret, struct err *err);

/* The first question behind id, of a document (0: of any) and with these words (NULL: any). -ENOENT: there is none. */
int docstore_next_question(struct docstore *store, int64_t id, int64_t document_id, const char *text,
                           struct question *ret, struct err *err);

int docstore_count_questions(struct docstore *store, enum question_state state, int64_t *ret_n,
                             struct err *err);

#endif
