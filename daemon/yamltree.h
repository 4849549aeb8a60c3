/* A small YAML file as a tree that remembers lines and keys, so that what is wrong with a value can be said with
 * its place. Less than YAML on purpose: one document, no anchors, aliases or tags, each key once, and limits on
 * size and depth. */
#ifndef SKIMD_DAEMON_YAMLTREE_H
#define SKIMD_DAEMON_YAMLTREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAPPING };

struct node {
	enum node_kind kind;
	size_t line; /* from 1 */
	const struct node *parent;
	char *key; /* in a mapping; else NULL */
	size_t index; /* in its parent */
	char *text; /* of a scalar, without NUL bytes; else NULL */
	bool plain; /* a scalar without quotes */
	struct node **children;
	size_t n_children, cap_children;
};

/* *ret is the caller's, for node_free(); NULL for a file without a document. Errors of open and read; -EFBIG;
 * -EBADMSG: not the YAML described above, with "FILE:LINE: " in front of the words. */
int yamltree_read(const char *path, struct node **ret, struct err *err);
void node_free(struct node *node); /* with all below it; NULL is allowed */

/* A mapping's value, NULL if the key is not there. */
const struct node *node_get(const struct node *mapping, const char *key);

/* err_set() with "FILE:LINE: key 'watch[0].settle': " in front. */
int node_error(const char *path, const struct node *node, struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

#endif
