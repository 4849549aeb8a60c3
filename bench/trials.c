#include "bench/trials.h"

#include <stdio.h>
#include <unistd.h>

#include "bench/program.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MIB (1024.0 * 1024)

void trials_remove_store(const struct trials *trials)
{
	static const char *const SUFFIXES[] = { "", "-journal" };
	char path[PATH_MAX + 16];

	for (size_t i = 0; i < COUNT(SUFFIXES); i++) {
		snprintf(path, sizeof(path), "%s%s", trials->kv, SUFFIXES[i]);
		unlink(path);
	}
}

void trials_tell(struct trials *trials, struct line line)
{
	line.threads = line.threads == 0 ? trials->n_threads : line.threads;
	if (trials->r == 0)
		report_line(trials->report, &line);
}

void trials_run(struct trials *trials, const char *const *words, void *ret, size_t n_bytes,
                double *ret_seconds)
{
	if (trials->r == 0)
		trials->r = program_run(words, ret, n_bytes, ret_seconds, &trials->err);
}

void trials_tell_written(struct trials *trials, const char *what, const struct written *written, double bar)
{
	if (trials->r == 0 && written->disk_bytes == 0)
		report_note(trials->report, "%s: nothing, by /proc/self/io: the file system is not on a disk",
		            what);
	else
		trials_tell(trials, (struct line){ .what = what,
		                                   .threads = 1,
		                                   .n = (size_t)written->payload_bytes,
		                                   .value = written->disk_bytes / MIB,
		                                   .unit = "MiB",
		                                   .reference = written->payload_bytes / MIB,
		                                   .bar = { BAR_AT_MOST, bar } });
}
