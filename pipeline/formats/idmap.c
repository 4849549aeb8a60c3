#include "pipeline/formats/idmap.h"

#include <errno.h>
#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

struct idmap_entry {
	char *id, *text;
	size_t n_id;
};

static int compare(const void *left, const void *right)
{
	const struct idmap_entry *a = left, *b = right;
	int order = memcmp(a->id, b->id, a->n_id < b->n_id ? a->n_id : b->n_id);

	return order != 0 ? order : (a->n_id > b->n_id) - (a->n_id < b->n_id);
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

static void free_entry(void *user)
{
	struct idmap_entry *entry = user;

	if (entry != NULL) {
		free(entry->id);
		free(entry->text);
	}
	free(entry);
}

int idmap_add(struct idmap *map, const char *id, size_t n_id, const char *text, size_t n_text)
{
	struct idmap_entry *entry, **found;

	if (id == NULL || text == NULL)
		return 0;
	entry = array_new(struct idmap_entry, 1);
	if (entry != NULL)
		*entry = (struct idmap_entry){ copy(id, n_id), copy(text, n_text), n_id };
	if (entry == NULL || entry->id == NULL || entry->text == NULL ||
	    (found = tsearch(entry, &map->root, compare)) == NULL) {
		free_entry(entry);
		return -ENOMEM;
	}
	if (*found != entry)
		free_entry(entry);
	return 0;
}

static struct idmap_entry *find(const struct idmap *map, const char *id, size_t n_id)
{
	const struct idmap_entry key = { (char *)(uintptr_t)id, NULL, n_id };
	struct idmap_entry **found = id == NULL ? NULL : tfind(&key, &map->root, compare);

	return found == NULL ? NULL : *found;
}

const char *idmap_find(const struct idmap *map, const char *id, size_t n_id)
{
	struct idmap_entry *entry = find(map, id, n_id);

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
	tdestroy(map->root, free_entry);
	map->root = NULL;
}
