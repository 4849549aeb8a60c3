/* A file's text. Reads plain text and Markdown, each also packed by gzip, and says of anything else what it
 * is.
 *
 * The reasons that go with errors are made to be shown beside the file's name, and do not repeat it. */
#ifndef SKIMD_PIPELINE_EXTRACT_H
#define SKIMD_PIPELINE_EXTRACT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define EXTRACT_MAX_FILE_BYTES ((uint64_t)512 << 20)
#define EXTRACT_MAX_TEXT_BYTES ((uint64_t)64 << 20) /* some twenty thousand pages */

/* 0: the default above. gzip data may unpack to the text's limit, and by gunzip.h's ratio. */
struct extract_limits {
	uint64_t max_file_bytes;
	uint64_t max_text_bytes;
};

struct extracted {
	/* UTF-8, n bytes and a NUL, none within. A plain UTF-8 file's own bytes, so that offsets are the file's. */
	char *text;
	size_t n;
	const char *media_type; /* a constant: "text/plain", "text/markdown" */
	char charset[32]; /* what the text was in: see charset.h */
	char sha256[65]; /* of the file as it is on disk, and its size */
	uint64_t bytes;
};

/* Read a regular file from its start, wherever fd stands. path serves for the hint that its ending gives;
 * the file is only looked at through fd. limits may be NULL. *ret is the caller's, for extracted_done();
 * untouched on failure. -ENOTSUP: not text, or a format that is not read yet; -ENODATA: empty, or nothing
 * but white space; -EFBIG: over a limit; -EBADMSG: damaged gzip data; -EAGAIN: changed while being read;
 * -EISDIR, -EINVAL: a folder, no regular file; -ENOMEM, -EIO and others of read(2). */
int extract_file(int fd, const char *path, const struct extract_limits *limits, struct extracted *ret,
                 struct err *err);
void extracted_done(struct extracted *extracted); /* all zero is allowed */

#endif
