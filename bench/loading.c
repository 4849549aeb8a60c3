#include "bench/loading.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/array.h"
#include "base/json.h"
#include "bench/crew.h"
#include "bench/document.h"

#define MAX_GOLDEN_BYTES ((size_t)1 << 30)
#define N_TRIALS 5

/* The blocks of a text in one form, and room for their rows. */
struct stock {
	struct format format;
	const struct document *document;
	uint8_t **encoded; /* [n_blocks] */
	size_t *n_encoded; /* [n_blocks] */
	uint8_t *pages; /* [n_blocks][page_bytes] */
};

static const json_t *longest_prompt(const json_t *golden)
{
	const json_t *longest = NULL, *prompt;
	size_t i;

	json_array_foreach(json_object_get(golden, "prompts"), i, prompt)
	{
		const json_t *ids = json_object_get(prompt, "ids");

		if (longest == NULL || json_array_size(ids) > json_array_size(longest))
			longest = ids;
	}
	return longest;
}

static int take_ids(const char *path, const json_t *ids, struct document *ret, struct err *err)
{
	size_t n = json_array_size(ids);

	*ret = (struct document){ .tokens = array_new(uint32_t, n), .n_tokens = n };
	if (ret->tokens == NULL)
		return err_set(err, -ENOMEM, "%s: no memory", path);
	for (size_t i = 0; i < n; i++)
		ret->tokens[i] = (uint32_t)json_integer_value(json_array_get(ids, i));
	return 0;
}

/* Without the file, or a prompt in it, no tokens. */
static int read_text(const char *model, struct document *ret, struct err *err)
{
	char path[PATH_MAX];
	json_t *golden;
	int r;

	snprintf(path, sizeof(path), "%s/golden.json", model);
	if ((r = json_read_file(path, MAX_GOLDEN_BYTES, &golden, err)) < 0)
		return r == -ENOENT ? 0 : r;
	r = take_ids(path, longest_prompt(golden), ret, err);
	json_decref(golden);
	return r;
}

/* Read the text, and keep its blocks in memory. */
static int make_rows(struct engine *engine, struct document *document, struct err *err)
{
	struct context *context;
	int r = context_new(engine, &context, err);

	if (r < 0)
		return r;
	if ((r = document_read(document, context, document->n_tokens, document->n_tokens, err)) == 0)
		r = document_keep(document, context, err);
	context_free(context);
	return r;
}

static void stock_done(struct stock *stock)
{
	for (size_t i = 0; stock->encoded != NULL && i < stock->document->n_blocks; i++)
		free(stock->encoded[i]);
	free(stock->encoded);
	free(stock->n_encoded);
	free(stock->pages);
	format_done(&stock->format);
}

static int encode_block(struct stock *stock, size_t block, uint8_t *room, struct err *err)
{
	size_t n = 0;
	int r = format_encode(&stock->format, stock->document->blocks[block], room, &n, err);

	if (r < 0)
		return r;
	if ((stock->encoded[block] = array_new(uint8_t, n)) == NULL)
		return err_set(err, -ENOMEM, "no memory for a block");
	memcpy(stock->encoded[block], room, n);
	stock->n_encoded[block] = n;
	return 0;
}

static int stock_init(struct stock *stock, enum format_kind kind, const struct document *document,
                      const struct cache_layout *layout, uint32_t n_layers, struct err *err)
{
	uint8_t *room = NULL;
	int r;

	*stock = (struct stock){ .document = document };
	if ((r = format_init(&stock->format, kind, layout, n_layers, err)) < 0)
		return r;
	stock->encoded = array_new(uint8_t *, document->n_blocks);
	stock->n_encoded = array_new(size_t, document->n_blocks);
	stock->pages = array_new(uint8_t, document->n_blocks, document->block_bytes);
	room = array_new(uint8_t, format_max_bytes(&stock->format));
	if (stock->encoded == NULL || stock->n_encoded == NULL || stock->pages == NULL || room == NULL)
		r = err_set(err, -ENOMEM, "no memory for %zu blocks", document->n_blocks);
	for (size_t i = 0; r == 0 && i < document->n_blocks; i++)
		r = encode_block(stock, i, room, err);
	free(room);
	return r;
}

/* What nobody looks at, the compiler leaves out. */
static volatile uint64_t seen;

static int load_all(struct stock *stock, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < stock->document->n_blocks; i++) {
		seen += XXH3_64bits(stock->encoded[i], stock->n_encoded[i]);
		r = format_decode(&stock->format, stock->encoded[i], stock->n_encoded[i],
		                  stock->pages + i * stock->document->block_bytes, err);
	}
	return r;
}

static bool is_same(const struct stock *stock)
{
	size_t n = stock->document->block_bytes;

	for (size_t i = 0; i < stock->document->n_blocks; i++) {
		if (memcmp(stock->pages + i * n, stock->document->blocks[i], n) != 0)
			return false;
	}
	return true;
}

/* A form that is to lose nothing is looked at once, too. */
static int measure_load(struct stock *stock, double *ret_bytes, double *ret_seconds, struct err *err)
{
	int r = 0;

	*ret_seconds = 1e9;
	for (size_t trial = 0; r == 0 && trial < N_TRIALS; trial++) {
		double start = crew_clock(), seconds;

		r = load_all(stock, err);
		seconds = crew_clock() - start;
		*ret_seconds = seconds < *ret_seconds ? seconds : *ret_seconds;
	}
	*ret_bytes = 0;
	for (size_t i = 0; i < stock->document->n_blocks; i++)
		*ret_bytes += (double)stock->n_encoded[i];
	if (r == 0 && stock->format.kind <= FORMAT_DEFLATED && !is_same(stock))
		r = err_set(err, -EBADMSG, "%s: other rows came back", FORMAT_NAMES[stock->format.kind]);
	return r;
}

static int measure_formats(const struct document *document, const struct model_shape *shape,
                           struct loading *ret, struct err *err)
{
	struct cache_layout layout;
	int r = cache_layout_init(&layout, shape, true);

	if (r < 0)
		return err_set(err, r, "no memory for a layout");
	if (cache_block_bytes(&layout) != document->block_bytes)
		r = err_set(err, -ENOTSUP, "blocks are of another layout");
	for (size_t kind = 0; r == 0 && kind < N_FORMATS; kind++) {
		struct stock stock;

		r = stock_init(&stock, (enum format_kind)kind, document, &layout, shape->num_hidden_layers,
		               err);
		if (r == 0)
			r = measure_load(&stock, &ret->bytes[kind], &ret->seconds[kind], err);
		stock_done(&stock);
	}
	cache_layout_done(&layout);
	return r;
}

int loading_measure(const char *model, unsigned n_threads, struct loading *ret, struct err *err)
{
	const struct engine_settings settings = { .dir = model, .n_threads = n_threads };
	struct document document = { .tokens = NULL };
	struct engine *engine = NULL;
	int r;

	*ret = (struct loading){ .n_tokens = 0 };
	r = read_text(model, &document, err);
	if (r < 0 || document.n_tokens < BLOCK_TOKENS) {
		document_done(&document);
		return r;
	}
	if ((r = engine_open(&settings, &engine, err)) == 0 && (r = make_rows(engine, &document, err)) == 0) {
		ret->n_tokens = (double)(document.n_blocks * BLOCK_TOKENS);
		ret->block_bytes = (double)document.block_bytes;
		r = measure_formats(&document, engine_shape(engine), ret, err);
	}
	document_done(&document);
	engine_close(engine);
	return r;
}
