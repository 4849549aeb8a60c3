#include "bench/evaluation_set.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"

static const char *string_of(const json_t *line, const char *key)
{
	const char *string = json_string_value(json_object_get(line, key));

	return string == NULL ? "" : string;
}

static void add_reference(struct set_item *item, const json_t *value)
{
	if (item->n_references < SET_MAX_REFERENCES && json_is_string(value))
		item->references[item->n_references++] = json_string_value(value);
}

/* The line becomes the set's. */
static int add_line(struct evaluation_set *set, json_t *line)
{
	static const char *const LISTS[] = { "references", "answers" };
	struct set_item item = {
		string_of(line, "doc"), string_of(line, "title"), string_of(line, "question"), { NULL }, 0
	};

	if (json_array_append_new(set->lines, line) < 0)
		return -ENOMEM;
	add_reference(&item, json_object_get(line, "summary"));
	for (size_t list = 0; list < 2; list++) {
		const json_t *values = json_object_get(line, LISTS[list]), *value;
		size_t i;

		json_array_foreach(values, i, value) add_reference(&item, value);
	}
	if (item.text[0] == '\0' || item.n_references == 0)
		return -EBADMSG;
	if (array_grow(&set->items, sizeof(*set->items), set->n, &set->cap) < 0)
		return -ENOMEM;
	set->items[set->n++] = item;
	return 0;
}

static int read_lines(FILE *file, const char *path, struct evaluation_set *set, struct err *err)
{
	char *line = NULL;
	size_t cap = 0;
	int r = 0;

	set->lines = json_array();
	while (r == 0 && getline(&line, &cap, file) > 0) {
		json_t *object = json_loads(line, 0, NULL);

		r = json_is_object(object) && set->lines != NULL ? add_line(set, object) : -EBADMSG;
		if (r < 0)
			err_set(err, r, "'%s': line %zu is no text with a reference", path, set->n + 1);
	}
	free(line);
	return r;
}

/* -errno, or a stream for pclose(). */
static int open_lines(const char *path, FILE **ret)
{
	char command[PATH_MAX + 64];

	if (access(path, R_OK) < 0)
		return -errno;
	if (strchr(path, '\'') != NULL)
		return -EINVAL;
	snprintf(command, sizeof(command), "xz --decompress --stdout --force '%s'", path);
	*ret = popen(command, "re");
	return *ret == NULL ? -errno : 0;
}

int set_read(const char *folder, const char *name, struct evaluation_set *ret, struct err *err)
{
	static const char *const ENDINGS[] = { ".jsonl", ".jsonl.xz" };
	char path[PATH_MAX];
	FILE *file = NULL;
	int r = -ENOENT;

	*ret = (struct evaluation_set){ 0 };
	for (size_t i = 0; r == -ENOENT && i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s%s", folder, name, ENDINGS[i]);
		r = open_lines(path, &file);
	}
	if (r < 0)
		return err_set(err, r, "'%s': %s", path, strerror(-r));
	r = read_lines(file, path, ret, err);
	if (pclose(file) != 0 && r == 0)
		r = err_set(err, -EBADMSG, "'%s': xz could not read it", path);
	if (r < 0)
		set_done(ret);
	return r;
}

void set_done(struct evaluation_set *set)
{
	free(set->items);
	json_decref(set->lines);
	*set = (struct evaluation_set){ 0 };
}
