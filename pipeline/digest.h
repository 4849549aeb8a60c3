/* SHA-256 of bytes, as hexadecimal digits. */
#ifndef SKIMD_PIPELINE_DIGEST_H
#define SKIMD_PIPELINE_DIGEST_H

#include <stddef.h>

#define DIGEST_HEX 65 /* digits and a NUL */

void digest_hex(const void *bytes, size_t n, char ret[DIGEST_HEX]);

#endif
