/* The bytes that decoding a token cannot do without reading, as the engine keeps them today: what its time is held
 * against. They change with the packing of weights and cache, and this is where. */
#ifndef SKIMD_BENCH_COST_H
#define SKIMD_BENCH_COST_H

#include <stddef.h>

#include "model/engine.h"

/* The weights that one token uses. */
size_t cost_weight_bytes(const struct engine *engine);

/* The layers that score by themselves, and the keys that they look at when a query has `depth` tokens before it. */
size_t cost_scanning_layers(const struct engine *engine);
size_t cost_scan_bytes(const struct engine *engine, size_t depth);

/* Weights, the scan's keys, and the rows of the cache that attention picks. */
size_t cost_decode_bytes(const struct engine *engine, size_t depth);

#endif
