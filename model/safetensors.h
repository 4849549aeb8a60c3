/* The safetensors files of a checkpoint's folder, mapped: one model.safetensors, or the shards that
 * model.safetensors.index.json names. Every offset and size in a header is checked before it is used. */
#ifndef SKIMD_MODEL_SAFETENSORS_H
#define SKIMD_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum tensor_type { TENSOR_F32, TENSOR_BF16, TENSOR_F16, TENSOR_F8_E4M3, TENSOR_OTHER };

#define TENSOR_MAX_DIMS 4

/* Borrowed from its checkpoint. */
struct tensor {
	const char *name, *file; /* file: the path that holds it, for words */
	enum tensor_type type;
	uint32_t n_dims;
	uint64_t dims[TENSOR_MAX_DIMS];
	const uint8_t *data; /* n_bytes, unaligned */
	uint64_t n_bytes;
};

struct checkpoint;

/* Map dir's weights. *ret is the caller's, for checkpoint_close(). -ENOENT: no weights there; -EBADMSG: a damaged
 * or truncated file, with its name and the tensor's. The files must not change while open. */
int checkpoint_open(const char *dir, struct checkpoint **ret, struct err *err);
void checkpoint_close(struct checkpoint *checkpoint);

const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name); /* NULL: none */
uint64_t checkpoint_bytes(const struct checkpoint *checkpoint); /* of all files */

/* Call each with every file's bytes, in a fixed order: what a fingerprint is made of. */
void checkpoint_each_file(const struct checkpoint *checkpoint,
                          void (*each)(void *user, const void *bytes, size_t n), void *user);

/* n values from first on as float32: bf16, fp16, fp32 or e4m3 (without its block scale). */
void tensor_read(const struct tensor *tensor, uint64_t first, uint64_t n, float *ret);

#endif
