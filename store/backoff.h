/* How long a document that failed for a passing reason is left alone before it is tried again. */
#ifndef SKIMD_STORE_BACKOFF_H
#define SKIMD_STORE_BACKOFF_H

#include <stdint.h>

#define BACKOFF_ATTEMPTS 12 /* after so many failures in a row it is given up */
#define BACKOFF_LONGEST_S (6 * 3600 + 6 * 3600 / 4) /* no wait is longer */

/* Seconds after the n_failed-th failure in a row: a minute, doubled each time up to six hours, and up to a quarter more
 * by the document's id, so that what failed together does not come back together. */
int64_t backoff_seconds(int64_t n_failed, int64_t id);

#endif
