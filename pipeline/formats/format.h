/* One format of files, as a parser and a way to know it by. */
#ifndef SKIMD_PIPELINE_FORMATS_FORMAT_H
#define SKIMD_PIPELINE_FORMATS_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pipeline/formats/sink.h"

struct ocr;
struct programs;
struct sink_outlet;

/* A file as a parser gets it, unpacked. Borrowed. */
struct format_input {
	const char *bytes; /* n of them, and a NUL */
	size_t n;
	const char
		*name; /* the file's, without folders and without ".gz": a hint only; "" if there is none */
	uint64_t max_bytes; /* of anything that the parser itself unpacks, in all */
	unsigned max_members, max_pages, max_depth;
	bool is_file; /* bytes are what standard input has, for a program; else they were packed */
	struct programs *programs; /* what may be run, see programs.h; NULL: nothing */
	struct ocr *ocr; /* what becomes of pictures of text; NULL: nothing */
	const struct sink_outlet *outlet; /* of the sink, not for the parser; see sink_collect.h */
};

struct format {
	const char *media_type;
	const char *name; /* for people, with its article: "a Word document" */
	/* It is text: is() and parse() get it as UTF-8, whatever it was in (charset.h), with its byte order mark if it has
	 * one, and are asked behind all others. Not for those that say themselves what they are in, as HTML and mail do. */
	bool is_text;
	/* Whether the file is of this format, by its content; the name may only decide between texts. */
	bool (*is)(const struct format_input *input);
	/* -EBADMSG: damaged; -EACCES: encrypted; -ENODATA: no text in it; -EFBIG: over a limit before any text came;
	 * -ENOMEM; with words to be shown beside the file's name. What the sink has is kept where an error came late: the
	 * parser then says sink_truncated() and returns 0.
	 * NULL: the text is its own bytes, without marks, as that of plain text. */
	int (*parse)(const struct format_input *input, struct sink *sink, struct err *err);
};

#endif
