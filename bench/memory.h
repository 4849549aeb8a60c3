/* Memory for a program that measures and then ends: where there is none, it ends at once. */
#ifndef SKIMD_BENCH_MEMORY_H
#define SKIMD_BENCH_MEMORY_H

#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"

/* n elements of size bytes, zeroed; for free(). */
static inline void *memory_take(size_t n, size_t size)
{
	void *memory = array_alloc(size, n, 1);

	if (memory == NULL) {
		fprintf(stderr, "no memory for %zu times %zu bytes\n", n, size);
		exit(EXIT_FAILURE);
	}
	return memory;
}

#endif
