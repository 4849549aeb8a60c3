#include "daemon/values.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/units.h"
#include "pipeline/summary.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit DURATIONS[] = {
	{ "ms", NS_PER_MS }, { "s", NS_PER_S },   { "m", NS_PER_MIN },
	{ "h", NS_PER_H },   { "d", NS_PER_DAY }, { NULL, 0 },
};
static const struct unit SIZES[] = {
	{ "", 1 }, { "K", BYTES_PER_K }, { "M", BYTES_PER_M }, { "G", BYTES_PER_G }, { NULL, 0 },
};

int bad_value(const struct source *source, const struct node *node, const char *words)
{
	return node_error(source->path, node, source->err, -EINVAL, "%s", words);
}

int no_memory(const struct source *source)
{
	return err_set(source->err, -ENOMEM, "%s: no memory to read it", source->path);
}

int not_built(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	(void)key;
	(void)ret;
	return bad_value(source, node, "is not built yet");
}

int read_keys(const struct source *source, const struct node *mapping, const struct key *keys, void *section)
{
	int r = 0;

	if (mapping->kind != NODE_MAPPING)
		return bad_value(source, mapping, "keys with values are expected here");
	for (size_t i = 0; i < mapping->n_children && r == 0; i++) {
		const struct node *node = mapping->children[i];
		const struct key *key = keys;

		while (key->name != NULL && strcmp(key->name, node->key) != 0)
			key++;
		if (key->name == NULL)
			r = bad_value(source, node, "is not a key of skimd");
		else if (key->read == NULL)
			r = read_keys(source, node, key->section, section);
		else
			r = key->read(source, key, node, (char *)section + key->offset);
	}
	return r;
}

int read_bool(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	bool *value = ret;

	(void)key;
	if (node->kind != NODE_SCALAR || !node->plain ||
	    (strcmp(node->text, "true") != 0 && strcmp(node->text, "false") != 0))
		return bad_value(source, node, "must be true or false");
	*value = node->text[0] == 't';
	return 0;
}

/* The digits that text starts with; *ret_rest is what follows them. */
static int parse_digits(const char *text, uint64_t *ret, const char **ret_rest)
{
	uint64_t value = 0;
	size_t n = strspn(text, "0123456789");

	for (size_t i = 0; i < n; i++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return -ERANGE;
	}
	*ret = value;
	*ret_rest = text + n;
	return n > 0 ? 0 : -EINVAL;
}

static int parse_amount(const char *text, const struct unit *units, uint64_t *ret)
{
	const char *name;
	uint64_t value;
	int r = parse_digits(text, &value, &name);

	if (r < 0)
		return r;
	while (units->name != NULL && strcmp(units->name, name) != 0)
		units++;
	if (units->name == NULL)
		return -EINVAL;
	return __builtin_mul_overflow(value, units->factor, ret) ? -ERANGE : 0;
}

/* The words about a bad amount name the limits in the unit that says them shortest. */
static void print_amount(char *text, size_t n, const struct unit *units, uint64_t value)
{
	const struct unit *best = units;

	for (; units->name != NULL; units++) {
		if (value % units->factor == 0)
			best = units;
	}
	snprintf(text, n, "%llu%s", (unsigned long long)(value / best->factor), value == 0 ? "" : best->name);
}

static int read_amount(const struct source *source, const struct key *key, const struct node *node,
                       const struct unit *units, const char *expected, uint64_t *ret)
{
	char min[32], max[32];
	uint64_t value = 0;
	int r = node->kind == NODE_SCALAR ? parse_amount(node->text, units, &value) : -EINVAL;

	if (r == -EINVAL)
		return bad_value(source, node, expected);
	if (r < 0 || value < key->min || value > key->max) {
		print_amount(min, sizeof(min), units, key->min);
		print_amount(max, sizeof(max), units, key->max);
		return node_error(source->path, node, source->err, -EINVAL, "'%s' is not between %s and %s",
		                  node->text, min, max);
	}
	*ret = value;
	return 0;
}

int read_duration(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	return read_amount(source, key, node, DURATIONS,
	                   "must be a whole number with ms, s, m, h or d, such as 5s", ret);
}

int read_size(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	return read_amount(source, key, node, SIZES,
	                   "must be a number of bytes, or one with K, M or G, such as 512M", ret);
}

