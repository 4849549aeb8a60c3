/* Commands about questions. */
#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "daemon/commands_internal.h"
#include "daemon/question_view.h"
#include "store/docstore_questions.h"

const struct protocol_key ASK_KEYS[] = { { "document", JSON_STRING, false },
	                                 { "all", JSON_TRUE, false },
	                                 { "text", JSON_STRING, true },
	                                 { NULL, JSON_NULL, false } };
const struct protocol_key ANSWER_KEYS[] = { { "question", JSON_INTEGER, true }, { NULL, JSON_NULL, false } };
const struct protocol_key QUESTIONS_KEYS[] = { { "document", JSON_STRING, false },
	                                       { "text", JSON_STRING, false },
	                                       { "wait", JSON_TRUE, false },
	                                       { NULL, JSON_NULL, false } };

static struct question_request request_of(const struct deferred *deferred)
{
	return (struct question_request){
		.text = call_string(deferred->call, "text"),
		.source = "control",
		.fingerprint = pipeline_fingerprint(deferred->commands->settings.pipeline),
	};
}

static int ask(struct deferred *deferred, struct err *err)
{
	struct docstore *store = pipeline_docstore(deferred->commands->settings.pipeline);
	struct question_request request = request_of(deferred);
	struct question question = { 0 };
	int64_t id;
	int r;

	if ((r = commands_find(store, deferred->call, "document", &request.document_id, err)) < 0 ||
	    (r = docstore_ask(store, &request, &id, err)) < 0 ||
	    (r = docstore_get_question(store, id, &question, err)) < 0)
		return r;
	json_set(&deferred->fields, "question", question_view_json(&question));
	question_done(&question);
	return 0;
}

static int ask_all(struct deferred *deferred, struct err *err)
{
	struct docstore *store = pipeline_docstore(deferred->commands->settings.pipeline);
	struct question_request request = request_of(deferred);
	int64_t n, n_unread;
	int r;

	if ((r = docstore_ask_all(store, &request, NULL, &n, err)) < 0 ||
	    (r = question_view_count_unread(store, &n_unread, err)) < 0)
		return r;
	json_set(&deferred->fields, "n_new", json_integer(n));
	json_set(&deferred->fields, "n_unread", json_integer(n_unread));
	return 0;
}

int command_ask(struct call *call, struct err *err)
{
	bool all = call_is_set(call, "all");

	if (all == (call_string(call, "document") != NULL))
		return err_set(err, -EINVAL, "one of the keys 'document' and 'all' is needed");
	commands_log(call, all ? "a question about all documents" : "a question about");
	return commands_defer(call, all ? ask_all : ask, true, err);
}

struct awaited {
	struct docstore *store;
	int64_t id;
};

static int next_awaited(struct call *call, void *user, struct err *err)
{
	struct awaited *awaited = user;
	struct question question = { 0 };
	int r = docstore_get_question(awaited->store, awaited->id, &question, err);

	if (r < 0)
		return r;
	if (!question_view_is_open(&question))
		call_reply(call, json_pack("{s:o}", "question", question_view_json(&question)));
	question_done(&question);
	return 0;
}

int command_answer(struct call *call, struct err *err)
{
	struct commands *commands = call_user(call);
	struct awaited *awaited = calloc(1, sizeof(*awaited));

	if (awaited == NULL)
		return err_set(err, -ENOMEM, "no memory to wait");
	*awaited = (struct awaited){ .store = commands->settings.reader,
		                     .id = call_integer(call, "question", 0) };
	call_stream(call, next_awaited, free, awaited);
	return 0;
}

struct asked {
	struct docstore *store;
	int64_t document_id; /* 0: of all */
	const char *text; /* NULL: any */
	bool wait; /* for each to end; of all documents, those that are not read are left out */
	int64_t id; /* of the last */
	json_int_t n;
};

/* 1: it was told, or is left out; 0: it is waited for. */
static int tell_asked(struct call *call, struct asked *asked, const struct question *question)
{
	bool open = asked->wait && question_view_is_open(question);

	if (open && (asked->document_id != 0 || !question->unread))
		return 0;
	asked->id = question->id;
	if (open)
		return 1;
	asked->n++;
	call_more(call, json_pack("{s:o}", "question", question_view_json(question)));
	return 1;
}

static int next_asked(struct call *call, void *user, struct err *err)
{
	struct asked *asked = user;
	struct question question = { 0 };
	int r = docstore_next_question(asked->store, asked->id, asked->document_id, asked->text, &question,
	                               err);

	if (r == -ENOENT) {
		call_reply(call, json_pack("{s:I}", "n", asked->n));
		return 1;
	}
	if (r < 0)
		return r;
	r = tell_asked(call, asked, &question);
	question_done(&question);
	return r;
}

int command_questions(struct call *call, struct err *err)
{
	struct commands *commands = call_user(call);
	struct docstore *store = commands->settings.reader;
	struct asked *asked;
	int64_t document_id = 0;
	int r = 0;

	if (call_string(call, "document") != NULL)
		r = commands_find(store, call, "document", &document_id, err);
	if (r < 0)
		return r;
	asked = calloc(1, sizeof(*asked));
	if (asked == NULL)
		return err_set(err, -ENOMEM, "no memory for a list");
	*asked = (struct asked){ .store = store,
		                 .document_id = document_id,
		                 .text = call_string(call, "text"),
		                 .wait = call_is_set(call, "wait") };
	call_stream(call, next_asked, free, asked);
	return 0;
}
