/* skimctl ask: the daemon answers; where none is there, the model is opened here. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/array.h"
#include "base/log.h"
#include "daemon/loop.h"
#include "daemon/question_view.h"
#include "daemon/skimctl.h"
#include "daemon/skimctl_pipeline.h"
#include "daemon/units.h"
#include "store/docstore_questions.h"

struct asking_run {
	struct skimctl_query query;
	bool all, no_wait;
	unsigned long timeout_s; /* 0: for ever */
	const char *document, *text;
	uint64_t start_ns;
	struct control_client *client; /* or NULL, and */
	struct pipeline *pipeline;
	json_t *questions; /* what is to be printed: an array of objects as of question_view.h */
	int64_t n_unread; /* documents that were left out, as they are still to be read */
};

static atomic_bool cancelled, timed_out;

static void on_interrupt(int signal_number)
{
	timed_out = signal_number == SIGALRM;
	cancelled = true;
}

static const struct option OPTIONS[] = {
	{ "json", no_argument, NULL, 'j' },    { "config", required_argument, NULL, 'c' },
	{ "all", no_argument, NULL, 'a' },     { "timeout", required_argument, NULL, 't' },
	{ "no-wait", no_argument, NULL, 'n' }, { NULL, 0, NULL, 0 },
};

static bool parse(struct asking_run *run, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:", OPTIONS, NULL)) != -1) {
		if (option == 'j')
			run->query.json = true;
		else if (option == 'c')
			run->query.config_path = optarg;
		else if (option == 'a')
			run->all = true;
		else if (option == 'n')
			run->no_wait = true;
		else if (option != 't' || !skimctl_number(optarg, 1, 1u << 30, &run->timeout_s))
			return false;
	}
	if (optind + (run->all ? 1 : 2) != argc || (run->no_wait && run->timeout_s > 0))
		return false;
	run->document = run->all ? NULL : argv[optind];
	run->text = argv[argc - 1];
	return true;
}

static int keep(struct asking_run *run, json_t *question, struct err *err)
{
	return json_array_append_new(run->questions, question) < 0
	               ? err_set(err, -ENOMEM, "no memory for an answer")
	               : 0;
}

/* --- by asking the daemon */

static uint64_t left_ns(const struct asking_run *run)
{
	return skimctl_left_ns(run->start_ns, run->timeout_s * NS_PER_S);
}

static bool is_open(const json_t *question)
{
	const char *state = json_string_value(json_object_get(question, "state"));

	return state != NULL && (strcmp(state, "asked") == 0 || strcmp(state, "answering") == 0);
}

/* Send a request, and wait for the one line of its answer. */
static int request(struct asking_run *run, const char *command, json_t *args, json_t **ret, struct err *err)
{
	int r = args == NULL ? err_set(err, -EINVAL, "'%s' is not UTF-8",
	                               run->document == NULL ? run->text : run->document)
	                     : control_client_ask(run->client, command, args, err);

	return r < 0 ? r : control_client_receive(run->client, left_ns(run), ret, err);
}

static int await_answer(struct asking_run *run, json_t *question, json_t **ret, struct err *err)
{
	json_t *reply;
	int r = request(run, "answer", json_pack("{s:I}", "question", skimctl_integer(question, "id")),
	                &reply, err);

	if (r < 0)
		return r;
	*ret = json_incref(json_object_get(reply, "question"));
	json_decref(reply);
	return 0;
}

static int ask_one(struct asking_run *run, struct err *err)
{
	json_t *reply, *question, *answered;
	int r = request(run, "ask", json_pack("{s:s, s:s}", "document", run->document, "text", run->text),
	                &reply, err);

	if (r < 0)
		return r;
	question = json_object_get(reply, "question");
	if (run->no_wait || !is_open(question))
		r = keep(run, json_incref(question), err);
	else if ((r = await_answer(run, question, &answered, err)) == 0)
		r = keep(run, answered, err);
	json_decref(reply);
	return r;
}

static int ask_all(struct asking_run *run, struct err *err)
{
	json_t *reply;
	int r = request(run, "ask", json_pack("{s:b, s:s}", "all", 1, "text", run->text), &reply, err);

	if (r < 0)
		return r;
	run->n_unread = skimctl_integer(reply, "n_unread");
	json_decref(reply);
	r = control_client_ask(run->client, "questions",
	                       json_pack("{s:s, s:b}", "text", run->text, "wait", (int)!run->no_wait), err);
	while (r == 0) {
		r = control_client_receive(run->client, left_ns(run), &reply, err);
		if (r < 0)
			return r;
		if (r == 0) {
			json_decref(reply);
			return 0;
		}
		r = keep(run, json_incref(json_object_get(reply, "question")), err);
		json_decref(reply);
	}
	return r;
}

/* --- here */

