/* Any bytes as the model shall see them: each byte of the view stands for one of the source, in its order, and equals it
 * unless both are white space; headings lie in the view and rise. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "pipeline/markdown.h"
#include "pipeline/view.h"

static bool is_white(char c)
{
	return c != '\0' && strchr(" \t\n\v\f\r", c) != NULL;
}

static void check_map(const struct view *view, const char *source, size_t n)
{
	size_t last = 0;

	for (size_t i = 0; i < view->n; i++) {
		size_t at = view_source(view, i);

		REQUIRE(at < n);
		REQUIRE(i == 0 || at > last);
		REQUIRE(view->text[i] == source[at] || (is_white(view->text[i]) && is_white(source[at])));
		last = at;
	}
}

static void check_runs(const struct view *view)
{
	size_t at = 0;

	for (size_t i = 0; i < view->n_runs; i++) {
		REQUIRE(view->runs[i].view_start == at && view->runs[i].length > 0);
		at += view->runs[i].length;
	}
	REQUIRE(at == view->n);
}

static void check_headings(const struct view *view)
{
	for (size_t i = 0; i < view->n_headings; i++) {
		const struct heading *heading = &view->headings[i];

		REQUIRE(heading->start <= heading->title && heading->title < heading->end);
		REQUIRE(heading->end <= view->n && heading->level >= 1);
		REQUIRE(i == 0 || heading->start >= view->headings[i - 1].end);
		REQUIRE(view_heading_at(view, heading->start) == heading);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input input = { bytes, n };
	uint8_t flags = input_u8(&input);
	char *source = copy_bytes(input.bytes, input.n);
	struct view view;

	markdown_is(source, input.n, (flags & 2) != 0);
	REQUIRE(view_make(source, input.n, (flags & 1) != 0, &view, NULL) == 0);
	REQUIRE(view.text[view.n] == '\0');
	REQUIRE(view.n == 0 ||
	        (!is_white(view.text[strspn(view.text, " \t")]) && !is_white(view.text[view.n - 1])));
	check_runs(&view);
	check_map(&view, source, input.n);
	check_headings(&view);
	view_done(&view);
	free(source);
	return 0;
}
