#include "pipeline/chunk_key.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "pipeline/prompt.h"
#include "pipeline/summary.h"

static void hash_part(struct sha256_ctx *hash, const void *bytes, size_t n)
{
	uint64_t length = n;

	sha256_update(hash, sizeof(length), (const uint8_t *)&length);
	sha256_update(hash, n, bytes);
}

/* Which lines count as headings is decided by lines around the chunk, too. */
static void hash_headings(struct sha256_ctx *hash, const struct view *view, const struct chunk *chunk)
{
	for (size_t i = 0; i < view->n_headings; i++) {
		const struct heading *heading = &view->headings[i];
		if (heading->start >= chunk->start && heading->start < chunk->end) {
			const uint64_t place[] = { heading->start - chunk->start,
				                   heading->title - chunk->start,
				                   heading->end - chunk->start };

			hash_part(hash, place, sizeof(place));
		}
	}
}

/* And so are the parts of the file; pages are not: they are set anew. */
static void hash_sections(struct sha256_ctx *hash, const struct marks *marks,
                          const struct document_chunk *chunk)
{
	for (size_t i = 0; i < marks->n_places; i++) {
		const struct mark_place *place = &marks->places[i];
		uint64_t at = place->start - (uint64_t)chunk->byte_start;

		if ((int64_t)place->start <= chunk->byte_start || (int64_t)place->start >= chunk->byte_end ||
		    place->section == NULL || place->section_start != place->start)
			continue;
		hash_part(hash, &at, sizeof(at));
		hash_part(hash, place->section, strlen(place->section));
	}
}

static void hash_words(struct sha256_ctx *hash, const char *words)
{
	hash_part(hash, words, strlen(words));
}

/* What the model is asked. */
static void hash_tasks(struct sha256_ctx *hash)
{
	for (int task = 0; task < N_TASKS; task++)
		hash_words(hash, prompt_words((enum task_kind)task));
}

/* All that a chunk's results depend on: model, tasks, its stored text, how the model sees it, the section it starts in,
 * whether it begins the document, which it then gives its name, and whether the model may use its own words. Where else
 * it stands is not part of it. */
int chunk_key_set(const struct chunk_source *source, const struct chunk *chunk, struct document_chunk *result)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx hash;

	result->key = malloc(2 * sizeof(digest) + 1);
	if (result->key == NULL)
		return -ENOMEM;
	sha256_init(&hash);
	hash_words(&hash, SUMMARY_VERSION);
	hash_words(&hash, source->fingerprint);
	hash_tasks(&hash);
	hash_part(&hash, source->text + result->byte_start, (size_t)(result->byte_end - result->byte_start));
	hash_part(&hash, source->view->text + chunk->start, chunk->end - chunk->start);
	hash_headings(&hash, source->view, chunk);
	hash_sections(&hash, source->marks, result);
	hash_words(&hash, chunk->start == 0 ? "first" : "later");
	hash_words(&hash, source->prose ? "prose" : "parts");
	hash_words(&hash, result->section == NULL ? "" : result->section);
	sha256_digest(&hash, sizeof(digest), digest);
	hex_encode(digest, sizeof(digest), result->key);
	return 0;
}
