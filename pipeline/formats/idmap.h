/* The ids of a file, each with the text that it stands for: of relations, chapters, notes. */
#ifndef SKIMD_PIPELINE_FORMATS_IDMAP_H
#define SKIMD_PIPELINE_FORMATS_IDMAP_H

#include <stddef.h>

/* A balanced tree, libc's: hostile files add and ask by turns, a hundred thousand times. */
struct idmap { /* all zero is an empty one */
	void *root;
};

/* Both are copied. 0 or -ENOMEM. */
int idmap_add(struct idmap *map, const char *id, size_t n_id, const char *text, size_t n_text);

/* What the id stands for, borrowed; the first that was added counts. NULL: unknown. */
const char *idmap_find(const struct idmap *map, const char *id, size_t n_id);

/* The same for the first one that asks, who gets it for free(). */
char *idmap_take(struct idmap *map, const char *id, size_t n_id);
void idmap_done(struct idmap *map);

#endif
