#include "base/text.h"

#include <string.h>

size_t text_control_length(const char *text)
{
	unsigned char first = (unsigned char)text[0];

	if (first < ' ' || first == 0x7f)
		return 1;
	return first == 0xc2 && ((unsigned char)text[1] & 0xe0) == 0x80 ? 2 : 0;
}

void text_printable(char *text)
{
	char *end = text;

	while (*text != '\0') {
		size_t n_control = text_control_length(text);

		*end++ = n_control > 0 ? '?' : *text;
		text += n_control > 0 ? n_control : 1;
	}
	*end = '\0';
}

void text_join_lines(char *text)
{
	char *end = text;

	for (const char *at = text; *at != '\0';) {
		size_t n_blank = strspn(at, " \t\n\v\f\r"), n_spaces = strspn(at, " ");
		size_t n = n_blank == 0 ? 1 : n_blank;

		if (n_blank > n_spaces) { /* a line ends there, or a tab stands */
			*end++ = ' ';
		} else {
			memmove(end, at, n);
			end += n;
		}
		at += n;
	}
	*end = '\0';
	text_printable(text);
}

size_t text_decode_utf8(const unsigned char *bytes, size_t n, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char first = bytes[0];
	const size_t n_bytes = first < 0x80   ? 1
	                       : first < 0xc2 ? 0
	                       : first < 0xe0 ? 2
	                       : first < 0xf0 ? 3
	                       : first < 0xf5 ? 4
	                                      : 0;
	uint32_t character = n_bytes == 1 ? first : n_bytes == 0 ? 0 : first & (0x7fu >> n_bytes);

	if (n_bytes == 0 || n_bytes > n)
		return 0;
	for (size_t i = 1; i < n_bytes; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (bytes[i] & 0x3f);
	}
	if (character < least[n_bytes] || (character >= 0xd800 && character <= 0xdfff) ||
	    character > 0x10ffff)
		return 0;
	*ret = character;
	return n_bytes;
}

size_t text_encode_utf8(uint32_t character, char *ret)
{
	size_t n = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; character >>= 6)
		ret[i] = (char)(0x80 | (character & 0x3f));
	ret[0] = (char)(n == 1 ? character : (0xf00u >> n & 0xff) | character);
	return n;
}

size_t text_printable_length(const char *text, size_t n)
{
	size_t i = 0;

	while (n - i >= sizeof(text_sixteen) && !text_is_any(text_not_printable(text_take_sixteen(text + i))))
		i += sizeof(text_sixteen);
	while (i < n && text[i] >= ' ' && text[i] < 0x7f)
		i++;
	return i;
}

static size_t ascii_length(const char *bytes, size_t n)
{
	size_t i = 0;

	while (n - i >= sizeof(text_sixteen) && !text_is_any(text_take_sixteen(bytes + i) & 0x80))
		i += sizeof(text_sixteen);
	return i;
}

bool text_is_utf8(const char *bytes, size_t n)
{
	uint32_t character;
	size_t n_taken;

	for (size_t i = ascii_length(bytes, n); i < n; i += ascii_length(bytes + i, n - i)) {
		n_taken = text_decode_utf8((const unsigned char *)bytes + i, n - i, &character);
		if (n_taken == 0)
			return false;
		i += n_taken;
	}
	return true;
}
