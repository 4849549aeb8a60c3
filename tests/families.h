/* The families of kernels that this CPU has, for tests that hold for each of them. */
#ifndef SKIMD_TESTS_FAMILIES_H
#define SKIMD_TESTS_FAMILIES_H

#include "model/ops.h"
#include "tests/fixture.h"

static const struct ops *families[5]; /* the first is plain */
static size_t n_families;

/* Setup of a group of tests. */
static inline int find_families(void **state)
{
	static const char *const NAMES[] = { "plain", "avx2", "avx512", "avx512bf16", "avx2bf16" };

	(void)state;
	for (size_t i = 0; i < COUNT(NAMES); i++)
		n_families += ops_select(NAMES[i], &families[n_families], NULL) == 0;
	return n_families > 0 ? 0 : -1;
}

#endif
