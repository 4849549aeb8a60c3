/* Programs that formats are read by, each run once and within walls of its own.
 *
 * A process that will parse a file can start none any more; so it has a starter forked before, which waits behind the walls
 * that a program gets, and becomes that program when it is told to. A starter serves one call. */
#ifndef SKIMD_PIPELINE_FORMATS_PROGRAMS_H
#define SKIMD_PIPELINE_FORMATS_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum program { PROGRAM_PDFTOTEXT, N_PROGRAMS };

/* Where it is installed, found once by its usual folders (or those in SKIMD_PROGRAMS, parted by colons); NULL: it is not. */
const char *program_path(enum program program);

struct programs;

#define PROGRAM_MAX_ARGUMENTS 8
#define PROGRAM_MAX_WORDS 1024

struct program_call {
	enum program program;
	const char *arguments[PROGRAM_MAX_ARGUMENTS]; /* behind its name, up to a NULL; 200 bytes in all */
	const char *bytes; /* n of them for its standard input; NULL: it gets ours, a file */
	size_t n;
	size_t max_bytes; /* of what it writes; then it is ended */
};

/* What it wrote. */
struct program_output {
	struct buf bytes;
	bool cut; /* by max_bytes */
	char words[PROGRAM_MAX_WORDS]; /* on standard error, the beginning */
	int status; /* as of wait(2) */
};

/* Fork the starter. *ret is the caller's, for programs_end(); before walls_enter(WALLS_PARSER). */
int programs_start(struct programs **ret, struct err *err);
void programs_end(struct programs *programs); /* NULL is allowed */

/* Run one. programs may be NULL. *ret is the caller's, for program_output_done(). -ENOPKG: it is not installed; -EIO: it could
 * not be started, or was asked for twice; -ENOMEM. What it found wrong is in *ret. */
int programs_run(struct programs *programs, const struct program_call *call, struct program_output *ret,
                 struct err *err);
void program_output_done(struct program_output *output); /* all zero is allowed */

#endif
