#include "pipeline/formats/idmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

struct idmap_entry {
	char *id, *text;
	size_t n_id, order;
};

static int compare_ids(const char *a, size_t n_a, const char *b, size_t n_b)
{
	int order = memcmp(a, b, n_a < n_b ? n_a : n_b);

	return order != 0 ? order : (n_a > n_b) - (n_a < n_b);
}

static int compare(const void *left, const void *right)
{
	const struct idmap_entry *a = left, *b = right;
	int order = compare_ids(a->id, a->n_id, b->id, b->n_id);

	return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static char *copy(const char *text, size_t n)
{
	char *bytes = malloc(n + 1);

	if (bytes != NULL) {
		memcpy(bytes, text, n);
		bytes[n] = '\0';
	}
	return bytes;
}

int idmap_add(struct idmap *map, const char *id, size_t n_id, const char *text, size_t n_text)
{
	struct idmap_entry entry = { .n_id = n_id, .order = map->n };

	if (id == NULL || text == NULL)
		return 0;
	entry.id = copy(id, n_id);
	entry.text = copy(text, n_text);
	if (entry.id == NULL || entry.text == NULL ||
	    array_grow(&map->entries, sizeof(entry), map->n, &map->cap) < 0) {
		free(entry.id);
		free(entry.text);
		return -ENOMEM;
	}
	map->entries[map->n++] = entry;
	map->sorted = false;
	return 0;
}

/* The first entry that is not below the id. */
static size_t lower_bound(const struct idmap *map, const char *id, size_t n_id)
{
	size_t low = 0, high = map->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct idmap_entry *entry = &map->entries[middle];

		if (compare_ids(entry->id, entry->n_id, id, n_id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct idmap_entry *find(struct idmap *map, const char *id, size_t n_id)
{
	struct idmap_entry *entry;
	size_t at;

	if (map->n == 0 || id == NULL)
		return NULL;
	if (!map->sorted)
		qsort(map->entries, map->n, sizeof(*map->entries), compare);
	map->sorted = true;
	at = lower_bound(map, id, n_id);
	entry = &map->entries[at];
	return at < map->n && compare_ids(entry->id, entry->n_id, id, n_id) == 0 ? entry : NULL;
}

const char *idmap_find(struct idmap *map, const char *id, size_t n_id)
{
	const struct idmap_entry *entry = find(map, id, n_id);

	return entry == NULL ? NULL : entry->text;
}

char *idmap_take(struct idmap *map, const char *id, size_t n_id)
{
	struct idmap_entry *entry = find(map, id, n_id);
	char *text = entry == NULL ? NULL : entry->text;

	if (entry != NULL)
		entry->text = NULL;
	return text;
}

void idmap_done(struct idmap *map)
{
	for (size_t i = 0; i < map->n; i++) {
		free(map->entries[i].id);
		free(map->entries[i].text);
	}
	free(map->entries);
	*map = (struct idmap){ 0 };
}
