/* What an extractor says to who started it, as bytes on a pipe: the text, so that it can come while the document is still
 * being read; then frames in a fixed order, each a kind, a length and as many bytes, the last of which says how much was
 * text. The reader trusts none of them: an extractor may have been taken over by the document that it reads. */
#ifndef SKIMD_PIPELINE_EXTRACT_FRAMES_H
#define SKIMD_PIPELINE_EXTRACT_FRAMES_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "pipeline/formats/formats.h"
#include "pipeline/formats/ocr.h"

/* The most that the frames of a text of n_text bytes take, marks and all. */
size_t frames_max_bytes(size_t max_text_bytes);

/* What was said so far; all zero but fd: nothing. */
struct frames {
	int fd;
	size_t n_text; /* bytes of text */
	int r; /* what the first write that failed had */
};

/* The next piece of a text; as an outlet (sink_collect.h) takes it, with struct frames as user. */
void frames_write_text(void *frames, const char *bytes, size_t n);

/* A result, behind those pieces that the outlet had of it; or the reason why there is none, as formats_parse() gives
 * it, behind the pages that have no text, if OCR has asked for them. -EPIPE and others of write(2); -ENOMEM. */
int frames_write(struct frames *frames, const struct ocr_pages *missing, const struct parsed *parsed);
int frames_write_failure(struct frames *frames, const struct ocr_pages *missing, int code, const char *words);

/* All that an extractor has said, which is used up. ret_missing NULL: OCR has not asked for these pages; else they
 * are the caller's, for ocr_pages_done(), on failure as well. *ret is the caller's, for parsed_done(). What is read
 * is as formats_parse() would give it: UTF-8 without NUL, at most max_text_bytes, marks of this very text, a known
 * media type. Else the reason that the extractor gives, one of formats_parse()'s; or -EPROTO: the frames are wrong,
 * or not all there. */
int frames_read(struct buf *bytes, size_t max_text_bytes, struct parsed *ret, struct ocr_pages *ret_missing,
                struct err *err);

#endif
