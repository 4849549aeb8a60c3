#include "pipeline/formats/html_charset.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "pipeline/charset.h"
#include "pipeline/formats/codepage.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define N_LOOK 4096 /* bytes at the start that may declare the set */
#define MAX_GROWTH 4 /* bytes of UTF-8 for one of any set */

static const char *find(const char *bytes, const char *end, const char *word)
{
	size_t n = strlen(word);

	for (; (size_t)(end - bytes) >= n; bytes++)
		if (strncasecmp(bytes, word, n) == 0)
			return bytes;
	return NULL;
}

static bool is_of_name(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("-_:.+", c) != NULL);
}

/* The name behind word and "=" within a tag, with quotes or without. */
static bool find_name(const char *tag, const char *end, const char *word, char *ret, size_t n_ret)
{
	const char *at = find(tag, end, word);
	size_t n = 0;

	if (at == NULL)
		return false;
	for (at += strlen(word); at < end && *at != '\0' && strchr(" \t\r\n=\"'", *at) != NULL;)
		at++;
	for (; at < end && is_of_name(*at) && n + 1 < n_ret; at++)
		ret[n++] = *at;
	ret[n] = '\0';
	return n > 0;
}

static bool find_in_tags(const char *bytes, const char *end, const char *start, const char *word, char *ret,
                         size_t n_ret)
{
	for (const char *tag = bytes; (tag = find(tag, end, start)) != NULL; tag += strlen(start)) {
		const char *tag_end = memchr(tag, '>', (size_t)(end - tag));

		if (find_name(tag, tag_end == NULL ? end : tag_end, word, ret, n_ret))
			return true;
	}
	return false;
}

static void find_declaration(const char *bytes, size_t n, char *ret, size_t n_ret)
{
	const char *end = bytes + (n < N_LOOK ? n : N_LOOK);

	if (!find_in_tags(bytes, end, "<?xml", "encoding", ret, n_ret) &&
	    !find_in_tags(bytes, end, "<meta", "charset", ret, n_ret))
		ret[0] = '\0';
}

/* Names that stand for no more than "the usual one". UTF-16 could not say so in ASCII. */
static bool says_little(const char *name)
{
	static const char *const usual[] = { "",         "utf-8",        "utf8",       "utf-16",
		                             "us-ascii", "ascii",        "iso-8859-1", "iso8859-1",
		                             "latin1",   "windows-1252", "cp1252" };

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (strcasecmp(name, usual[i]) == 0)
			return true;
	return false;
}

static bool guess(const char *bytes, size_t n, struct buf *ret)
{
	const char *charset;

	buf_append(ret, bytes, n);
	if (buf_status(ret) == 0 && charset_decode(ret, n * MAX_GROWTH, &charset, NULL) == 0)
		return true;
	buf_done(ret);
	return false;
}

static void convert(const char *bytes, size_t n, const char *name, struct buf *ret)
{
	struct codepage *codepage = codepage_open(name);

	if (codepage == NULL)
		ret->failed = true;
	else
		codepage_append(codepage, bytes, n, ret);
	codepage_close(codepage);
}

/* Append what is UTF-8 and no NUL; each other byte becomes the replacement character. */
static void append_valid(const struct buf *text, struct buf *ret)
{
	const unsigned char *bytes = (const unsigned char *)text->data;
	size_t from = 0;

	for (size_t i = 0; i < text->n;) {
		uint32_t c = 0;
		size_t n = text_decode_utf8(bytes + i, text->n - i, &c);

		if (n > 0 && c != 0) {
			i += n;
			continue;
		}
		buf_append(ret, bytes + from, i - from);
		buf_puts(ret, REPLACEMENT);
		from = ++i;
	}
	if (text->n > from)
		buf_append(ret, bytes + from, text->n - from);
}

int html_charset_decode(const char *bytes, size_t n, const char *declared, struct buf *ret, struct err *err)
{
	struct buf text = { 0 };
	char name[64];
	int r;

	if (declared != NULL && strlen(declared) < sizeof(name))
		memcpy(name, declared, strlen(declared) + 1);
	else
		find_declaration(bytes, n, name, sizeof(name));
	if (!says_little(name) || !guess(bytes, n, &text))
		convert(bytes, n, name[0] != '\0' ? name : "windows-1252", &text);
	append_valid(&text, ret);
	r = buf_status(&text) < 0 || buf_status(ret) < 0 ? err_set(err, -ENOMEM, "no memory for its text")
	                                                 : 0;
	buf_done(&text);
	return r;
}
