/* Text from outside, made fit for lines that are ours. */
#ifndef SKIMD_BASE_TEXT_H
#define SKIMD_BASE_TEXT_H

#include <stddef.h>

/* Put '?' for each control character: a file's name may hold any byte, and shall neither begin a line of its own
 * nor tell a terminal what to do. Bytes from 0x80 on stay. */
void text_printable(char *text);

/* Bytes of the control character that text starts with, 0 if it starts with another. C1 controls have two in UTF-8. */
size_t text_control_length(const char *text);

#endif
