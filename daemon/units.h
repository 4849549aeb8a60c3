/* Time in nanoseconds and sizes in bytes. */
#ifndef SKIMD_DAEMON_UNITS_H
#define SKIMD_DAEMON_UNITS_H

#include <stdint.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S (UINT64_C(1000) * NS_PER_MS)
#define NS_PER_MIN (UINT64_C(60) * NS_PER_S)
#define NS_PER_H (UINT64_C(60) * NS_PER_MIN)
#define NS_PER_DAY (UINT64_C(24) * NS_PER_H)

#define BYTES_PER_K UINT64_C(1024)
#define BYTES_PER_M (UINT64_C(1024) * BYTES_PER_K)
#define BYTES_PER_G (UINT64_C(1024) * BYTES_PER_M)

#endif
