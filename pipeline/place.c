#include "pipeline/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *place_section(const struct view *view, size_t offset)
{
	const char *name;
	size_t n;

	view_section_at(view, offset, &name, &n);
	return name == NULL ? NULL : strndup(name, n);
}

int place_find(const char *source, const struct view *view, size_t start, size_t end, struct evidence *ret)
{
	size_t from, to;

	view_source_range(view, start, end, &from, &to);
	*ret = (struct evidence){ .quote = strndup(source + from, to - from),
		                  .byte_start = (int64_t)from,
		                  .byte_end = (int64_t)to,
		                  .page = view_page_at(view, start),
		                  .section = place_section(view, start) };
	if (ret->quote != NULL)
		return 0;
	free(ret->section);
	ret->section = NULL;
	return -ENOMEM;
}
