/* Bytes as hexadecimal digits. */
#ifndef SKIMD_BASE_HEX_H
#define SKIMD_BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

/* 2 * n lower-case digits and a NUL into ret. */
static inline void hex_encode(const uint8_t *bytes, size_t n, char *ret)
{
	static const char DIGITS[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		ret[2 * i] = DIGITS[bytes[i] >> 4];
		ret[2 * i + 1] = DIGITS[bytes[i] & 15];
	}
	ret[2 * n] = '\0';
}

#endif
