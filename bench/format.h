/* Forms that a block's rows could have on disk, to be compared; the store knows only the first. A block comes as a page
 * of model/cache.h, in bf16. */
#ifndef SKIMD_BENCH_FORMAT_H
#define SKIMD_BENCH_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/cache.h"

enum format_kind {
	FORMAT_PLAIN, /* the page as it is */
	FORMAT_DEFLATED, /* all low bytes, then all high bytes, by zlib's level 1 */
	FORMAT_FP8_LATENTS, /* latents e4m3, a scale (a power of two) for each 128; the rest as it is */
	FORMAT_FP8, /* indexer keys as well: dsa-reference.md's layout. Both lose bits */
	N_FORMATS
};

extern const char *const FORMAT_NAMES[N_FORMATS];

struct format {
	enum format_kind kind;
	const struct cache_layout *layout;
	uint32_t n_layers;
	uint8_t *scratch; /* [layout->page_bytes] */
};

/* -ENOMEM. */
int format_init(struct format *format, enum format_kind kind, const struct cache_layout *layout,
                uint32_t n_layers, struct err *err);
void format_done(struct format *format);

/* What a block may take at most. */
size_t format_max_bytes(const struct format *format);

/* *ret_n: bytes taken. -EINVAL: zlib refused. */
int format_encode(const struct format *format, const uint8_t *page, uint8_t *ret, size_t *ret_n,
                  struct err *err);
int format_decode(const struct format *format, const uint8_t *bytes, size_t n, uint8_t *page,
                  struct err *err);

#endif
