/* The body of a part of a message: its transfer encoding undone, its flowed lines joined (RFC 2045, 3676). What is wrong in
 * an encoding is passed over: a mail with a broken line is still read. */
#ifndef SKIMD_PIPELINE_FORMATS_MIME_BODY_H
#define SKIMD_PIPELINE_FORMATS_MIME_BODY_H

#include <stdbool.h>

#include "base/buf.h"
#include "pipeline/formats/mime_header.h"

void mime_decode_base64(struct mime_span text, struct buf *ret);
void mime_decode_quoted(struct mime_span text, struct buf *ret); /* quoted-printable */
void mime_decode_q(struct mime_span text, struct buf *ret); /* its kin in headers, where "_" is a blank */
void mime_decode_percent(const char *text, struct buf *ret); /* %20, of parameters */

/* Join the lines of format=flowed; delsp: the blank at a flowed line's end is not of the text. */
void mime_join_flowed(struct mime_span text, bool delsp, struct buf *ret);

#endif
