/* Text from outside, made fit for lines that are ours. */
#ifndef SKIMD_BASE_TEXT_H
#define SKIMD_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Put '?' for each control character: a file's name may hold any byte, and shall neither begin a line of its own
 * nor tell a terminal what to do. The text gets no longer. */
void text_printable(char *text);

/* The same for text that people read, as one line: line breaks and tabs become a blank, those around them go. */
void text_join_lines(char *text);

/* Bytes of the control character that text starts with, 0 if it starts with another or with none: text need not be
 * UTF-8. C1 controls have two. */
size_t text_control_length(const char *text);

/* Strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. Takes one character from bytes[0, n), n > 0.
 * Returns the bytes taken; 0: there is no character here. */
size_t text_decode_utf8(const unsigned char *bytes, size_t n, uint32_t *ret);
/* The same back: ret has room for 4 bytes. Returns how many it took. character is at most U+10FFFF. */
size_t text_encode_utf8(uint32_t character, char *ret);

/* Sixteen bytes to be looked at together: a comparison gives 0xff for each of which it is true, or else 0. */
typedef unsigned char text_sixteen __attribute__((vector_size(16)));

static inline text_sixteen text_take_sixteen(const char *bytes)
{
	text_sixteen ret;

	memcpy(&ret, bytes, sizeof(ret));
	return ret;
}

static inline bool text_is_any(text_sixteen mask)
{
	uint64_t halves[2];

	memcpy(halves, &mask, sizeof(mask));
	return (halves[0] | halves[1]) != 0;
}

/* Those that are no printable characters of ASCII; blanks are. */
static inline text_sixteen text_not_printable(text_sixteen bytes)
{
	return (text_sixteen)(bytes - ' ' > '~' - ' ');
}

/* How many of the n bytes at the beginning are printable characters of ASCII. */
size_t text_printable_length(const char *text, size_t n);

bool text_is_utf8(const char *bytes, size_t n);

#endif
