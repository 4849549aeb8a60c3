/* Commands that show documents. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "daemon/commands_internal.h"
#include "daemon/document_view.h"

#define PIECE_BYTES ((size_t)16 << 10) /* of a long text, a line */
#define N_EVENTS 16 /* at a time */
#define NEWEST_EVENTS 50 /* that are shown when none is named to start behind */
#define MAX_EVENTS 1000000
#define DEFAULT_HITS 20
#define MAX_HITS 1000

const struct protocol_key LIST_KEYS[] = { { "state", JSON_STRING, false }, { NULL, JSON_NULL, false } };
const struct protocol_key SHOW_KEYS[] = { { "document", JSON_STRING, true },
	                                  { "json", JSON_TRUE, false },
	                                  { NULL, JSON_NULL, false } };
const struct protocol_key WAIT_KEYS[] = { { "document", JSON_STRING, false }, { NULL, JSON_NULL, false } };
const struct protocol_key EVENTS_KEYS[] = { { "after", JSON_INTEGER, false },
	                                    { "limit", JSON_INTEGER, false },
	                                    { "follow", JSON_TRUE, false },
	                                    { NULL, JSON_NULL, false } };
const struct protocol_key SEARCH_KEYS[] = { { "words", JSON_STRING, true },
	                                    { "limit", JSON_INTEGER, false },
	                                    { NULL, JSON_NULL, false } };

struct listing {
	struct docstore *store;
	const char *state; /* NULL: any */
	int64_t id; /* of the last */
	json_int_t n;
};

static int next_listed(struct call *call, void *user, struct err *err)
{
	struct listing *listing = user;
	struct document document = { 0 };
	int r = docstore_next(listing->store, listing->id, &document, err);

	if (r == -ENOENT) {
		call_reply(call, json_pack("{s:I}", "n", listing->n));
		return 1;
	}
	if (r < 0)
		return r;
	listing->id = document.id;
	if (listing->state == NULL || strcmp(listing->state, document_state_name(document.state)) == 0) {
		listing->n++;
		call_more(call, json_pack("{s:o}", "document", document_view_json(&document)));
	}
	document_done(&document);
	return 1;
}

static bool is_state(const char *word)
{
	for (int state = DOCUMENT_QUEUED; state <= DOCUMENT_GONE; state++) {
		if (strcmp(word, document_state_name((enum document_state)state)) == 0)
			return true;
	}
	return false;
}

int command_list(struct call *call, struct err *err)
{
	struct commands *commands = call_user(call);
	const char *state = call_string(call, "state");
	struct listing *listing;

	if (state != NULL && !is_state(state))
		return err_set(err, -EINVAL, "key 'state': '%.32s' is not a state", state);
	listing = calloc(1, sizeof(*listing));
	if (listing == NULL)
		return err_set(err, -ENOMEM, "no memory for a list");
	*listing = (struct listing){ .store = commands->settings.reader, .state = state };
	call_stream(call, next_listed, free, listing);
	return 0;
}

/* As much of a text as makes a piece, cut between two characters. */
static size_t piece_length(const char *text, size_t n)
{
	size_t length = n < PIECE_BYTES ? n : PIECE_BYTES;

	for (int i = 0; i < 3 && length < n && length > 1 && (text[length] & 0xc0) == 0x80; i++)
		length--;
	return length;
}

static int add_piece(struct deferred *deferred, char *text, size_t n)
{
	char behind = text[n];
	json_t *piece;

	text[n] = '\0';
	piece = json_pack("{s:o}", "text", json_of_bytes(text));
	text[n] = behind;
	return piece == NULL ? -ENOMEM : json_array_append_new(deferred->lines, piece);
}

int commands_add_text(struct deferred *deferred, struct buf *text, struct err *err)
{
	int r = 0;

	for (size_t i = 0, n; r == 0 && i < text->n; i += n) {
		n = piece_length(text->data + i, text->n - i);
		r = add_piece(deferred, text->data + i, n);
	}
	deferred->n_bytes = text->n;
	return r < 0 ? err_set(err, -ENOMEM, "no memory for a document") : 0;
}

int commands_open_reader(const struct commands *commands, struct docstore **ret, struct err *err)
{
	struct docstore_settings settings = { .path = commands->settings.config->store.path,
		                              .mode = DOCSTORE_READ };

	return docstore_open(&settings, ret, err);
}

static int show(struct deferred *deferred, struct err *err)
{
	struct docstore *store;
	struct buf text = { 0 };
	struct err note = { "" };
	int64_t id;
	int r;

	if ((r = commands_open_reader(deferred->commands, &store, err)) < 0)
		return r;
	if ((r = commands_find(store, deferred->call, "document", &id, err)) == 0 &&
	    (r = document_view_text(store, id, call_is_set(deferred->call, "json"), &text, &note, err)) == 0)
		r = commands_add_text(deferred, &text, err);
	if (r == 0 && note.text[0] != '\0')
		json_set(&deferred->fields, "note", json_of_bytes(note.text));
	buf_done(&text);
	docstore_close(store);
	return r;
}

int command_show(struct call *call, struct err *err)
{
	return commands_defer(call, show, false, err);
}

struct waiting {
	struct docstore *store;
	struct worker *worker;
	struct intake *intake;
	const char *word; /* NULL: for all */
	int64_t id; /* 0: not known yet */
};

