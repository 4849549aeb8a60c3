/* One row of a spreadsheet on its way into a sink. Empty cells count where a full one comes behind them, and only so far:
 * files may say that a million of them follow. */
#ifndef SKIMD_PIPELINE_FORMATS_SHEET_ROW_H
#define SKIMD_PIPELINE_FORMATS_SHEET_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "pipeline/formats/sink.h"

struct sheet_row { /* all zero is an empty one */
	struct buf
		text; /* the full cells, each behind a byte for each cell that it is away from the one before */
	size_t n_cells, n_empty; /* so far; at its end */
};

/* -EFBIG: the row is larger than any text may be; -ENOMEM. */
int sheet_row_add(struct sheet_row *row, const char *text, size_t n);
void sheet_row_add_empty(struct sheet_row *row, size_t n);

/* Put the row into the sink n times, and empty it. A row of empty cells leaves nothing. 0, or what the sink said; -ENOMEM. */
int sheet_row_end(struct sheet_row *row, size_t n, bool aside, struct sink *sink);
void sheet_row_done(struct sheet_row *row);

#endif
