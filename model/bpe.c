#include "model/bpe.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define MAX_MERGES ((size_t)1 << 23)
#define NO_RANK UINT32_MAX
#define NO_SYMBOL UINT32_MAX

struct merge {
	uint32_t left, right;
	uint32_t rank; /* NO_RANK: a free slot */
};

struct bpe {
	const struct vocab *vocab;
	struct merge *merges; /* open addressing */
	size_t merge_mask;
	uint32_t *results; /* by rank */
	uint32_t byte_ids[256]; /* VOCAB_NONE: no token stands for the byte */
};

/* A token of the piece that is being merged. The right one of a merged pair stays behind, with no rank. */
struct bpe_symbol {
	uint32_t id, previous, next; /* previous and next by index */
	uint32_t rank; /* of its merge with the next one */
};

static struct merge *find_merge(const struct bpe *bpe, uint32_t left, uint32_t right)
{
	uint64_t hash = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15;
	size_t slot = (size_t)(hash >> 32) & bpe->merge_mask;

	while (bpe->merges[slot].rank != NO_RANK &&
	       (bpe->merges[slot].left != left || bpe->merges[slot].right != right))
		slot = (slot + 1) & bpe->merge_mask;
	return &bpe->merges[slot];
}

/* The two parts of a merge as tokenizer.json writes them, borrowed. */
struct parts {
	const char *left, *right;
	size_t n_left, n_right;
};

static bool split_merge(const json_t *merge, struct parts *ret)
{
	const json_t *left = json_array_get(merge, 0), *right = json_array_get(merge, 1);
	const char *string = json_string_value(merge), *blank;

	if (json_is_string(left) && json_is_string(right) && json_array_size(merge) == 2) {
		*ret = (struct parts){ json_string_value(left), json_string_value(right),
			               json_string_length(left), json_string_length(right) };
		return true;
	}
	blank = string == NULL ? NULL : strchr(string, ' ');
	if (blank == NULL)
		return false;
	*ret = (struct parts){ string, blank + 1, (size_t)(blank - string), strlen(blank + 1) };
	return true;
}

static int add_merge(struct bpe *bpe, const char *path, uint32_t rank, const struct parts *parts,
                     struct buf *bytes, struct err *err)
{
	struct merge merge = { VOCAB_NONE, VOCAB_NONE, rank }, *slot;
	uint32_t result = VOCAB_NONE;
	size_t n_left;

	bytes->n = 0;
	if (vocab_read_alphabet(parts->left, parts->n_left, bytes) == 0 && bytes->n > 0) {
		n_left = bytes->n;
		merge.left = vocab_find(bpe->vocab, bytes->data, n_left);
		if (vocab_read_alphabet(parts->right, parts->n_right, bytes) == 0) {
			merge.right = vocab_find(bpe->vocab, bytes->data + n_left, bytes->n - n_left);
			result = vocab_find(bpe->vocab, bytes->data, bytes->n);
		}
	}
	if (buf_status(bytes) < 0)
		return err_set(err, -ENOMEM, "%s: no memory for the merges", path);
	if (merge.left == VOCAB_NONE || merge.right == VOCAB_NONE || result == VOCAB_NONE)
		return err_set(err, -EBADMSG,
		               "%s: model: merge %u, '%.*s' and '%.*s': %s not in the vocabulary", path, rank,
		               (int)(parts->n_left > 60 ? 60 : parts->n_left), parts->left,
		               (int)(parts->n_right > 60 ? 60 : parts->n_right), parts->right,
		               merge.left == VOCAB_NONE    ? "the first part is"
		               : merge.right == VOCAB_NONE ? "the second part is"
		                                           : "the result is");
	slot = find_merge(bpe, merge.left, merge.right);
	if (slot->rank != NO_RANK)
		return err_set(err, -EBADMSG, "%s: model: merges %u and %u are the same", path, slot->rank,
		               rank);
	*slot = merge;
	bpe->results[rank] = result;
	return 0;
}

static int read_merges(struct bpe *bpe, const char *path, const json_t *merges, struct err *err)
{
	struct buf bytes = { 0 };
	struct parts parts;
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(merges); i++) {
		if (!split_merge(json_array_get(merges, i), &parts))
			r = err_set(err, -EBADMSG, "%s: model: merge %zu is not a pair of strings", path, i);
		else
			r = add_merge(bpe, path, (uint32_t)i, &parts, &bytes, err);
	}
	buf_done(&bytes);
	return r;
}

int bpe_new(const char *path, const json_t *merges, const struct vocab *vocab, struct bpe **ret,
            struct err *err)
{
	size_t n_merges = json_array_size(merges), n_slots = 16;
	struct bpe *bpe;
	int r = -ENOMEM;

