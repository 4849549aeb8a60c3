/* Allocation of arrays whose sizes are multiplied in one place, with overflow checked. */
#ifndef SKIMD_BASE_ARRAY_H
#define SKIMD_BASE_ARRAY_H

#include <stddef.h>

/* n * m elements of size bytes, zeroed, aligned to a cache line; NULL when there is no memory or the product
 * overflows. An empty array is a valid pointer. Free with free(). */
void *array_alloc(size_t size, size_t n, size_t m);

/* array_new(float, n) or array_new(float, n_rows, n_columns) */
#define array_new(type, ...) ((type *)ARRAY_ALLOC(sizeof(type), __VA_ARGS__, 1, ))
#define ARRAY_ALLOC(size, n, m, ...) array_alloc((size), (n), (m))

/* Make room for n elements of size bytes in a malloc'd array of capacity *cap, at least doubling it as needed.
 * -ENOMEM leaves the array as it was. */
int array_reserve(void *array_pointer, size_t size, size_t n, size_t *cap);

/* The same for one more element behind n. */
int array_grow(void *array_pointer, size_t size, size_t n, size_t *cap);

#endif
