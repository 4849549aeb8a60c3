#include "daemon/question_view.h"

#include "base/json.h"
#include "pipeline/output.h"
#include "store/docstore_questions.h"

json_t *question_view_json(const struct question *question)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:s, s:s, s:s, s:o, s:s?, s:s?, s:s?, s:s?, s:o}", "id",
	                 (json_int_t)question->id, "document", (json_int_t)question->document_id, "name",
	                 json_of_bytes(question->name), "path", json_of_bytes(question->path), "text",
	                 question->text, "source", question->source, "state",
	                 question_state_name(question->state), "error",
	                 question->error == NULL ? json_null() : json_of_bytes(question->error), "retry_at",
	                 question->retry_at, "asked_at", question->asked_at, "answered_at",
	                 question->answered_at, "model", question->model, "answer",
	                 question->answer.text == NULL ? json_null() : output_answer_json(question));
}

bool question_view_is_open(const struct question *question)
{
	return question->state == QUESTION_ASKED || question->state == QUESTION_ANSWERING;
}

int question_view_count_unread(struct docstore *store, int64_t *ret, struct err *err)
{
	int64_t n_queued, n_reading;
	int r;

	if ((r = docstore_count(store, DOCUMENT_QUEUED, &n_queued, err)) < 0 ||
	    (r = docstore_count(store, DOCUMENT_READING, &n_reading, err)) < 0)
		return r;
	*ret = n_queued + n_reading;
	return 0;
}