	if (!json_is_array(merges) || n_merges > MAX_MERGES)
		return err_set(err, -EBADMSG, "%s: model: merges are not a list of at most %zu", path,
		               MAX_MERGES);
	bpe = calloc(1, sizeof(*bpe));
	if (bpe == NULL)
		goto fail;
	while (n_slots / 2 < n_merges)
		n_slots *= 2;
	bpe->vocab = vocab;
	bpe->merge_mask = n_slots - 1;
	bpe->merges = array_new(struct merge, n_slots);
	bpe->results = array_new(uint32_t, n_merges);
	if (bpe->merges == NULL || bpe->results == NULL)
		goto fail;
	for (size_t i = 0; i < n_slots; i++)
		bpe->merges[i].rank = NO_RANK;
	for (unsigned byte = 0; byte < 256; byte++)
		bpe->byte_ids[byte] = vocab_find(vocab, &(char){ (char)byte }, 1);
	r = read_merges(bpe, path, merges, err);
	if (r < 0)
		goto fail;
	*ret = bpe;
	return 0;
fail:
	bpe_free(bpe);
	return r == -ENOMEM ? err_set(err, r, "%s: no memory for the merges", path) : r;
}

void bpe_free(struct bpe *bpe)
{
	if (bpe == NULL)
		return;
	free(bpe->merges);
	free(bpe->results);
	free(bpe);
}

static int reserve(struct bpe_work *work, size_t n, struct err *err)
{
	if (n >= UINT32_MAX / 2)
		return err_set(err, -EFBIG, "a piece of %zu bytes without a cut cannot be encoded", n);
	if (n <= work->cap_symbols)
		return 0;
	free(work->symbols);
	free(work->heap);
	work->cap_symbols = n < 64 ? 64 : n;
	work->symbols = array_new(struct bpe_symbol, work->cap_symbols);
	work->heap = array_new(uint64_t, work->cap_symbols,
	                       2); /* each merge takes one pair and makes at most two */
	if (work->symbols != NULL && work->heap != NULL)
		return 0;
	work->cap_symbols = 0;
	return err_set(err, -ENOMEM, "no memory to encode a piece of %zu bytes", n);
}

/* The heap's entries are rank << 32 | index, so that the smallest is the merge to do next. */
static void heap_push(struct bpe_work *work, uint32_t rank, uint32_t index)
{
	uint64_t entry = (uint64_t)rank << 32 | index;
	size_t at = work->n_heap++;

	while (at > 0 && work->heap[(at - 1) / 2] > entry) {
		work->heap[at] = work->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	work->heap[at] = entry;
}

static uint64_t heap_pop(struct bpe_work *work)
{
	uint64_t *heap = work->heap, first = heap[0], last = heap[--work->n_heap];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < work->n_heap) {
		if (child + 1 < work->n_heap && heap[child + 1] < heap[child])
			child++;
		if (heap[child] >= last)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
	return first;
}

/* Find the merge of a symbol with the next one and put it on the heap. An older entry of the same symbol is
 * known by its other rank. */
static void rank_pair(const struct bpe *bpe, struct bpe_work *work, uint32_t index)
{
	struct bpe_symbol *symbol = &work->symbols[index];

	symbol->rank = NO_RANK;
	if (symbol->next != NO_SYMBOL)
		symbol->rank = find_merge(bpe, symbol->id, work->symbols[symbol->next].id)->rank;
	if (symbol->rank != NO_RANK)
		heap_push(work, symbol->rank, index);
}

static void merge_pairs(const struct bpe *bpe, struct bpe_work *work)
{
	while (work->n_heap > 0) {
		uint64_t entry = heap_pop(work);
		uint32_t index = (uint32_t)entry, rank = (uint32_t)(entry >> 32);
		struct bpe_symbol *symbol = &work->symbols[index], *right;

		if (symbol->rank != rank)
			continue;
		right = &work->symbols[symbol->next];
		right->rank = NO_RANK;
		symbol->id = bpe->results[rank];
		symbol->next = right->next;
		if (symbol->next != NO_SYMBOL)
			work->symbols[symbol->next].previous = index;
		rank_pair(bpe, work, index);
		if (symbol->previous != NO_SYMBOL)
			rank_pair(bpe, work, symbol->previous);
	}
}

int bpe_append(struct bpe_work *work, uint32_t id, struct err *err)
{
	if (array_grow(&work->ids, sizeof(*work->ids), work->n_ids, &work->cap_ids) < 0)
		return err_set(err, -ENOMEM, "no memory for %zu tokens", work->n_ids);
	work->ids[work->n_ids++] = id;
	return 0;
}

int bpe_encode(const struct bpe *bpe, const char *piece, size_t n, struct bpe_work *work, struct err *err)
{
	int r = reserve(work, n, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		uint32_t id = bpe->byte_ids[(unsigned char)piece[i]];

		if (id == VOCAB_NONE)
			r = err_set(err, -ENOENT, "no token stands for byte 0x%02x", (unsigned char)piece[i]);
		work->symbols[i] = (struct bpe_symbol){ id, i == 0 ? NO_SYMBOL : (uint32_t)i - 1,
			                                i + 1 == n ? NO_SYMBOL : (uint32_t)i + 1, NO_RANK };
	}
	if (r < 0 || n == 0)
		return r;
	work->n_heap = 0;
	for (size_t i = 0; i < n; i++)
		rank_pair(bpe, work, (uint32_t)i);
	merge_pairs(bpe, work);
	for (uint32_t i = 0; r == 0 && i != NO_SYMBOL; i = work->symbols[i].next)
		r = bpe_append(work, work->symbols[i].id, err);
	return r;
}

void bpe_work_done(struct bpe_work *work)
{
	free(work->ids);
	free(work->symbols);
	free(work->heap);
	*work = (struct bpe_work){ 0 };
}
