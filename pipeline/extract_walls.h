/* The walls within which a file's text is taken out: no file system, no network, no other process, and no more memory,
 * processor time and descriptors than it takes. A process puts them around itself, for good.
 *
 * Those of a parser leave it reading what it has open and writing to its pipe. Those of a program, such as pdftotext, leave
 * it loading itself and its libraries, and reading what belongs to it: what poppler knows of character sets, what tesseract
 * knows of a language. It can write no file and start no process, and run no other program. */
#ifndef SKIMD_PIPELINE_EXTRACT_WALLS_H
#define SKIMD_PIPELINE_EXTRACT_WALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/landlock.h"
#include "pipeline/formats/programs.h"

struct walls_limits {
	uint64_t
		memory_bytes; /* of address space; not in builds with a sanitizer, which takes terabytes of that */
	unsigned cpu_seconds;
};

/* Limits by setrlimit(2), and no new privileges, no core, no tracing by others, an end when the parent ends. Processes may
 * still be forked until the others stand. */
int walls_limit(const struct walls_limits *limits, struct err *err);

/* Which of the walls stand; a kernel or a processor may lack one. */
struct walls {
	bool files; /* Landlock */
	bool calls; /* seccomp */
	int r; /* why one that the kernel has does not stand; 0 */
};

/* From here on calls that parsers do not need fail with ENOSYS, and those that only an attacker makes end the process
 * (SIGSYS). Call with one thread. */
struct walls walls_enter_parser(void);

/* The same for a process that will become this program. Without Landlock it can read what its user can, but no more
 * than read. */
struct walls walls_enter_program(enum program program);

/* What who starts an extractor must leave open to it, if it has walls of its own: programs and what they load. Stops when
 * each returns non-zero, which is then returned. */
int walls_each_rule(int (*each)(void *user, const struct landlock_rule *rule), void *user);

#endif
