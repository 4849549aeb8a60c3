/* Text from outside, made fit for lines that are ours. */
#ifndef SKIMD_BASE_TEXT_H
#define SKIMD_BASE_TEXT_H

/* Put '?' for each control character: a file's name may hold any byte, and shall neither begin a line of its own
 * nor tell a terminal what to do. Bytes from 0x80 on stay. */
void text_printable(char *text);

#endif
