/* Blocks of one sequence in memory, as pipeline/ has them in kv.db. A step that fails ends the test. */
#ifndef SKIMD_TESTS_BLOCK_MEMORY_H
#define SKIMD_TESTS_BLOCK_MEMORY_H

#include "base/array.h"
#include "model/context.h"
#include "tests/fixture.h"

#define BLOCK_MEMORY_TOKENS 8192 /* the longest sequence */

/* All zero is empty. */
struct block_memory {
	uint8_t *ending_at[BLOCK_MEMORY_TOKENS + 1]; /* the block that ends before this token */
	size_t n_bytes; /* of a block */
	size_t n_stored, n_reads;
	bool lost; /* nothing can be read any more */
};

static inline int block_memory_load(void *user, const uint32_t *tokens, size_t first, size_t n, void *bytes,
                                    size_t n_bytes, struct err *err)
{
	const struct block_memory *memory = user;

	(void)tokens;
	(void)first;
	if (memory->ending_at[n] == NULL)
		return err_set(err, -ENOENT, "not there");
	assert_int_equal(n_bytes, memory->n_bytes);
	memcpy(bytes, memory->ending_at[n], n_bytes);
	return 0;
}

static inline int block_memory_store(void *user, const uint32_t *tokens, size_t first, size_t n,
                                     const void *bytes, size_t n_bytes, struct err *err)
{
	struct block_memory *memory = user;

	(void)tokens;
	(void)first;
	(void)err;
	assert_true(n <= BLOCK_MEMORY_TOKENS);
	if (memory->ending_at[n] == NULL)
		memory->ending_at[n] = array_alloc(1, n_bytes, 1);
	assert_non_null(memory->ending_at[n]);
	memcpy(memory->ending_at[n], bytes, n_bytes);
	memory->n_bytes = n_bytes;
	memory->n_stored++;
	return 0;
}

static inline int block_memory_read(void *user, size_t block, size_t offset, void *bytes, size_t n_bytes,
                                    struct err *err)
{
	struct block_memory *memory = user;
	const uint8_t *from = memory->ending_at[(block + 1) * BLOCK_TOKENS];

	if (memory->lost)
		return err_set(err, -ENOENT, "lost");
	assert_non_null(from);
	assert_true(offset + n_bytes <= memory->n_bytes);
	memcpy(bytes, from + offset, n_bytes);
	memory->n_reads++;
	return 0;
}

static inline struct block_io block_memory_io(struct block_memory *memory)
{
	return (struct block_io){ memory, block_memory_load, block_memory_store, block_memory_read };
}

static inline void block_memory_done(struct block_memory *memory)
{
	for (size_t i = 0; i < COUNT(memory->ending_at); i++)
		free(memory->ending_at[i]);
}

#endif
