#include "pipeline/formats/html_source.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define MAX_MARKS 4000 /* blanks and the like between the names of one tag */

/* The first bytes without what may stand in front of the root: a mark, white space, comments, declarations. */
static const char *skip_prolog(const char *at, const char *end)
{
	static const struct {
		const char *start, *end;
	} parts[] = { { "<!--", "-->" }, { "<?", ">" } };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]);) {
		size_t n = strlen(parts[i].start), n_end = strlen(parts[i].end);

		while (at < end && isspace((unsigned char)*at))
			at++;
		if ((size_t)(end - at) < n || memcmp(at, parts[i].start, n) != 0) {
			i++;
			continue;
		}
		at = memmem(at, (size_t)(end - at), parts[i].end, n_end);
		if (at == NULL)
			return end;
		at += n_end;
		i = 0;
	}
	return at;
}

static bool starts_with(const char *at, const char *end, const char *word)
{
	return (size_t)(end - at) > strlen(word) && strncasecmp(at, word, strlen(word)) == 0;
}

static bool is_named_html(const char *name)
{
	static const char *const endings[] = { ".html", ".htm", ".xhtml", ".xht" };

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t n = strlen(name), n_ending = strlen(endings[i]);

		if (n > n_ending && strcasecmp(name + n - n_ending, endings[i]) == 0)
			return true;
	}
	return false;
}

/* A page says so, or has at least a tag where it begins, and the name for it. */
static bool is_page(const char *bytes, size_t n, const char *name)
{
	const char *end = bytes + n, *at = skip_prolog(bytes, end);

	if (starts_with(at, end, "<!doctype html") || starts_with(at, end, "<html"))
		return true;
	return is_named_html(name) && end - at > 2 && *at == '<' &&
	       (isalpha((unsigned char)at[1]) || at[1] == '!');
}

bool html_source_is(const struct format_input *input)
{
	char start[512];
	size_t n = 0, i = 2;

	if (input->n < 4 ||
	    (memcmp(input->bytes, "\xff\xfe", 2) != 0 && memcmp(input->bytes, "\xfe\xff", 2) != 0)) {
		i = input->n >= 3 && memcmp(input->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
		return is_page(input->bytes + i, input->n - i, input->name);
	}
	for (; i < input->n && n < sizeof(start); i++)
		if (input->bytes[i] != '\0')
			start[n++] = input->bytes[i];
	return is_page(start, n, input->name);
}

static bool is_part_of_name(char c)
{
	return isalnum((unsigned char)c) || (c & 0x80) != 0 || (c != '\0' && strchr("-_.:", c) != NULL);
}

/* Past a value in quotes, whose first one is at; else past one character. */
static size_t skip_value(const struct buf *text, size_t at)
{
	const char *end = NULL;

	if ((text->data[at] == '"' || text->data[at] == '\'') && text->data[at - 1] == '=')
		end = memchr(text->data + at + 1, text->data[at], text->n - at - 1);
	return end == NULL ? at + 1 : (size_t)(end - text->data) + 1;
}

void html_source_disarm(struct buf *text)
{
	size_t start = 0, n_marks = 0;
	bool in_tag = false;

	for (size_t i = 0; i < text->n;) {
		char c = text->data[i];

		if (!in_tag && c == '<' && isalpha((unsigned char)text->data[i + 1])) {
			in_tag = true;
			start = i;
			n_marks = 0;
		}
		in_tag = in_tag && c != '>';
		n_marks += !is_part_of_name(c);
		if (in_tag && n_marks > MAX_MARKS) {
			for (; start < i; start++)
				if (text->data[start] == '<')
					text->data[start] = ' ';
			in_tag = false;
		}
		i = in_tag ? skip_value(text, i) : i + 1;
	}
}
