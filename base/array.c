#include "base/array.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64

void *array_alloc(size_t size, size_t n, size_t m)
{
	size_t bytes;
	void *array;

	if (__builtin_mul_overflow(n, m, &bytes) || __builtin_mul_overflow(bytes, size, &bytes) ||
	    bytes > PTRDIFF_MAX - CACHE_LINE)
		return NULL;
	bytes = bytes == 0 ? CACHE_LINE : (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	array = aligned_alloc(CACHE_LINE, bytes);
	return array == NULL ? NULL : memset(array, 0, bytes);
}

int array_reserve(void *array_pointer, size_t size, size_t n, size_t *cap)
{
	void **array = array_pointer;
	size_t new_cap = *cap == 0 ? 16 : *cap * 2, bytes;
	void *grown;

	if (n <= *cap)
		return 0;
	if (new_cap < n)
		new_cap = n;
	if (__builtin_mul_overflow(new_cap, size, &bytes))
		return -ENOMEM;
	grown = realloc(*array, bytes);
	if (grown == NULL)
		return -ENOMEM;
	*array = grown;
	*cap = new_cap;
	return 0;
}

int array_grow(void *array_pointer, size_t size, size_t n, size_t *cap)
{
	return array_reserve(array_pointer, size, n + 1, cap);
}
