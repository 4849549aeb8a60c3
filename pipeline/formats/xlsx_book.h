/* What the sheets of an Excel workbook refer to: texts that stand in cells, each once, and formats of numbers. */
#ifndef SKIMD_PIPELINE_FORMATS_XLSX_BOOK_H
#define SKIMD_PIPELINE_FORMATS_XLSX_BOOK_H

#include <stddef.h>

#include "base/buf.h"
#include "pipeline/formats/package.h"
#include "pipeline/formats/xlsx_number.h"
#include "pipeline/formats/xml.h"

extern const char *const XLSX_SPACE[]; /* of SpreadsheetML */

struct xlsx_strings { /* all zero: none */
	struct buf text;
	size_t *ends; /* of each, in text */
	size_t n, cap;
};

struct xlsx_formats { /* all zero: all numbers are plain */
	struct xlsx_format *of_style; /* by the number that a cell has as its style */
	size_t n, cap;
};

/* 0, -EBADMSG, -EFBIG, -ENOMEM; what was read up to a failure stays. */
int xlsx_strings_read(struct package *package, const char *part, unsigned max_depth, struct xlsx_strings *ret,
                      struct err *err);
int xlsx_formats_read(struct package *package, const char *part, unsigned max_depth, struct xlsx_formats *ret,
                      struct err *err);
void xlsx_strings_done(struct xlsx_strings *strings);
void xlsx_formats_done(struct xlsx_formats *formats);

/* One text, borrowed, with its length; NULL: there is none of this number. */
const char *xlsx_string(const struct xlsx_strings *strings, size_t at, size_t *ret_n);
struct xlsx_format xlsx_format(const struct xlsx_formats *formats, size_t style);

#endif
