/* What is read of a document, as one string that tests can compare: a line feed behind each block, in front of it its kind
 * and level, "H1|", "a" for what is aside; in front of that, where it stands: "[page 2]", "[Sheet 1]". */
#ifndef SKIMD_TESTS_SHOWN_H
#define SKIMD_TESTS_SHOWN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "pipeline/formats/formats.h"

#define SHOWN_LIMITS                                                                             \
	{                                                                                        \
		.name = "", .max_bytes = (uint64_t)64 << 20, .max_members = FORMATS_MAX_MEMBERS, \
		.max_depth = FORMATS_MAX_DEPTH, .max_pages = FORMATS_MAX_PAGES                   \
	}

static inline void shown_place(struct buf *ret, const struct mark_place *place)
{
	if (place->section != NULL)
		buf_printf(ret, "[%s]", place->section);
	else
		buf_printf(ret, "[page %u]", place->page);
}

/* The caller's, for free(). */
static inline char *shown_result(const struct sink_result *result)
{
	static const char KINDS[] = "PWHIRF";
	const struct marks *marks = &result->marks;
	struct buf ret = { 0 };
	size_t place = 0;

	if (marks->n_blocks == 0)
		buf_append(&ret, result->text, result->n);
	for (size_t i = 0; i < marks->n_blocks; i++) {
		const struct mark *mark = &marks->blocks[i];

		for (; place < marks->n_places && marks->places[place].start <= mark->start; place++)
			shown_place(&ret, &marks->places[place]);
		buf_printf(&ret, "%c", KINDS[mark->block]);
		if (mark->level > 0)
			buf_printf(&ret, "%u", mark->level);
		buf_puts(&ret, mark->aside ? "a|" : "|");
		buf_append(&ret, result->text + mark->start, mark->end - mark->start);
		buf_puts(&ret, "\n");
	}
	if (result->truncated[0] != '\0')
		buf_printf(&ret, "... %s\n", result->truncated);
	return buf_take(&ret);
}

/* Parse a file of that name in this process. NULL: it failed, with *ret_r and the words. *ret_type: a constant. */
static inline char *shown_parse(const char *name, const void *file, size_t n, const char **ret_type,
                                int *ret_r, struct err *err)
{
	struct format_input about = SHOWN_LIMITS;
	struct parsed parsed = { .charset = "" };
	struct buf bytes = { 0 };
	char *ret;

	about.name = name;
	buf_append(&bytes, file, n);
	*ret_r = formats_parse(&bytes, &about, (size_t)64 << 20, &parsed, err);
	if (*ret_r < 0)
		return NULL;
	*ret_type = parsed.media_type;
	ret = shown_result(&parsed.result);
	parsed_done(&parsed);
	return ret;
}

#endif
