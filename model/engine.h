/* An opened checkpoint: weights packed for the kernels, tokenizer, threads. Read-only once open; contexts of several
 * threads may share it, their forward passes take turns. */
#ifndef SKIMD_MODEL_ENGINE_H
#define SKIMD_MODEL_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/shape.h"
#include "model/tokenizer.h"

struct engine;

enum numerics {
	NUMERICS_PRODUCTION, /* bf16 cache, float32 arithmetic */
	NUMERICS_STRICT, /* float32 throughout: for comparison with reference logits */
	NUMERICS_INT8, /* bf16 cache; weights, and what meets them, rounded to 8 bits: faster; see layer_to_levels() */
};

/* The two forms of latent attention, equal in exact arithmetic: over the latents, or over keys and values expanded
 * from them. AUTO is the absorbed form, which is cheaper for every family there is; the
 * naive one is its twin, for tests. */
enum mla_form { MLA_AUTO, MLA_ABSORBED, MLA_NAIVE };

struct engine_settings {
	const char *dir; /* config.json, tokenizer.json, *.safetensors */
	enum numerics numerics;
	enum mla_form mla_form;
	unsigned n_threads; /* 0: from the CPU affinity */
	size_t prefill_rows; /* tokens that one pass takes; 0: a good number */
	const char *kernels; /* a family's name, NULL: SKIMD_KERNELS or the best for the CPU */
	size_t row_memory; /* bytes of latents and rope keys that long contexts hold in memory, see paging.h; 0: all */
	bool plain_scan; /* the indexer scores every key exactly: the twin, for tests, of looking at codes first */

	/* For trials of what an audit sees of an indexer that chooses badly: may put other positions [n], rising and at most
	 * pos, in the place of those chosen. Called by any thread. What such an engine computes is not for a store, as the
	 * fingerprint does not tell of it. NULL: none. */
	void (*tamper)(void *user, uint32_t layer, size_t pos, uint32_t *positions, size_t n);
	void *tamper_user;
};

#define FINGERPRINT_BYTES 32

/* Map and check the checkpoint in dir, and pack its weights. *ret is the caller's, for engine_close(). -ENOENT: a file
 * is missing; -EBADMSG: a file is damaged, or a tensor is missing or of the wrong shape; -ENOTSUP: another kind of
 * model; -EFBIG: config.json has more than 4 MiB, or tokenizer.json more than 128; -EAGAIN: no threads; -ENOMEM, and what
 * open(2) and read(2) say. dir must not change while open. */
int engine_open(const struct engine_settings *settings, struct engine **ret, struct err *err);
void engine_close(struct engine *engine); /* NULL is allowed; free its contexts first */

const struct model_shape *engine_shape(const struct engine *engine);
const struct tokenizer *engine_tokenizer(const struct engine *engine); /* NULL: the checkpoint has none */
bool engine_is_eos(const struct engine *engine, uint32_t token);

/* SHA-256 over configuration, tokenizer, weights, numerics and kernel family: where it is equal, so is every logit. */
const uint8_t *engine_fingerprint(const struct engine *engine);

/* What it is, for people and logs. */
struct engine_info {
	uint64_t n_parameters, n_active_parameters; /* of which one token uses */
	uint64_t active_bytes; /* of weights, that decoding one token reads */
	uint64_t file_bytes, block_bytes;
	size_t block_tokens;
	unsigned n_threads;
	const char *kernels, *mla_form, *numerics;
};
void engine_info(const struct engine *engine, struct engine_info *ret);

#endif
