/* The way back from a view to its source, and where in the file a place of it stands. */
#include <string.h>

#include "pipeline/view.h"

size_t view_source(const struct view *view, size_t offset)
{
	size_t low = 0, high = view->n_runs;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (view->runs[middle].view_start <= offset)
			low = middle;
		else
			high = middle;
	}
	return view->runs[low].source_start + (offset - view->runs[low].view_start);
}

void view_source_range(const struct view *view, size_t start, size_t end, size_t *ret_start, size_t *ret_end)
{
	*ret_start = view_source(view, start);
	*ret_end = view_source(view, end - 1) + 1;
}

const struct heading *view_heading_at(const struct view *view, size_t offset)
{
	size_t low = 0, high = view->n_headings;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (view->headings[middle].start <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? &view->headings[low - 1] : NULL;
}

bool view_is_code(const struct view *view, size_t offset)
{
	size_t low = 0, high = view->n_code;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (view->code[middle].end <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < view->n_code && view->code[low].start <= offset;
}

static const struct mark_place *place_at(const struct view *view, size_t offset)
{
	if (view->marks == NULL || view->n == 0)
		return NULL;
	return marks_place_at(view->marks, view_source(view, offset < view->n ? offset : view->n - 1));
}

unsigned view_page_at(const struct view *view, size_t offset)
{
	const struct mark_place *place = place_at(view, offset);

	return place == NULL ? 0 : place->page;
}

void view_section_at(const struct view *view, size_t offset, const char **ret, size_t *ret_n)
{
	const struct heading *heading = view_heading_at(view, offset);
	const struct mark_place *place = place_at(view, offset);
	bool named = place != NULL && place->section != NULL;

	*ret = NULL;
	*ret_n = 0;
	if (heading != NULL && !(named && view_source(view, heading->start) < place->section_start)) {
		*ret = view->text + heading->title;
		*ret_n = heading->end - heading->title;
	} else if (named) {
		*ret = place->section;
		*ret_n = strlen(place->section);
	}
}
