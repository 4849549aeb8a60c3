#include "daemon/wal_alarm.h"

#include <stdio.h>

#include "base/log.h"

static void tell(struct docstore *store, int64_t n_bytes)
{
	char text[256];

	snprintf(text, sizeof(text),
	         "skimd.db-wal has grown to %lld MB, as somebody reads the database without an end: it is "
	         "small again"
	         " when that program ends its transaction ('fuser -v' with the file names it)",
	         (long long)(n_bytes >> 20));
	log_warning("%s", text);
	docstore_event(store, "warning", 0, text, NULL);
}

/* It is also long after one large document, and then shrinks by itself. */
void wal_alarm_look(struct wal_alarm *alarm, struct docstore *store)
{
	int64_t n_bytes = docstore_wal_bytes(store);
	bool held = false;

	if (n_bytes < WAL_ALARM_BYTES / 2)
		alarm->told = false;
	if (alarm->told || n_bytes < WAL_ALARM_BYTES || docstore_is_held(store, &held, NULL) < 0 || !held)
		return;
	alarm->told = true;
	tell(store, n_bytes);
}
