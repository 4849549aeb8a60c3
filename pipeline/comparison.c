#include "pipeline/comparison.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pipeline/audit.h"
#include "pipeline/chunk.h"
#include "pipeline/language.h"
#include "pipeline/stored_text.h"
#include "pipeline/summary.h"
#include "store/docstore_questions.h"

#define STAGE "compare"

/* What is compared, as it is stored. */
struct subject {
	struct stored_text text;
	struct chunk *chunks;
	size_t n_chunks;
	struct question question; /* of an answer; otherwise empty */
};

static void subject_done(struct subject *subject)
{
	question_done(&subject->question);
	free(subject->chunks);
	stored_text_done(&subject->text);
}

static int subject_load(struct subject *subject, const struct comparison *comparison, struct err *err)
{
	const struct due_check *due = comparison->due;
	int r = stored_text_load(comparison->store, due->document_id, &subject->text, err);

	if (r == 0)
		r = summary_cut(comparison->reader, &subject->text.view, &subject->chunks, &subject->n_chunks,
		                err);
	if (r == 0 && due->question_id != 0)
		r = docstore_get_question(comparison->store, due->question_id, &subject->question, err);
	return r;
}

static bool is_chunk(const struct subject *subject, const struct due_check *due)
{
	size_t number = (size_t)due->chunk, start, end;

	if (number >= subject->n_chunks)
		return false;
	view_source_range(&subject->text.view, subject->chunks[number].start, subject->chunks[number].end,
	                  &start, &end);
	return (int64_t)start == due->byte_start && (int64_t)end == due->byte_end;
}

/* The words that an answer was taken from, where they still stand there. */
static bool is_quoted(const struct subject *subject)
{
	const struct passage *answer = &subject->question.answer;
	const struct evidence *evidence = answer->evidence;
	size_t n;

	if (answer->text == NULL || answer->n_evidence == 0)
		return false;
	n = strlen(evidence->quote);
	return evidence->byte_start >= 0 && (uint64_t)evidence->byte_start <= subject->text.n &&
	       n <= subject->text.n - (size_t)evidence->byte_start &&
	       memcmp(subject->text.source + evidence->byte_start, evidence->quote, n) == 0;
}

/* The chunk to read; NULL: the document is cut otherwise today, or has another text. */
static const struct chunk *find_chunk(const struct subject *subject, const struct due_check *due)
{
	if (due->question_id == 0)
		return is_chunk(subject, due) ? &subject->chunks[due->chunk] : NULL;
	if (!is_quoted(subject))
		return NULL;
	for (size_t i = 0; i < subject->n_chunks; i++) {
		size_t start, end, at = (size_t)subject->question.answer.evidence->byte_start;

		view_source_range(&subject->text.view, subject->chunks[i].start, subject->chunks[i].end,
		                  &start, &end);
		if (at >= start && at < end)
			return &subject->chunks[i];
	}
	return NULL;
}

static void see_tokens(void *user, size_t n_new)
{
	struct comparison *comparison = user;

	comparison->n_done += n_new;
	if (comparison->hooks->progress != NULL)
		comparison->hooks->progress(comparison->hooks->user, STAGE, comparison->n_done, 0);
}

/* Title and summary, as when the chunk was read. */
static int read_chunk(const struct comparison *comparison, const struct subject *subject,
                      const struct chunk *chunk, const struct reader_hooks *hooks, struct err *err)
{
	const struct stored_text *stored = &subject->text;
	struct summary_text text = { stored->source, &stored->view };
	bool prose = language_is_read(language_of(stored->source, stored->n));
	struct passages passages = { 0 };
	struct usage usage = { 0 };
	int r = summary_chunk(comparison->reader, &text, chunk, prose, &passages, &usage, hooks, err);

	passages_done(&passages);
	return r;
}

/* An answer's own words. They were found in a passage that is shorter than what is chosen, so that nothing of it was left
 * out; behind the chunk there is something to leave out. */
