/* What stands under a key of the configuration, checked and put into a struct. */
#ifndef SKIMD_DAEMON_VALUES_H
#define SKIMD_DAEMON_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/yamltree.h"

struct source {
	const char *path; /* as given, for the words */
	const char *folder; /* absolute: where relative paths start */
	struct err *err;
	/* What is told of a folder that is not there, which is no error then. NULL: it is one. */
	void (*missing)(const struct err *why);
};

struct key;
typedef int (*value_reader)(const struct source *source, const struct key *key, const struct node *node,
                            void *ret);

/* A key and how its value gets into a struct. A table of them ends with a NULL name. */
struct key {
	const char *name;
	value_reader read; /* NULL: section */
	size_t offset; /* of what read fills in */
	uint64_t min, max; /* for numbers */
	const struct key *section; /* keys below this one, their offsets in the same struct */
};

/* Each child of a mapping by its key. All of these return 0, -EINVAL with words that name file, line and key,
 * or -ENOMEM. */
int read_keys(const struct source *source, const struct node *mapping, const struct key *keys, void *section);

int read_bool(const struct source *source, const struct key *key, const struct node *node, void *ret);
int read_duration(const struct source *source, const struct key *key, const struct node *node,
                  void *ret); /* uint64_t, ns */
int read_keep(const struct source *source, const struct key *key, const struct node *node,
              void *ret); /* uint64_t, ns; 0: forever */
int read_size(const struct source *source, const struct key *key, const struct node *node,
              void *ret); /* uint64_t, bytes */
int read_count(const struct source *source, const struct key *key, const struct node *node,
               void *ret); /* unsigned */
int read_nice(const struct source *source, const struct key *key, const struct node *node,
              void *ret); /* int */
int read_memory(const struct source *source, const struct key *key, const struct node *node, void *ret);
int read_threads(const struct source *source, const struct key *key, const struct node *node,
                 void *ret); /* unsigned */
int read_share(const struct source *source, const struct key *key, const struct node *node,
               void *ret); /* double, 0 to 1 */
int read_level(const struct source *source, const struct key *key, const struct node *node,
               void *ret); /* enum log_level */

int read_length(const struct source *source, const struct key *key, const struct node *node,
                void *ret); /* enum summary_length */

/* char *, replaced and then the caller's for free(): an absolute path. */
int read_path(const struct source *source, const struct key *key, const struct node *node, void *ret);

/* Refuses a key that the architecture has and this version not. */
int not_built(const struct source *source, const struct key *key, const struct node *node, void *ret);

/* A scalar that is neither empty nor YAML's null. */
bool is_word(const struct node *node);

/* -EINVAL with the words; -ENOMEM with words of its own. */
int bad_value(const struct source *source, const struct node *node, const char *words);
int no_memory(const struct source *source);

#endif