static int answer_here(struct asking_run *run, int64_t id, struct err *err)
{
	const struct pipeline_hooks hooks = { .cancel = &cancelled };
	int r = docstore_start_question(pipeline_docstore(run->pipeline), id, err);

	return r < 0 ? r : pipeline_answer_question(run->pipeline, id, &hooks, err);
}

static int check_read(struct docstore *store, const struct question *question, struct err *err)
{
	struct document document = { 0 };
	int r;

	if (!question->unread)
		return 0;
	if ((r = docstore_get(store, question->document_id, &document, err)) == 0)
		r = err_set(err, -EAGAIN,
		            "'%s' is %s, and there is no daemon that reads it: 'skimctl read -q' does",
		            document.name, document_state_name(document.state));
	document_done(&document);
	return r;
}

/* The row as it is then. */
static int answer_open(struct asking_run *run, struct question *question, struct err *err)
{
	struct docstore *store = pipeline_docstore(run->pipeline);
	int64_t id = question->id;
	int r = check_read(store, question, err);

	if (r < 0 || (r = answer_here(run, id, err)) < 0)
		return r;
	question_done(question);
	return docstore_get_question(store, id, question, err);
}

/* Answer the question unless it is, and keep it for printing; where all are asked, one that has to wait is left out. */
static int settle_here(struct asking_run *run, int64_t id, struct err *err)
{
	struct docstore *store = pipeline_docstore(run->pipeline);
	struct question question = { 0 };
	int r = docstore_get_question(store, id, &question, err);
	bool open = r == 0 && !run->no_wait && question_view_is_open(&question);
	bool left_out = open && run->all && question.unread;

	if (open && !left_out)
		r = answer_open(run, &question, err);
	if (r == 0 && !left_out)
		r = keep(run, question_view_json(&question), err);
	question_done(&question);
	return r;
}

