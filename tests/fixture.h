/* Checkpoints for the engine's tests: where those of the source tree lie, and copies in a folder of their own whose
 * files can be changed. A step that fails ends the test. */
#ifndef SKIMD_TESTS_FIXTURE_H
#define SKIMD_TESTS_FIXTURE_H

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const FIXTURES[] = { "glm-dsa", "glm-dsa-shared", "v32-bf16",       "v32-fp16",
	                                "v32-fp8", "v32-plain",      "v32-shards-fp8", "v32-yarn-groups" };

struct path {
	char text[PATH_MAX];
};

/* The folder of a checkpoint: one of FIXTURES, "tiny" or "nano". */
static inline struct path fixture_path(const char *name)
{
	const char *srcdir = getenv("srcdir"), *nano = getenv("SKIMD_MODEL_DIR");
	bool is_nano = strcmp(name, "nano") == 0;
	struct path relative, ret;

	if (is_nano && nano != NULL)
		snprintf(relative.text, PATH_MAX, "%s", nano);
	else
		snprintf(relative.text, PATH_MAX, "%s/%s%s", srcdir == NULL ? "." : srcdir,
		         is_nano                     ? "model/"
		         : strcmp(name, "tiny") == 0 ? "tests/data/"
		                                     : "tests/data/fixtures/",
		         name);
	if (realpath(relative.text, ret.text) == NULL)
		fail_msg("%s is not there", relative.text);
	return ret;
}

static inline bool tests_are_short(void)
{
	return getenv("SKIMD_TEST_SHORT") != NULL;
}

/* What is too long for one run is taken in parts: the first, counted from 1, and how far it is to the next. */
struct part {
	unsigned first, stride;
};

/* SKIMD_TEST_PART=K/N: the K-th of every N; otherwise all. */
static inline struct part tests_part(void)
{
	const char *part = getenv("SKIMD_TEST_PART");
	struct part ret = { 1, 1 };

	if (part != NULL &&
	    (sscanf(part, "%u/%u", &ret.first, &ret.stride) != 2 || ret.first < 1 || ret.first > ret.stride))
		fail_msg("SKIMD_TEST_PART is '%s', expected K/N such as 1/8", part);
	return ret;
}

static inline struct path path_of(const struct path *folder, const char *name)
{
	struct path ret;

	if (snprintf(ret.text, PATH_MAX, "%s/%s", folder->text, name) >= PATH_MAX)
		fail_msg("%s/%s is too long", folder->text, name);
	return ret;
}

static inline struct path folder_make(void)
{
	struct path ret = { "/tmp/skimd_test.XXXXXX" };

	assert_non_null(mkdtemp(ret.text));
	return ret;
}

static inline void each_file(const struct path *folder,
                             void (*work)(const struct path *, const char *, void *), void *user)
{
	DIR *dir = opendir(folder->text);
	const struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			work(folder, entry->d_name, user);
	}
	closedir(dir);
}

static inline void remove_one(const struct path *folder, const char *name, void *user)
{
	struct path path = path_of(folder, name);

	(void)user;
	unlink(path.text);
}

static inline void folder_remove(const struct path *folder)
{
	each_file(folder, remove_one, NULL);
	assert_int_equal(rmdir(folder->text), 0);
}

static inline void link_one(const struct path *folder, const char *name, void *user)
{
	struct path from = path_of(folder, name), to = path_of(user, name);

	assert_int_equal(symlink(from.text, to.text), 0);
}

/* A new folder with the checkpoint's files, as links: folder_write() puts another file in a link's place. */
static inline struct path fixture_copy(const char *name)
{
	struct path from = fixture_path(name), ret = folder_make();

	each_file(&from, link_one, &ret);
	return ret;
}

static inline void folder_write(const struct path *folder, const char *name, const void *bytes, size_t n)
{
	struct path path = path_of(folder, name);
	FILE *file;

	unlink(path.text);
	file = fopen(path.text, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

static inline struct buf folder_read(const struct path *folder, const char *name)
{
	struct path path = path_of(folder, name);
	struct buf ret = { 0 };
	struct err err;

	if (file_read(path.text, SIZE_MAX / 4, &ret, &err) < 0)
		fail_msg("%s", err.text);
	return ret;
}

static inline json_t *folder_read_json(const struct path *folder, const char *name)
{
	struct buf bytes = folder_read(folder, name);
	json_t *ret = json_loadb(bytes.data, bytes.n, 0, NULL);

	buf_done(&bytes);
	assert_non_null(ret);
	return ret;
}

/* Takes the json over. */
static inline void folder_write_json(const struct path *folder, const char *name, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	assert_non_null(text);
	folder_write(folder, name, text, strlen(text));
	free(text);
	json_decref(json);
}

/* Set a key of config.json to what the text says; NULL takes the key out. */
static inline void change_config(const struct path *folder, const char *key, const char *text)
{
	json_t *config = folder_read_json(folder, "config.json");

	if (text == NULL)
		json_object_del(config, key);
	else
		assert_int_equal(json_object_set_new(config, key, json_loads(text, JSON_DECODE_ANY, NULL)),
		                 0);
	folder_write_json(folder, "config.json", config);
}

/* A generator whose numbers a seed decides for ever (SplitMix64). */
static inline uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Evenly in [-1, 1). */
static inline float draw_float(uint64_t *state)
{
	return (float)((double)(draw(state) >> 40) / (1 << 23) - 1);
}

#endif