static int read_answer(const struct comparison *comparison, const struct subject *subject,
                       const struct chunk *chunk, const struct reader_hooks *hooks, struct err *err)
{
	const struct reader_task task = { .kind = TASK_QUESTION,
		                          .question = subject->question.text,
		                          .given = subject->question.answer.text,
		                          .look = true };
	struct reader_result result = { 0 };
	struct usage usage = { 0 };
	int r = reader_read(comparison->reader, subject->text.view.text + chunk->start,
	                    chunk->end - chunk->start, &task, 1, &result, &usage, hooks, err);

	reader_result_done(&result);
	return r;
}

static int compare(struct comparison *comparison, const struct subject *subject, const struct chunk *chunk,
                   struct dense_checks *ret, struct err *err)
{
	const struct due_check *due = comparison->due;
	struct audit_notes notes = { .view = &subject->text.view, .view_start = chunk->start, .checks = ret };
	const struct reader_audit audit = { &notes, due->whole ? READER_CHECK_WHOLE : READER_CHECK_ANSWER,
		                            audit_see };
	const struct reader_hooks hooks = { comparison, see_tokens, comparison->hooks->cancel };
	int r;

	reader_set_audit(comparison->reader, &audit);
	r = due->question_id == 0 ? read_chunk(comparison, subject, chunk, &hooks, err)
	                          : read_answer(comparison, subject, chunk, &hooks, err);
	reader_set_audit(comparison->reader, NULL);
	for (size_t i = 0; i < ret->n; i++) {
		ret->items[i].whole = due->whole;
		ret->items[i].warned = audit_warning(&ret->items[i], NULL);
	}
	return r;
}

/* Nothing is compared where the document has changed meanwhile. */
static int load_and_compare(struct comparison *comparison, struct dense_checks *ret, struct err *err)
{
	struct subject subject = { .n_chunks = 0 };
	const struct chunk *chunk;
	int r = subject_load(&subject, comparison, err);

	chunk = r < 0 ? NULL : find_chunk(&subject, comparison->due);
	if (chunk != NULL)
		r = compare(comparison, &subject, chunk, ret, err);
	subject_done(&subject);
	return r;
}

static void warn(const struct comparison *comparison, const char *words)
{
	const struct due_check *due = comparison->due;
	struct err text;

	if (due->question_id != 0)
		err_set(&text, 0, "answer to question %lld%s", (long long)due->question_id, words);
	else
		err_set(&text, 0, "part %lld%s", (long long)due->chunk + 1, words);
	log_warning("document %lld, %s", (long long)due->document_id, text.text);
	docstore_event(comparison->store, "warning", due->document_id, text.text, NULL);
}

/* What is bad: whoever looks after the machine should know. */
static void tell_of(const struct comparison *comparison, const struct dense_checks *checks)
{
	struct err why, words;

	for (size_t i = 0; i < checks->n; i++) {
		const struct dense_check *check = &checks->items[i];

		if (!audit_warning(check, &why))
			continue;
		if (check->kind == LOOK_ANSWER)
			err_set(&words, 0, ": %s", why.text);
		else
			err_set(&words, 0, ", %s: %s", look_kind_name(check->kind), why.text);
		warn(comparison, words.text);
	}
}

/* What cannot be read again is not due any more: the document has its results, and nothing to do with this. */
static int give_up(const struct comparison *comparison, const struct err *why, struct err *err)
{
	struct err words;

	err_set(&words, 0, ": cannot be compared with dense attention: %s", why->text);
	warn(comparison, words.text);
	return docstore_put_checks(comparison->store, comparison->due, NULL, 0, err);
}

int comparison_run(struct comparison *comparison, struct err *err)
{
	struct dense_checks checks = { 0 };
	struct err why = { "" };
	int r = load_and_compare(comparison, &checks, &why);

	if (r == -ECANCELED) {
		err_set(err, r, "%s", why.text);
	} else if (r < 0) {
		r = give_up(comparison, &why, err);
	} else {
		r = docstore_put_checks(comparison->store, comparison->due, checks.items, checks.n, &why);
		if (r == -EINVAL || r == -EFBIG)
			r = give_up(comparison, &why, err);
		else if (r < 0)
			err_set(err, r, "%s", why.text);
		else
			tell_of(comparison, &checks);
	}
	dense_checks_done(&checks);
	return r;
}
