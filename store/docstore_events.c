/* The event log of docstore.h. */
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "store/docstore_internal.h"
#include "store/docstore_rows.h"
#include "store/docstore_schema.h"

#define N_BATCH 256 /* rows that are in memory at a time */

int docstore_event(struct docstore *store, const char *level, int64_t id, const char *message,
                   struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	txn_run(&txn, PUT_EVENT, db_text(level), db_int_or_null(id), db_text(message));
	return docstore_end(store, &txn);
}

int docstore_trim_events(struct docstore *store, size_t n_most, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	int64_t span = rows_first_integer(txn_rows(&txn, EVENTS_SPAN));
	int r = docstore_end(store, &txn);

	if (r < 0 || span <= (int64_t)n_most)
		return r;
	txn = docstore_begin(store, err);
	txn_run(&txn, TRIM_EVENTS, db_int((int64_t)n_most));
	return docstore_end(store, &txn);
}

struct events {
	struct document_event *items;
	size_t n, cap;
};

static void add_event(struct txn *txn, sqlite3_stmt *row, struct events *events)
{
	struct document_event *event;

	if (array_grow(&events->items, sizeof(*events->items), events->n, &events->cap) < 0) {
		txn_fail(txn, -ENOMEM, "no memory for the events");
		return;
	}
	event = &events->items[events->n++];
	event->id = sqlite3_column_int64(row, 0);
	event->at = row_text(txn, row, 1);
	event->level = row_text(txn, row, 2);
	event->document_id = sqlite3_column_int64(row, 3);
	event->message = row_text(txn, row, 4);
}

static int load_events(struct docstore *store, int64_t after_id, size_t n_most, struct events *ret,
                       struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	sqlite3_stmt *row;

	for (row = txn_rows(&txn, GET_EVENTS, db_int(after_id), db_int((int64_t)n_most)); row != NULL;
	     row = txn_next(&txn, row))
		add_event(&txn, row, ret);
	return docstore_end(store, &txn);
}

static void events_done(struct events *events)
{
	for (size_t i = 0; i < events->n; i++) {
		free(events->items[i].at);
		free(events->items[i].level);
		free(events->items[i].message);
	}
	free(events->items);
	*events = (struct events){ 0 };
}

/* The event before the newest n; 0: there is none. */
static int find_before_newest(struct docstore *store, size_t n, int64_t *ret_id, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);

	*ret_id = rows_first_integer(txn_rows(&txn, EVENT_BEFORE, db_int((int64_t)n)));
	return docstore_end(store, &txn);
}

/* A batch is called for outside of the transaction, so that a slow caller keeps nobody waiting. */
int docstore_events(struct docstore *store, int64_t after_id, size_t n_most,
                    int (*each)(void *user, const struct document_event *event), void *user, struct err *err)
{
	int r = after_id < 0 ? find_before_newest(store, n_most, &after_id, err) : 0;

	while (r == 0 && n_most > 0) {
		size_t n_batch = n_most < N_BATCH ? n_most : N_BATCH;
		struct events events = { 0 };
		size_t n;

		r = load_events(store, after_id, n_batch, &events, err);
		n = events.n;
		for (size_t i = 0; i < n && r == 0; i++) {
			after_id = events.items[i].id;
			r = each(user, &events.items[i]);
		}
		events_done(&events);
		if (n < n_batch)
			break;
		n_most -= n;
	}
	return r;
}
