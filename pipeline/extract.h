/* A file's text, taken out by a process of its own behind walls (extract_child.h): whatever is in the file, it can harm
 * nothing but its own reading.
 *
 * The reasons that go with errors are made to be shown beside the file's name, and do not repeat it. */
#ifndef SKIMD_PIPELINE_EXTRACT_H
#define SKIMD_PIPELINE_EXTRACT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pipeline/formats/ocr.h"
#include "pipeline/formats/sink.h"
#include "pipeline/marks.h"

#define EXTRACT_MAX_FILE_BYTES ((uint64_t)512 << 20)
#define EXTRACT_MAX_TEXT_BYTES ((uint64_t)64 << 20) /* some twenty thousand pages */
#define EXTRACT_TIMEOUT_S 120u
#define EXTRACT_MAX_OCR_PAGES 500u /* at some two to five seconds each */

/* 0: the default: those above, and formats.h's. What is packed may unpack to the text's limit, and by gunzip.h's ratio. */
struct extract_limits {
	uint64_t max_file_bytes;
	uint64_t max_text_bytes;
	unsigned max_pages;
	unsigned timeout_s; /* of time, and of processor time; OCR has as much for each page */
	unsigned max_ocr_pages; /* so many pages without text are read by OCR */
	char ocr_languages[OCR_MAX_LANGUAGES]; /* which ocr_check() likes; "": no OCR */
};

/* Who waits for it. */
struct extract_hooks {
	void *user;
	void (*waiting)(void *user); /* called now and then; may be NULL */
	const atomic_bool *cancel; /* may be NULL */
	void (*pages)(void *user, unsigned n_done, unsigned n_pages); /* by OCR, so far; may be NULL */
};

struct extracted {
	/* UTF-8, n bytes and a NUL, none within. A plain UTF-8 file's own bytes, so that offsets are the file's. */
	char *text;
	size_t n;
	struct marks marks; /* none: plain text, Markdown */
	unsigned n_pages; /* 0: the format has none */
	char truncated[SINK_REASON_MAX]; /* why this is not all of it; "": it is */
	char *ocr_pages; /* which were read by OCR: "1-3,7"; NULL: none */
	const char *media_type; /* a constant: "text/plain", "application/pdf" */
	char charset[32]; /* what the text was in: see charset.h; "": its format knows by itself */
	char sha256[65]; /* of the file as it is on disk, and its size */
	uint64_t bytes;
};

/* Read a regular file from its start, wherever fd stands. path serves for the hint that its ending gives; the file is only
 * looked at through fd. limits and hooks may be NULL. *ret is the caller's, for extracted_done(); untouched on failure.
 * The errors of formats_parse() and extract_child_run(); -EAGAIN: changed while being read; -EISDIR, -EINVAL: a folder, no
 * regular file; -EIO and others of read(2). */
int extract_file(int fd, const char *path, const struct extract_limits *limits,
                 const struct extract_hooks *hooks, struct extracted *ret, struct err *err);
void extracted_done(struct extracted *extracted); /* all zero is allowed */

/* The extractor's path: the installed one, or where SKIMD_EXTRACT says in a tree that is not installed. */
const char *extract_program(void);

/* Whether it is there, in words that say where it was looked for. Errors of access(2). */
int extract_check(struct err *err);

#endif
