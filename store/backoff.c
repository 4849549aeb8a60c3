#include "store/backoff.h"

#define FIRST_S 60
#define MOST_S (6 * 3600)

/* Neighbouring ids are far apart in it. 0 to 255. */
static int64_t spread(int64_t id)
{
	return (int64_t)(((uint64_t)id * 0x9e3779b97f4a7c15u) >> 56);
}

int64_t backoff_seconds(int64_t n_failed, int64_t id)
{
	int64_t seconds = FIRST_S;

	for (int64_t i = 1; i < n_failed && seconds < MOST_S; i++)
		seconds *= 2;
	if (seconds > MOST_S)
		seconds = MOST_S;
	return seconds + seconds * spread(id) / 1024;
}