static int settle_all_here(struct asking_run *run, struct err *err)
{
	struct docstore *store = pipeline_docstore(run->pipeline);
	struct question question = { 0 };
	int64_t id = 0;
	int r;

	while ((r = docstore_next_question(store, id, 0, run->text, &question, err)) == 0) {
		id = question.id;
		question_done(&question);
		if ((r = settle_here(run, id, err)) < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

static int ask_here(struct asking_run *run, struct err *err)
{
	struct docstore *store = pipeline_docstore(run->pipeline);
	struct question_request asked = { .text = run->text,
		                          .source = "command",
		                          .fingerprint = pipeline_fingerprint(run->pipeline) };
	int64_t id;
	int r;

	if (run->all) {
		if ((r = docstore_ask_all(store, &asked, NULL, &id, err)) < 0 ||
		    (r = question_view_count_unread(store, &run->n_unread, err)) < 0)
			return r;
		return settle_all_here(run, err);
	}
	if ((r = docstore_resolve(store, run->document, &asked.document_id, err)) < 0 ||
	    (r = docstore_ask(store, &asked, &id, err)) < 0)
		return r;
	return settle_here(run, id, err);
}

/* Time that is over comes as a signal, again and again, so that none falls between a look and a wait. */
static void limit_time(const struct asking_run *run)
{
	const struct sigaction action = { .sa_handler = on_interrupt };
	const struct itimerval timer = { .it_interval = { .tv_sec = 1 },
		                         .it_value = { .tv_sec = (time_t)run->timeout_s } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL); /* of zero: none */
}

static int open_here(struct asking_run *run, struct err *err)
{
	const struct skimctl_pipeline settings = { .stores = SKIMCTL_STORES_FOUND,
		                                   .config_path = run->query.config_path };
	struct sigaction interrupt = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
	struct docstore *store;
	int r;

	log_set_level(LOG_LEVEL_ERROR);
	limit_time(run);
	/* A store that is not there is not made. */
	if ((r = skimctl_open_store(run->query.config_path, &store, err)) < 0)
		return r;
	docstore_close(store);
	if ((r = skimctl_open_pipeline(&settings, &run->pipeline, err)) < 0)
		return r;
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGTERM, &interrupt, NULL);
	return 0;
}

/* Pages that somebody is reading take longer. */
static void stop_time(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
}

/* --- printing */

static double score_of(const json_t *question)
{
	const json_t *answer = json_object_get(question, "answer");

	return json_number_value(json_object_get(answer, "score"));
}

static bool is_found(const json_t *question)
{
	return json_is_true(json_object_get(json_object_get(question, "answer"), "found"));
}

/* Answers that were found first, then the better score, then the order in which they were asked. */
static int compare(const void *a, const void *b)
{
	const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;

	if (is_found(one) != is_found(other))
		return is_found(one) ? -1 : 1;
	if (score_of(one) < score_of(other) || score_of(one) > score_of(other))
		return score_of(one) > score_of(other) ? -1 : 1;
	return skimctl_integer(one, "id") < skimctl_integer(other, "id") ? -1 : 1;
}

static int sort(json_t *questions)
{
	size_t n = json_array_size(questions), i;
	json_t **items = array_new(json_t *, n), *item;

	if (items == NULL)
		return -ENOMEM;
	json_array_foreach(questions, i, item) items[i] = json_incref(item);
	qsort(items, n, sizeof(json_t *), compare);
	json_array_clear(questions);
	for (i = 0; i < n; i++)
		json_array_append_new(questions, items[i]);
	free(items);
	return 0;
}

static void print_evidence(json_t *question)
{
	json_t *answer = json_object_get(question, "answer"), *evidence;
	const char *section;
	size_t i;

	json_array_foreach(json_object_get(answer, "evidence"), i, evidence)
	{
		section = skimctl_text(evidence, "section");
		printf("\n  > %s\n  — %s", skimctl_text(evidence, "quote"), skimctl_string(question, "name"));
		if (section[0] != '\0')
			printf(", § %s", section);
		if (skimctl_integer(evidence, "page") > 0)
			printf(", page %lld", (long long)skimctl_integer(evidence, "page"));
		printf(", bytes %lld–%lld\n", (long long)skimctl_integer(evidence, "byte_start"),
		       (long long)skimctl_integer(evidence, "byte_end"));
	}
}

/* The mark is that of the outputs. */
static void print_answer(json_t *question)
{
	json_t *answer = json_object_get(question, "answer");
	bool generated = json_is_true(json_object_get(answer, "generated"));

	if (is_open(question)) {
		printf("question %lld waits to be answered\n", (long long)skimctl_integer(question, "id"));
		return;
	}
	printf("%s%s\n", skimctl_text(answer, "text"), generated ? " °" : "");
	print_evidence(question);
}

static void print_line(json_t *question)
{
	json_t *answer = json_object_get(question, "answer");
	const char *words = skimctl_string(question, "state");

	if (json_is_object(answer))
		words = skimctl_text(answer, "text");
	else if (skimctl_string(question, "error")[0] != '\0')
		words = skimctl_string(question, "error");
	printf("%4.2f  %s: %s\n", score_of(question), skimctl_string(question, "name"), words);
}

static bool is_failed(json_t *question)
{
	return strcmp(skimctl_string(question, "state"), "failed") == 0;
}

static void print_failure(json_t *question)
{
	const char *retry_at = skimctl_string(question, "retry_at");
	struct err err;

	err_set(&err, 0, "%s%s%s", skimctl_string(question, "error"),
	        retry_at[0] == '\0' ? "" : "; a daemon asks it again from then on: ", retry_at);
	skimctl_fail(&err);
}

static void tell_unread(const struct asking_run *run)
{
	if (run->n_unread > 0)
		fprintf(stderr, "skimctl: %lld document%s still to be read and not asked\n",
		        (long long)run->n_unread, run->n_unread == 1 ? " is" : "s are");
}

static int print(struct asking_run *run)
{
	int status = SKIMCTL_OK;
	json_t *question;
	size_t i;

	if (sort(run->questions) < 0)
		return skimctl_fail(&(struct err){ "no memory for the answers" });
	json_array_foreach(run->questions, i, question)
	{
		if (is_failed(question))
			status = SKIMCTL_FAILED;
		if (run->query.json)
			skimctl_print_json(json_incref(question));
		else if (run->all)
			print_line(question);
		else if (!is_failed(question))
			print_answer(question);
		else
			print_failure(question);
	}
	tell_unread(run);
	return status;
}

static int ask_somewhere(struct asking_run *run, struct err *err)
{
	struct err why = { "" };
	int r = skimctl_connect(run->query.config_path, &run->client, &why);

	if (r == 0)
		return run->all ? ask_all(run, err) : ask_one(run, err);
	if (r == -EACCES)
		return err_set(err, r, "%s", why.text);
	r = open_here(run, err);
	return r < 0 ? r : ask_here(run, err);
}

int skimctl_ask_question(int argc, char **argv)
{
	struct asking_run run = { .start_ns = loop_now_ns(), .questions = json_array() };
	struct err err = { "" };
	int r, status;

	if (run.questions == NULL || !parse(&run, argc, argv)) {
		json_decref(run.questions);
		return skimctl_usage(SKIMCTL_ASK_USAGE);
	}
	if ((r = question_check(run.text, &err)) == 0)
		r = ask_somewhere(&run, &err);
	control_client_close(run.client);
	pipeline_close(run.pipeline);
	stop_time();
	if (r == -ETIMEDOUT || (r < 0 && timed_out))
		status = SKIMCTL_TIMEOUT;
	else
		status = r < 0 ? skimctl_fail(&err) : print(&run);
	json_decref(run.questions);
	return status;
}
