#include "pipeline/place.h"

#include <errno.h>
#include <string.h>

int place_section(const struct view *view, size_t offset, char **ret)
{
	const char *name;
	size_t n;

	view_section_at(view, offset, &name, &n);
	*ret = name == NULL ? NULL : strndup(name, n);
	return name != NULL && *ret == NULL ? -ENOMEM : 0;
}

int place_find(const char *source, const struct view *view, size_t start, size_t end, struct evidence *ret)
{
	size_t from, to;

	view_source_range(view, start, end, &from, &to);
	*ret = (struct evidence){ .quote = strndup(source + from, to - from),
		                  .byte_start = (int64_t)from,
		                  .byte_end = (int64_t)to,
		                  .page = view_page_at(view, start) };
	if (ret->quote != NULL && place_section(view, start, &ret->section) == 0)
		return 0;
	evidence_done(ret);
	return -ENOMEM;
}
