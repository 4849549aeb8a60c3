#include "pipeline/formats/mime_body.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

/* -1: no digit of base64. */
static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Each group of digits by itself, as some programs pad within a text. */
void mime_decode_base64(struct mime_span text, struct buf *ret)
{
	char *out = buf_reserve(ret, text.n / 4 * 3 + 3);
	uint32_t bits = 0;
	unsigned n_bits = 0;

	if (out == NULL)
		return;
	for (size_t i = 0; i < text.n; i++) {
		int digit = base64_digit(text.bytes[i]);

		if (text.bytes[i] == '=')
			n_bits = 0;
		if (digit < 0)
			continue;
		bits = bits << 6 | (uint32_t)digit;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			*out++ = (char)(bits >> n_bits & 0xff);
		}
	}
	ret->n = (size_t)(out - ret->data);
}

static int hex_value(const char *digits)
{
	int value = 0;

	for (int i = 0; i < 2; i++) {
		char c = digits[i];

		if (!isxdigit((unsigned char)c))
			return -1;
		value = value * 16 +
		        (isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10);
	}
	return value;
}

/* mark and two hexadecimal digits. Returns the bytes taken: 3, or 1 where they are none and stand for themselves. */
static size_t take_escape(struct mime_span text, size_t at, struct buf *ret)
{
	int value = at + 2 < text.n ? hex_value(text.bytes + at + 1) : -1;
	char byte = value < 0 ? text.bytes[at] : (char)value;

	buf_append(ret, &byte, 1);
	return value < 0 ? 1 : 3;
}

static void decode_quoted_line(struct mime_span line, struct buf *ret)
{
	bool soft;

	while (line.n > 0 && (line.bytes[line.n - 1] == ' ' || line.bytes[line.n - 1] == '\t'))
		line.n--;
	soft = line.n > 0 && line.bytes[line.n - 1] == '=';
	line.n -= soft;
	for (size_t i = 0; i < line.n;) {
		if (line.bytes[i] == '=')
			i += take_escape(line, i, ret);
		else
			buf_append(ret, &line.bytes[i++], 1);
	}
	if (!soft)
		buf_append(ret, "\n", 1);
}

void mime_decode_quoted(struct mime_span text, struct buf *ret)
{
	struct mime_span line;

	while (mime_next_line(&text, &line))
		decode_quoted_line(line, ret);
}

void mime_decode_q(struct mime_span text, struct buf *ret)
{
	for (size_t i = 0; i < text.n;) {
		if (text.bytes[i] == '=') {
			i += take_escape(text, i, ret);
		} else {
			buf_append(ret, text.bytes[i] == '_' ? " " : &text.bytes[i], 1);
			i++;
		}
	}
}

void mime_decode_percent(const char *text, struct buf *ret)
{
	const struct mime_span span = { text, strlen(text) };

	for (size_t i = 0; i < span.n;) {
		if (span.bytes[i] == '%')
			i += take_escape(span, i, ret);
		else
			buf_append(ret, &span.bytes[i++], 1);
	}
}

static size_t quote_depth(struct mime_span line)
{
	size_t n = 0;

	while (n < line.n && line.bytes[n] == '>')
		n++;
	return n;
}

void mime_join_flowed(struct mime_span text, bool delsp, struct buf *ret)
{
	struct mime_span line;
	size_t last_depth = 0;
	bool flowing = false;

	while (mime_next_line(&text, &line)) {
		size_t depth = quote_depth(line);
		bool is_signature;

		line.bytes += depth;
		line.n -= depth;
		if (line.n > 0 && line.bytes[0] == ' ') { /* stuffed */
			line.bytes++;
			line.n--;
		}
		is_signature = line.n == 3 && memcmp(line.bytes, "-- ", 3) == 0;
		if (flowing && (depth != last_depth || is_signature)) {
			buf_append(ret, "\n", 1);
			flowing = false;
		}
		for (size_t i = 0; !flowing && i < depth; i++)
			buf_append(ret, i + 1 < depth ? ">" : "> ", i + 1 < depth ? 1 : 2);
		flowing = line.n > 0 && line.bytes[line.n - 1] == ' ' && !is_signature;
		buf_append(ret, line.bytes, line.n - (flowing && delsp));
		if (!flowing)
			buf_append(ret, "\n", 1);
		last_depth = depth;
	}
}
