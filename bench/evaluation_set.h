/* A set to be measured on: JSON lines, plain or by xz. */
#ifndef SKIMD_BENCH_EVALUATION_SET_H
#define SKIMD_BENCH_EVALUATION_SET_H

#include <stddef.h>

#include "base/err.h"

#define SET_MAX_REFERENCES 8

/* One line. Strings belong to the set. */
struct set_item {
	const char *text, *title, *question; /* "" where the set has none */
	const char *references[SET_MAX_REFERENCES]; /* summaries, or answers */
	size_t n_references;
};

struct evaluation_set {
	struct set_item *items;
	size_t n, cap;
	void *lines; /* what the strings are in */
};

/* Read folder/NAME.jsonl or folder/NAME.jsonl.xz. -ENOENT; -EBADMSG: a line is no such object. */
int set_read(const char *folder, const char *name, struct evaluation_set *ret, struct err *err);
void set_done(struct evaluation_set *set); /* all zero is allowed */

#endif
