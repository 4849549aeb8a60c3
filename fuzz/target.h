/* What the targets share. A target is one function over arbitrary bytes, called by libFuzzer or by replay.c; what it
 * promises it says with REQUIRE, and a promise that does not hold ends the program as a crash does. */
#ifndef SKIMD_FUZZ_TARGET_H
#define SKIMD_FUZZ_TARGET_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define REQUIRE(condition) ((condition) ? (void)0 : require_failed(__FILE__, __LINE__, #condition))

_Noreturn void require_failed(const char *file, int line, const char *words);

/* An input that is taken apart from its start; where it is at its end, all that follows is 0. */
struct input {
	const uint8_t *bytes;
	size_t n;
};

uint8_t input_u8(struct input *input);
uint32_t input_u32(struct input *input);

/* n bytes and a NUL, which are the caller's, for free(). */
char *copy_bytes(const void *bytes, size_t n);

/* The path of a name in a folder of this process, in memory where that can be, which goes at exit. Room for PATH_MAX. */
void scratch_path(const char *name, char *ret);

/* Put a file there, or take one away if it is there. */
void scratch_write(const char *name, const void *bytes, size_t n);
void scratch_remove(const char *name);

/* A file's bytes from a folder of the source tree, the caller's. */
uint8_t *source_file(const char *name, size_t *ret_n);

/* A whole file that the target made itself, to be damaged. */
struct image {
	uint8_t *bytes;
	size_t n;
};

struct image image_load(const char *scratch_name);

/* Write the image as a scratch file, damaged as the input says: cut off at a place, and bytes put over others. An input
 * whose first byte is odd is the file itself. */
void image_write_damaged(const struct image *image, struct input input, const char *scratch_name);

#endif
