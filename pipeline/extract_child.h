/* The extractor, skimd-extract: a process of its own for each file, which gets the file's descriptor and a pipe, and
 * nothing else. It may crash, hang, or turn against us; it is ended in any case before extract_child_run() returns. */
#ifndef SKIMD_PIPELINE_EXTRACT_CHILD_H
#define SKIMD_PIPELINE_EXTRACT_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "pipeline/extract.h"

/* What both sides know of one run, as the extractor's arguments. */
struct extract_task {
	const char *name; /* the file's, for the hint that its ending gives */
	struct extract_limits limits; /* complete */
	unsigned ocr_page; /* to be read by OCR, alone; 0: the document */
	int ocr_texts; /* a file of n_ocr_texts bytes: what OCR has read of the document; formats/ocr.h */
	size_t n_ocr_texts;
};

/* max_file_bytes max_text_bytes max_pages timeout_s ocr_page n_ocr_texts OCR_LANGUAGES NAME */
#define EXTRACT_TASK_ARGUMENTS 8
#define EXTRACT_OCR_TEXTS 3 /* ocr_texts in the extractor, if there are some */

/* From such arguments. -EINVAL. */
int extract_task_parse(char *const *arguments, struct extract_task *ret);

/* What is done beside it, in pieces, while it works: false when there is nothing left. */
struct extract_beside {
	bool (*step)(void *user);
	void *user;
};

/* Start it on fd and collect all that it says, up to max_bytes, to *ret. -ECANCELED: *hooks->cancel; -ETIME: it took longer
 * than limits.timeout_s, or its processor time; -EPROTO: it crashed, or said too much; -ENOMEM: it was killed, as
 * happens where memory is short; -EIO: it cannot be started, or could not write. 0: it has ended by itself, whatever it said. */
int extract_child_run(int fd, const struct extract_task *task, const struct extract_hooks *hooks,
                      const struct extract_beside *beside, size_t max_bytes, struct buf *ret,
                      struct err *err);

#endif
