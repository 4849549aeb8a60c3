#include "pipeline/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *place_section(const struct view *view, size_t offset)
{
	const struct heading *heading = view_heading_at(view, offset);

	return heading == NULL ? NULL : strndup(view->text + heading->title, heading->end - heading->title);
}

int place_find(const char *source, const struct view *view, size_t start, size_t end, struct evidence *ret)
{
	size_t from, to;

	view_source_range(view, start, end, &from, &to);
	*ret = (struct evidence){ .quote = strndup(source + from, to - from),
		                  .byte_start = (int64_t)from,
		                  .byte_end = (int64_t)to,
		                  .section = place_section(view, start) };
	if (ret->quote != NULL)
		return 0;
	free(ret->section);
	ret->section = NULL;
	return -ENOMEM;
}
