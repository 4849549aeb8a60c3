#include "store/look.h"

#include <stdlib.h>

#include "base/array.h"

static const char *const KIND_NAMES[] = {
	[LOOK_TITLE] = "title",
	[LOOK_ABSTRACT] = "abstract",
	[LOOK_ANSWER] = "answer",
};

const char *look_kind_name(enum look_kind kind)
{
	return KIND_NAMES[kind];
}

struct look *looks_add(struct looks *looks, enum look_kind kind, size_t n_parts)
{
	struct look_part *parts = array_new(struct look_part, n_parts);

	if (parts == NULL || array_grow(&looks->items, sizeof(*looks->items), looks->n, &looks->cap) < 0) {
		free(parts);
		return NULL;
	}
	looks->items[looks->n] = (struct look){ .kind = kind, .parts = parts, .n_parts = n_parts };
	return &looks->items[looks->n++];
}

void looks_done(struct looks *looks)
{
	for (size_t i = 0; i < looks->n; i++)
		free(looks->items[i].parts);
	free(looks->items);
	*looks = (struct looks){ 0 };
}

int64_t look_end(const struct look *look)
{
	int64_t end = look->byte_start;

	for (size_t i = 0; i < look->n_parts; i++)
		end += look->parts[i].length;
	return end;
}

struct dense_check *dense_checks_add(struct dense_checks *checks)
{
	if (array_grow(&checks->items, sizeof(*checks->items), checks->n, &checks->cap) < 0)
		return NULL;
	checks->items[checks->n] = (struct dense_check){ 0 };
	return &checks->items[checks->n++];
}

void dense_checks_done(struct dense_checks *checks)
{
	for (size_t i = 0; i < checks->n; i++) {
		free(checks->items[i].checked_at);
		free(checks->items[i].layer_recall);
		free(checks->items[i].missed);
	}
	free(checks->items);
	*checks = (struct dense_checks){ 0 };
}