static int find_waited(struct call *call, struct waiting *waiting, struct err *err)
{
	int r = docstore_resolve(waiting->store, waiting->word, &waiting->id, err);

	if (r == 0)
		call_more(call, json_pack("{s:I}", "found", (json_int_t)waiting->id));
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

static int look_at_waited(struct call *call, struct waiting *waiting, struct err *err)
{
	struct document document = { 0 };
	int r = docstore_get(waiting->store, waiting->id, &document, err);

	if (r < 0)
		return r;
	if (document_view_is_open(&document) || intake_is_unsettled(waiting->intake, document.path))
		r = 0;
	else
		call_reply(call, json_pack("{s:o}", "document", document_view_json(&document)));
	document_done(&document);
	return r;
}

static int look_at_all(struct call *call, struct waiting *waiting, struct err *err)
{
	struct worker_status status;
	int64_t n_queued, n_reading;
	int r;

	if (intake_n_unsettled(waiting->intake) > 0)
		return 0;
	worker_status(waiting->worker, &status);
	if ((r = docstore_count(waiting->store, DOCUMENT_QUEUED, &n_queued, err)) < 0 ||
	    (r = docstore_count(waiting->store, DOCUMENT_READING, &n_reading, err)) < 0)
		return r;
	if (n_queued == 0 && n_reading == 0 && !status.busy)
		call_reply(call, json_object());
	return 0;
}

static int next_waited(struct call *call, void *user, struct err *err)
{
	struct waiting *waiting = user;

	if (waiting->word == NULL)
		return look_at_all(call, waiting, err);
	return waiting->id == 0 ? find_waited(call, waiting, err) : look_at_waited(call, waiting, err);
}

int command_wait(struct call *call, struct err *err)
{
	struct commands *commands = call_user(call);
	struct waiting *waiting = calloc(1, sizeof(*waiting));

	if (waiting == NULL)
		return err_set(err, -ENOMEM, "no memory to wait");
	/* A file that was put there before this command shall be waited for, although nobody may have heard of it. */
	intake_catch_up(commands->settings.intake);
	*waiting = (struct waiting){ .store = commands->settings.reader,
		                     .worker = commands->settings.worker,
		                     .intake = commands->settings.intake,
		                     .word = call_string(call, "document") };
	call_stream(call, next_waited, free, waiting);
	return 0;
}

struct following {
	struct docstore *store;
	struct call *call;
	int64_t after;
	json_int_t n_left; /* negative: for ever */
	size_t n_new;
};

static int tell_event(void *user, const struct document_event *event)
{
	struct following *following = user;

	following->after = event->id;
	following->n_new++;
	call_more(following->call, json_pack("{s:o}", "event", document_view_event(event)));
	return 0;
}

static int next_events(struct call *call, void *user, struct err *err)
{
	struct following *following = user;
	size_t n =
		following->n_left < 0 || following->n_left > N_EVENTS ? N_EVENTS : (size_t)following->n_left;
	int r;

	following->call = call;
	following->n_new = 0;
	r = n == 0 ? 0 : docstore_events(following->store, following->after, n, tell_event, following, err);
	if (r < 0)
		return r;
	if (following->n_left >= 0)
		following->n_left -= (json_int_t)following->n_new;
	if (following->n_new == n && following->n_left != 0)
		return 1;
	if (following->n_left < 0)
		return 0;
	call_reply(call, json_pack("{s:I}", "after", (json_int_t)following->after));
	return 1;
}

/* What stands before the first of the newest. */
static int note_first(void *user, const struct document_event *event)
{
	*(int64_t *)user = event->id - 1;
	return 1;
}

int command_events(struct call *call, struct err *err)
{
	struct commands *commands = call_user(call);
	json_int_t after = call_integer(call, "after", -1);
	json_int_t limit = call_integer(call, "limit", after < 0 ? NEWEST_EVENTS : MAX_EVENTS);
	struct following *following;
	int64_t first = 0;
	int r = 0;

	if (limit < 1 || limit > MAX_EVENTS)
		return err_set(err, -EINVAL, "key 'limit': must be from 1 to %d", MAX_EVENTS);
	if (after < 0 &&
	    (r = docstore_events(commands->settings.reader, -1, (size_t)limit, note_first, &first, err)) < 0)
		return r;
	following = calloc(1, sizeof(*following));
	if (following == NULL)
		return err_set(err, -ENOMEM, "no memory for events");
	*following = (struct following){ .store = commands->settings.reader,
		                         .after = after < 0 ? first : (int64_t)after,
		                         .n_left = call_is_set(call, "follow") ? -1 : limit };
	call_stream(call, next_events, free, following);
	return 0;
}

static int add_hit(void *user, const struct search_hit *hit)
{
	struct deferred *deferred = user;
	json_t *line = json_pack("{s:o}", "hit", document_view_hit(hit));

	deferred->n_bytes += 1024; /* about */
	return line == NULL ? -ENOMEM : json_array_append_new(deferred->lines, line);
}

static int search(struct deferred *deferred, struct err *err)
{
	json_int_t limit = call_integer(deferred->call, "limit", DEFAULT_HITS);
	struct docstore *store;
	int r = commands_open_reader(deferred->commands, &store, err);

	if (r < 0)
		return r;
	r = docstore_search(store, call_string(deferred->call, "words"), (size_t)limit, add_hit, deferred,
	                    err);
	docstore_close(store);
	if (r == 0)
		json_set(&deferred->fields, "n", json_integer((json_int_t)json_array_size(deferred->lines)));
	return r;
}

int command_search(struct call *call, struct err *err)
{
	json_int_t limit = call_integer(call, "limit", DEFAULT_HITS);

	if (limit < 1 || limit > MAX_HITS)
		return err_set(err, -EINVAL, "key 'limit': must be from 1 to %d", MAX_HITS);
	return commands_defer(call, search, false, err);
}
