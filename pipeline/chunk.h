/* A view cut into chunks that fit the model's context.
 *
 * What is too long is cut in two at its strongest boundary that leaves enough on both sides, and so on in
 * both halves. Boundaries are headings, by level, then paragraphs, lines, sentences and words; equal ones
 * are ranked by a hash of the text that follows them. Were it not for the least size, a boundary would be a
 * cut exactly if the span between the nearest higher ranks on its two sides were longer than the most that
 * a chunk may hold: nothing in that depends on how far from the start it is. So an edit moves the cuts
 * around it and no others, and what was kept of all other chunks is found again. The least size spoils this
 * in rare cases, and then over a few chunks. */
#ifndef SKIMD_PIPELINE_CHUNK_H
#define SKIMD_PIPELINE_CHUNK_H

#include <stddef.h>

#include "base/err.h"
#include "pipeline/view.h"

#define CHUNK_MAX_BYTES 10240
#define CHUNK_MIN_BYTES 3072

struct chunk_limits {
	size_t max_bytes; /* 0: CHUNK_MAX_BYTES */
	size_t min_bytes; /* at most half of it; 0: three tenths of it */
};

/* Bytes [start, end) of the view's text. White space behind a chunk's last word belongs to it. */
struct chunk {
	size_t start, end;
};

/* Cut the whole view: the chunks follow each other without a gap, each at most max_bytes long, and at least
 * min_bytes (up to 3 less in text without blanks) unless the view itself is shorter. No cut is inside a
 * UTF-8 character. An empty view has no chunks. limits may be NULL. *ret is the caller's, for free(). O(n
 * log n). -EINVAL: min_bytes is more than half of max_bytes, or max_bytes under 16; -ENOMEM. */
int chunk_make(const struct view *view, const struct chunk_limits *limits, struct chunk **ret, size_t *ret_n,
               struct err *err);

#endif
