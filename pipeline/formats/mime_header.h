/* The header of a message, or of one of its parts: fields, parameters, encoded words (RFC 5322, 2045, 2047, 2231). */
#ifndef SKIMD_PIPELINE_FORMATS_MIME_HEADER_H
#define SKIMD_PIPELINE_FORMATS_MIME_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* A piece of a message. Borrowed. */
struct mime_span {
	const char *bytes;
	size_t n;
};

/* The next line of a text, without its end, which is LF or CR LF. false: there is none. */
bool mime_next_line(struct mime_span *text, struct mime_span *ret);

/* Part what begins with a header from its body, at the first empty line. */
void mime_split(struct mime_span whole, struct mime_span *ret_header, struct mime_span *ret_body);

/* The length of the field's name that a line begins with, as in "Subject: words"; 0: it is no field. */
size_t mime_field_name(struct mime_span line);

/* Append the first field of that name, its lines joined, and a NUL behind it. false: there is none. */
bool mime_field(struct mime_span header, const char *name, struct buf *ret);

/* The value of a structured field without its parameters and comments, in lower case: "text/html". Cut to size. */
void mime_value(const char *field, char *ret, size_t size);

/* Append a parameter's value: charset="utf-8", in its plain, its encoded and its continued form. false: there is none. */
bool mime_param(const char *field, const char *name, struct buf *ret);

/* Append a field's words as UTF-8, the encoded ones decoded. */
void mime_decode_words(const char *field, struct buf *ret);

#endif
