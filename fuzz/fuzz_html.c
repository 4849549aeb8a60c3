/* A web page, or a chapter of a book: the first byte says which. */
#include "fuzz/parser.h"
#include "pipeline/formats/html.h"

static int parse_chapter(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct html_page page = { .bytes = input->bytes,
		                  .n = input->n,
		                  .name = input->name,
		                  .max_depth = input->max_depth,
		                  .is_chapter = true };
	bool has_text = false;
	int r = html_read(&page, sink, &has_text, err);

	return r < 0 && err->text[0] == '\0' ? err_set(err, r, "the sink said so") : r;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const struct format chapter = {
		.media_type = "text/html", .name = "a chapter", .is = FORMAT_HTML.is, .parse = parse_chapter
	};
	struct input input = { bytes, n };
	bool is_chapter = (input_u8(&input) & 1) != 0;

	parser_check(is_chapter ? &chapter : &FORMAT_HTML, "a.html", input.bytes, input.n);
	return 0;
}
