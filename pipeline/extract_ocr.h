/* Documents of which some pages are pictures, by OCR: each of these pages in an extractor of its own, behind the same walls,
 * with time of its own, and then the document once more with what was read. */
#ifndef SKIMD_PIPELINE_EXTRACT_OCR_H
#define SKIMD_PIPELINE_EXTRACT_OCR_H

#include "base/err.h"
#include "pipeline/extract_child.h"
#include "pipeline/formats/formats.h"
#include "pipeline/formats/ocr.h"

/* Run an extractor to its result. The errors of extract_child_run() and frames_read(); ret_missing is the caller's, for
 * ocr_pages_done(), in any case. */
int extract_run(int fd, const struct extract_task *task, const struct extract_hooks *hooks,
                const struct extract_beside *beside, struct parsed *ret, struct ocr_pages *ret_missing,
                struct err *err);

/* Have the pages that are missing read. first: what extract_run() said to the document, 0 with a result in *parsed, or
 * -ENODATA with words in err. On success *parsed is what it is with OCR, and *ret_pages the pages that got text, the
 * caller's, NULL where there are none; on failure there is nothing to be freed. A page that cannot be read is left out,
 * which the result says. -ENODATA: there is no text on them either; -ECANCELED; -ENOPKG; -EIO, -ENOMEM: the machine's; where
 * no page could be read, what the first one failed with. */
int extract_ocr(int fd, const struct extract_task *task, const struct extract_hooks *hooks,
                const struct ocr_pages *missing, int first, struct parsed *parsed, char **ret_pages,
                struct err *err);

#endif
