/* skimd.yaml as one struct. Every key has a default but watch and its path and outbox; whatever is unknown, of
 * the wrong type or out of range is an error that names file, line and key, and so is a key of a part that is
 * not built yet. */
#ifndef SKIMD_DAEMON_CONFIG_H
#define SKIMD_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

/* Where the service's socket is, and who may use it. As defaults they may be done without: there is no such folder, or no
 * such group, where the daemon runs by hand. */
#define CONFIG_CONTROL_SOCKET "/run/skimd/control"
#define CONFIG_CONTROL_GROUP "skimd"

/* model.path of the model that is installed with the program; every other value is absolute. */
#define CONFIG_MODEL_NANO "nano"

struct config_watch {
	char *path; /* a folder that is there: absolute, without symbolic links */
	char *outbox; /* absolute, without symbolic links; may not be there yet */
	bool recursive;
	uint64_t settle_ns; /* unchanged for so long: complete */
	uint64_t rescan_ns; /* between full scans; never 0 */
	char **ignore; /* patterns of names, besides those of ignore.h */
	size_t n_ignore;
	bool markdown, json, html; /* outputs; all may be false */
	char **questions; /* asked of every document, each fit for docstore_ask_all() */
	size_t n_questions;
};

/* Named like the keys. Paths are absolute; a relative one in the file is taken from the file's folder. */
struct config {
	struct config_watch *watch;
	size_t n_watch;
	struct {
		char *path; /* CONFIG_MODEL_NANO or a folder that is there; what is in it is not checked here */
		unsigned threads; /* 1 to 256; 0: as many as the CPU affinity has */
		int nice; /* 0 to 19 */
	} model;
	struct {
		char *path;
		char *inbox; /* "ask/inbox.db" beside path unless it is named */
	} store;
	struct {
		char *path;
		uint64_t budget_bytes; /* 0 keeps nothing */
		uint64_t memory_bytes; /* 0: a quarter of the machine's */
	} kv;
	struct {
		uint64_t max_bytes; /* of an input file */
	} extract;
	struct {
		char *socket;
		char *group;
	} control;
	struct {
		bool reading;
		double dense_share; /* 0 to 1 */
	} audit;
	struct {
		enum log_level level;
	} log;
	struct {
		char *file; /* NULL: none */
		uint64_t interval_ns;
	} metrics;
};

/* Read and check a configuration. *ret is the caller's, for config_free(). No two watched folders, outboxes or
 * a watched folder and an outbox can meet, nor does a database lie in a watched folder, nor are two databases one
 * file; inbox.db has a folder of its own. -ENOENT, -EACCES: the
 * file; -EFBIG; -EBADMSG: not YAML; -EINVAL: a key or value; all with words "FILE:LINE: key 'watch[0].path': ..." */
int config_read(const char *path, struct config **ret, struct err *err);

/* All defaults and nothing to watch, for a client without a file. -ENOMEM. */
int config_default(struct config **ret, struct err *err);

/* The watch entry that a path lies below; the deepest, since one may lie in another that is not recursive. NULL: none. */
const struct config_watch *config_watch_of(const struct config *config, const char *path);

void config_free(struct config *config); /* NULL is allowed */

#endif
