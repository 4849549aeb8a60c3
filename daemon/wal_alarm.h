/* Tells when somebody reads skimd.db for so long that its WAL grows: once, and again after it was small. */
#ifndef SKIMD_DAEMON_WAL_ALARM_H
#define SKIMD_DAEMON_WAL_ALARM_H

#include <stdbool.h>

#include "store/docstore.h"

#define WAL_ALARM_BYTES ((int64_t)64 << 20)

/* Zeroed: nothing was told. */
struct wal_alarm {
	bool told;
};

/* Look, and log and note what is to be told. From the thread that writes. */
void wal_alarm_look(struct wal_alarm *alarm, struct docstore *store);

#endif