int read_memory(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	if (node->kind == NODE_SCALAR && strcmp(node->text, "auto") == 0) {
		*(uint64_t *)ret = 0;
		return 0;
	}
	return read_amount(source, key, node, SIZES,
	                   "must be auto or a number of bytes, or one with K, M or G, such as 512M", ret);
}

int read_keep(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	if (node->kind == NODE_SCALAR && strcmp(node->text, "forever") == 0) {
		*(uint64_t *)ret = 0;
		return 0;
	}
	return read_amount(source, key, node, DURATIONS,
	                   "must be forever, or a whole number with ms, s, m, h or d, such as 30d", ret);
}

static int read_integer(const struct key *key, const struct node *node, uint64_t *ret)
{
	const char *rest;

	if (node->kind != NODE_SCALAR || !node->plain || parse_digits(node->text, ret, &rest) < 0 ||
	    *rest != '\0' || *ret < key->min || *ret > key->max)
		return -EINVAL;
	return 0;
}

int read_nice(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	uint64_t value;

	if (read_integer(key, node, &value) < 0)
		return bad_value(source, node, "must be a number from 0 to 19");
	*(int *)ret = (int)value;
	return 0;
}

int read_count(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	char words[64];
	uint64_t value;

	snprintf(words, sizeof(words), "must be a number from %llu to %llu", (unsigned long long)key->min,
	         (unsigned long long)key->max);
	if (read_integer(key, node, &value) < 0)
		return bad_value(source, node, words);
	*(unsigned *)ret = (unsigned)value;
	return 0;
}

int read_threads(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	uint64_t value = 0;

	if ((node->kind != NODE_SCALAR || strcmp(node->text, "auto") != 0) &&
	    read_integer(key, node, &value) < 0)
		return bad_value(source, node, "must be auto or a number from 1 to 256");
	*(unsigned *)ret = (unsigned)value;
	return 0;
}

int read_share(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	const char *text = node->kind == NODE_SCALAR && node->plain ? node->text : "";
	char *end;
	double value = strtod(text, &end);

	(void)key;
	if (end == text || *end != '\0' || strspn(text, "0123456789.") != strlen(text) || !(value <= 1))
		return bad_value(source, node, "must be a number from 0 to 1, such as 0.05");
	*(double *)ret = value;
	return 0;
}

int read_level(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	(void)key;
	if (node->kind != NODE_SCALAR || log_level_parse(node->text, ret) < 0)
		return bad_value(source, node, "must be error, warning, info or debug");
	return 0;
}

int read_length(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	static const char *const NAMES[] = {
		[SUMMARY_AUTO] = "auto", [SUMMARY_SHORT] = "short", [SUMMARY_LONG] = "long"
	};
	enum summary_length *length = ret;

	(void)key;
	for (size_t i = 0; node->kind == NODE_SCALAR && i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		if (strcmp(node->text, NAMES[i]) == 0) {
			*length = (enum summary_length)i;
			return 0;
		}
	}
	return bad_value(source, node, "must be auto, short or long");
}

bool is_word(const struct node *node)
{
	static const char *const NULLS[] = { "", "~", "null", "Null", "NULL" };

	if (node->kind != NODE_SCALAR || node->text[0] == '\0')
		return false;
	for (size_t i = 0; node->plain && i < sizeof(NULLS) / sizeof(NULLS[0]); i++) {
		if (strcmp(node->text, NULLS[i]) == 0)
			return false;
	}
	return true;
}

int read_path(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	char **path = ret, *absolute;

	(void)key;
	if (!is_word(node))
		return bad_value(source, node, "must be a path");
	if (node->text[0] == '~')
		return bad_value(
			source, node,
			"'~' is not expanded here: write the whole path, or './~' for a name with it");
	if (node->text[0] == '/')
		absolute = strdup(node->text);
	else if (asprintf(&absolute, "%s/%s", source->folder, node->text) < 0)
		absolute = NULL;
	if (absolute == NULL)
		return no_memory(source);
	if (strlen(absolute) >= PATH_MAX) {
		free(absolute);
		return bad_value(source, node, "is too long for a path");
	}
	free(*path);
	*path = absolute;
	return 0;
}
