/* All formats: which one a file is of, by its content, and its text. Runs in one process on bytes in memory: the walls are
 * put up by who calls it (extract_main.c), and tests and fuzzers do without. */
#ifndef SKIMD_PIPELINE_FORMATS_FORMATS_H
#define SKIMD_PIPELINE_FORMATS_FORMATS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "pipeline/formats/format.h"
#include "pipeline/formats/sink_collect.h"

/* Beyond these a document is cut, or refused where nothing of it was read. */
#define FORMATS_MAX_MEMBERS 10000u /* of a container */
#define FORMATS_MAX_DEPTH 100u /* of elements within elements */
#define FORMATS_MAX_PAGES 5000u

struct parsed {
	struct sink_result result; /* without marks: plain text's own bytes */
	const char *media_type; /* a constant */
	char charset[32]; /* what the text was in, see charset.h; "": the format knows by itself */
};

/* The text of a file. bytes are used up, whatever comes of them; about: their name, the limits and programs, its bytes are
 * not looked at; its outlet may get the beginning of the text, also of one that then fails. At most max_text_bytes of text.
 * *ret is the caller's, for parsed_done(); untouched on failure.
 * -ENOTSUP: a format that is not read; -ENODATA: no text in it; -EFBIG: over a limit; -EBADMSG: damaged;
 * -EACCES: encrypted; -ENOPKG: needs a program that is not there; -ENOMEM. Words that do not repeat the name. */
int formats_parse(struct buf *bytes, const struct format_input *about, size_t max_text_bytes,
                  struct parsed *ret, struct err *err);
void parsed_done(struct parsed *parsed); /* all zero is allowed */

/* Whether a file that begins so is read by programs, from the file itself: formats_parse() then needs no more of it than these
 * FORMATS_BEGINNING bytes, where is_file. */
#define FORMATS_BEGINNING 16
bool formats_is_for_programs(const char *beginning, size_t n);

/* The constant that is equal to a media type that formats_parse() gives; NULL: there is none. */
const char *formats_media_type(const char *word);

#endif
