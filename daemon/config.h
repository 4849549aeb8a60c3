/* skimd.yaml as one struct. Every key has a default but watch and its path and outbox; whatever is unknown, of
 * the wrong type or out of range is an error that names file, line and key, and so is a key of a part that is
 * not built yet. */
#ifndef SKIMD_DAEMON_CONFIG_H
#define SKIMD_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "pipeline/extract.h"
#include "pipeline/summary.h"

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
	uint64_t keep_ns; /* documents are forgotten when they have been done for so long; 0: never */
};

/* Named like the keys. Paths are absolute; a relative one in the file is taken from the file's folder. */
struct config {
	struct config_watch *watch;
	size_t n_watch;
	struct {
		char *path; /* CONFIG_MODEL_NANO or a folder that is there; what is in it is not checked here */
		unsigned threads; /* 1 to 256; 0: as many as the CPU affinity has */
		int nice; /* 0 to 19 */
		bool int8_weights; /* else as the checkpoint has them */
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
		unsigned max_pages;
		uint64_t timeout_ns;
		bool ocr;
		char ocr_languages[OCR_MAX_LANGUAGES]; /* "eng+deu" */
		unsigned max_ocr_pages;
	} extract;
	struct {
		enum summary_length length;
	} summary;
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

/* The same for a program that looks at no documents itself: folders to watch, or the model's, that are not there are no
 * errors. They stand as they are named, and missing() is told of each, in the words of the error. */
int config_read_lacking(const char *path, void (*missing)(const struct err *why), struct config **ret,
                        struct err *err);

/* All defaults and nothing to watch, for a client without a file. -ENOMEM. */
int config_default(struct config **ret, struct err *err);

/* The watch entry that a path lies below; the deepest, since one may lie in another that is not recursive. NULL: none. */
const struct config_watch *config_watch_of(const struct config *config, const char *path);

/* The section extract, as the pipeline takes it. */
struct extract_limits config_extract_limits(const struct config *config);
/* Whether a folder is watched in the same way, whatever becomes of its documents: everything but outputs, questions and keep. */
bool config_watch_is_same(const struct config_watch *a, const struct config_watch *b);

/* Of two that are the same: each gets the strings of the other, so that who has borrowed them keeps them. */
void config_watch_trade(struct config_watch *a, struct config_watch *b);

/* What a program that runs can take of another configuration: the folders, log and metrics. Both are whole after it, and
 * fresh has what config had. */
void config_adopt(struct config *config, struct config *fresh);

/* Append the names of all other keys in which the two differ, as "store.path, kv.budget". */
void config_list_fixed(const struct config *config, const struct config *fresh, struct buf *ret);

void config_free(struct config *config); /* NULL is allowed */

#endif
