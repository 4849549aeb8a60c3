/* Text from outside, made fit for lines that are ours. */
#ifndef SKIMD_BASE_TEXT_H
#define SKIMD_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

#define TEXT_EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte)) /* the same byte eight times */

/* Whether all eight bytes of a word are printable characters of ASCII, blanks among them. If they are, nothing is borrowed
 * from a byte here or carried into it. */
static inline bool text_are_printable(uint64_t eight)
{
	return ((eight | (eight - TEXT_EIGHT(' ')) | (eight + TEXT_EIGHT(1))) & TEXT_EIGHT(0x80)) == 0;
}

/* How many of the n bytes at the beginning are such characters. */
size_t text_printable_length(const char *text, size_t n);

bool text_is_utf8(const char *bytes, size_t n);

#endif
