#include "pipeline/formats/sheet_row.h"

#include <errno.h>
#include <string.h>

#define MAX_ROW_BYTES ((size_t)64 << 20) /* no text may be larger */
#define MAX_GAP 64 /* empty cells between two full ones; more look no emptier */

/* No text of a cell has it: XML forbids the character. */
#define NEXT_CELL '\1'

int sheet_row_add(struct sheet_row *row, const char *text, size_t n)
{
	size_t gap = row->n_empty < MAX_GAP ? row->n_empty : MAX_GAP;

	if (row->text.n + gap + n >= MAX_ROW_BYTES)
		return -EFBIG;
	if (row->n_cells > 0)
		gap++;
	for (; gap > 0; gap--)
		buf_append(&row->text, &(char){ NEXT_CELL }, 1);
	buf_append(&row->text, text, n);
	row->n_cells++;
	row->n_empty = 0;
	return buf_status(&row->text);
}

void sheet_row_add_empty(struct sheet_row *row, size_t n)
{
	row->n_empty += n < MAX_GAP ? n : MAX_GAP;
}

static int put(const struct sheet_row *row, bool aside, struct sink *sink)
{
	const char *at = row->text.data, *end = at + row->text.n;

	sink_begin(sink, SINK_ROW, 0);
	if (aside)
		sink_aside(sink);
	while (at < end) {
		const char *next = memchr(at, NEXT_CELL, (size_t)(end - at));
		size_t n = (size_t)((next == NULL ? end : next) - at);

		sink_text(sink, at, n);
		if (next != NULL)
			sink_cell(sink);
		at += n + 1;
	}
	return sink_end(sink);
}

int sheet_row_end(struct sheet_row *row, size_t n, bool aside, struct sink *sink)
{
	int r = buf_status(&row->text);

	for (; r == 0 && row->text.n > 0 && n > 0; n--)
		r = put(row, aside, sink);
	row->text.n = row->n_cells = row->n_empty = 0;
	return r;
}

void sheet_row_done(struct sheet_row *row)
{
	buf_done(&row->text);
}
