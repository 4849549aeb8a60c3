/* Programs that formats are read by, each run once and within walls of its own.
 *
 * A process that will parse a file can start none any more; so it has starters forked before, each of which waits behind the
 * walls that its program gets, and becomes that program when it is told to. They serve as many calls as were asked for. */
#ifndef SKIMD_PIPELINE_FORMATS_PROGRAMS_H
#define SKIMD_PIPELINE_FORMATS_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum program { PROGRAM_PDFTOTEXT, PROGRAM_PDFTOPPM, PROGRAM_TESSERACT, N_PROGRAMS };

/* What is run at once: one program, or several in a row, each of which reads what the one before it writes. */
enum program_row { ROW_PDF_TEXT, ROW_PDF_OCR }; /* pdftotext; pdftoppm and tesseract */

/* Where it is installed, found once by its usual folders (or those in SKIMD_PROGRAMS, parted by colons); NULL: it is not. */
const char *program_path(enum program program);

const char *program_name(enum program program); /* "pdftotext" */

/* The folder of what it reads beside its input, likewise; NULL: none. */
const char *program_data(enum program program);

/* Whether all of a row are installed. -ENOPKG, with what to install. */
int programs_check(enum program_row row, struct err *err);

struct programs;

#define PROGRAMS_MAX_ROW 2
#define PROGRAM_MAX_ARGUMENTS 12
#define PROGRAM_MAX_WORDS 1024

struct program_call {
	enum program_row row;
	/* Of each program, behind its name, up to a NULL; 400 bytes in all. */
	const char *arguments[PROGRAMS_MAX_ROW][PROGRAM_MAX_ARGUMENTS];
	const char *bytes; /* n of them for the first one's standard input; NULL: it gets ours, a file */
	size_t n;
	size_t max_bytes; /* of what the last one writes; then they are ended */
};

/* What they wrote. */
struct program_output {
	struct buf bytes;
	bool cut; /* by max_bytes */
	char words[PROGRAM_MAX_WORDS]; /* on standard error, the beginning */
	int status[PROGRAMS_MAX_ROW]; /* as of wait(2) */
};

/* Fork the starters of a row, for n_calls of it, one or more. *ret is the caller's, for programs_end(); before the walls of
 * parsers. */
int programs_start(enum program_row row, unsigned n_calls, struct programs **ret, struct err *err);
void programs_end(struct programs *programs); /* NULL is allowed */

/* Run a row. programs may be NULL. *ret is the caller's, for program_output_done(). -ENOPKG: one is not installed; -EIO: it
 * could not be started, or was asked for too often, or the starters are another row's; -ENOMEM. What they found wrong is in
 * *ret. */
int programs_run(struct programs *programs, const struct program_call *call, struct program_output *ret,
                 struct err *err);
void program_output_done(struct program_output *output); /* all zero is allowed */

#endif
