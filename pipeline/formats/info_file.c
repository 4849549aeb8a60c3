#include "pipeline/formats/info_file.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "pipeline/formats/codepage.h"
#include "pipeline/formats/mail_text.h"

#define NODE_MARK '\x1f'
#define N_LOOKED_AT ((size_t)4096)

/* What readers of Info hide: a NUL, a backspace and a bracket, up to the same with a closing one. */
static const char HIDDEN_START[] = { '\0', '\b', '[' }, HIDDEN_END[] = { '\0', '\b', ']' };

static void append_shown(const char *bytes, size_t n, struct buf *ret)
{
	const char *at = bytes, *end = bytes + n, *start;

	while ((start = memmem(at, (size_t)(end - at), HIDDEN_START, sizeof(HIDDEN_START))) != NULL) {
		const char *stop = memmem(start, (size_t)(end - start), HIDDEN_END, sizeof(HIDDEN_END));

		buf_append(ret, at, (size_t)(start - at));
		if (stop == NULL)
			return;
		at = stop + sizeof(HIDDEN_END);
	}
	buf_append(ret, at, (size_t)(end - at));
}

static int decode(struct buf *text)
{
	struct codepage *codepage;
	struct buf utf8 = { 0 };

	if (text->n == 0 || text_is_utf8(text->data, text->n))
		return buf_status(text);
	codepage = codepage_open("windows-1252");
	if (codepage == NULL)
		return -ENOMEM;
	codepage_append(codepage, text->data, text->n, &utf8);
	codepage_close(codepage);
	buf_done(text);
	*text = utf8;
	return buf_status(text);
}

/* "File: x.info,  Node: Top,  Next: ...". false: it begins no node. */
static bool find_name(struct mime_span line, struct mime_span *ret)
{
	const char *start = memmem(line.bytes, line.n, "Node: ", 6), *end;

	if (start == NULL)
		return false;
	start += 6;
	end = memchr(start, ',', (size_t)(line.bytes + line.n - start));
	*ret = (struct mime_span){ start, (size_t)((end == NULL ? line.bytes + line.n : end) - start) };
	return true;
}

/* The level of a heading that is underlined so; 0: it is no such line. */
static unsigned underline_level(struct mime_span line, struct mime_span title)
{
	static const char MARKS[] = "*=-.";
	const char *mark = line.n > 0 && line.bytes[0] != '\0' ? strchr(MARKS, line.bytes[0]) : NULL;

	if (mark == NULL || line.n < 3 || title.n == 0 || title.bytes[0] == ' ')
		return 0;
	for (size_t i = 0; i < line.n; i++)
		if (line.bytes[i] != *mark)
			return 0;
	return (unsigned)(mark - MARKS) + 1;
}

static bool is_menu(struct mime_span line)
{
	return line.n >= 7 && memcmp(line.bytes, "* Menu:", 7) == 0;
}

static int put_heading(struct sink *sink, struct mime_span title, unsigned level)
{
	sink_begin(sink, SINK_HEADING, level);
	sink_text(sink, title.bytes, title.n);
	return sink_end(sink);
}

/* Where else to go: to the end of the node. */
static int put_menu(struct sink *sink, struct mime_span menu)
{
	struct mime_span line;
	int r = 0;

	while (r == 0 && mime_next_line(&menu, &line)) {
		sink_begin(sink, SINK_ITEM, 1);
		sink_aside(sink);
		sink_text(sink, line.bytes, line.n);
		r = sink_end(sink);
	}
	return r;
}

static struct mime_span between(const char *start, const char *end)
{
	return (struct mime_span){ start, (size_t)(end - start) };
}

static int put_node(struct sink *sink, struct mime_span node)
{
	const char *start = node.bytes;
	struct mime_span line, last = { NULL, 0 };
	int r = 0;

	while (r == 0 && mime_next_line(&node, &line)) {
		unsigned level = underline_level(line, last);

		if (level > 0) {
			mail_text_put(sink, between(start, last.bytes));
			r = put_heading(sink, last, level);
			start = node.bytes;
		} else if (is_menu(line)) {
			mail_text_put(sink, between(start, line.bytes));
			return put_menu(sink, node);
		}
		last = line;
	}
	return r < 0 ? r : mail_text_put(sink, between(start, node.bytes + node.n));
}

/* Up to the next mark; what stands in front of the first one is about the file. */
static int put_nodes(struct sink *sink, struct mime_span rest)
{
	int r = 0;

	while (r == 0 && rest.n > 0) {
		const char *mark = memchr(rest.bytes, NODE_MARK, rest.n);
		struct mime_span head, name, node;
		const char *end;

		if (mark == NULL)
			break;
		rest = between(mark + 1, rest.bytes + rest.n);
		mime_next_line(&rest, &head); /* of the mark's own line */
		if (!mime_next_line(&rest, &head) || !find_name(head, &name))
			continue;
		end = rest.n > 0 ? memchr(rest.bytes, NODE_MARK, rest.n) : NULL;
		node = between(rest.bytes, end == NULL ? rest.bytes + rest.n : end);
		sink_section(sink, name.bytes, name.n);
		r = put_node(sink, node);
	}
	return r;
}

static int info_parse(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct buf text = { 0 };
	int r;

	append_shown(input->bytes, input->n, &text);
	r = decode(&text);
	if (r == 0)
		r = put_nodes(sink, (struct mime_span){ text.data, text.n });
	buf_done(&text);
	return r == 0 ? 0 : err_set(err, r, "the Info file could not be read: %s", strerror(-r));
}

static bool info_is(const struct format_input *input)
{
	size_t n = input->n < N_LOOKED_AT ? input->n : N_LOOKED_AT;

	return n > 8 && memcmp(input->bytes, "This is ", 8) == 0 &&
	       memmem(input->bytes, n, "produced by makeinfo", 20) != NULL &&
	       memmem(input->bytes, input->n, "\x1f\nFile: ", 8) != NULL;
}

const struct format FORMAT_INFO = { "application/x-info", "an Info file", false, info_is, info_parse };
