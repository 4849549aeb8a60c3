/* skimctl's commands: argv[0] is the command's word, the return value the exit status. What they could not write to
 * standard output is found out by main(), and --help never reaches them. */
#ifndef SKIMD_DAEMON_SKIMCTL_H
#define SKIMD_DAEMON_SKIMCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "daemon/config.h"
#include "daemon/control_client.h"
#include "store/docstore.h"

enum skimctl_status {
	SKIMCTL_OK = 0,
	SKIMCTL_FAILED = 1, /* a document could not be read, a comparison did not hold */
	SKIMCTL_USAGE = 2,
	SKIMCTL_TIMEOUT = 3, /* of wait and ask */
};

#define SKIMCTL_READ_USAGE                                                                                 \
	"skimctl read [--json] [--no-store] [--model DIR] [--threads N] [-q QUESTION] ... [-c FILE] FILE " \
	"..."
#define SKIMCTL_ASK_USAGE                                                               \
	"skimctl ask [--json] [--no-wait | --timeout SECONDS] [-c FILE] DOC QUESTION\n" \
	"       skimctl ask --all [--json] [--no-wait | --timeout SECONDS] [-c FILE] QUESTION"
#define SKIMCTL_LIST_USAGE "skimctl list [--json] [-c FILE]"
#define SKIMCTL_SHOW_USAGE "skimctl show [--json] [-c FILE] DOC"
#define SKIMCTL_AUDIT_USAGE "skimctl audit [--json] [-c FILE] [DOC]"
#define SKIMCTL_REPORT_USAGE "skimctl report [-o FILE] [-c FILE] DOC"
#define SKIMCTL_WAIT_USAGE "skimctl wait [--timeout SECONDS] [-c FILE] [DOC ...]"
#define SKIMCTL_STATUS_USAGE "skimctl status [--json] [-c FILE]"
#define SKIMCTL_ADD_USAGE "skimctl add [--json] [-c FILE] FILE ..."
#define SKIMCTL_PAUSE_USAGE "skimctl pause [--json] [-c FILE]"
#define SKIMCTL_RESUME_USAGE "skimctl resume [--json] [-c FILE]"
#define SKIMCTL_RETRY_USAGE "skimctl retry [--json] [-c FILE] DOC ..."
#define SKIMCTL_REREAD_USAGE "skimctl reread [--json] [-c FILE] DOC ..."
#define SKIMCTL_FORGET_USAGE "skimctl forget [--json] [-c FILE] DOC ..."
#define SKIMCTL_SEARCH_USAGE "skimctl search [--json] [--limit N] [-c FILE] WORD ..."
#define SKIMCTL_EVENTS_USAGE "skimctl events [--json] [--after ID] [--limit N] [--follow] [-c FILE]"
#define SKIMCTL_EXPORT_USAGE "skimctl export [--format jsonl | md | csv] [-o FILE] [-c FILE] [DOC ...]"
#define SKIMCTL_BACKUP_USAGE "skimctl backup [-c FILE] COPY"
#define SKIMCTL_RESCAN_USAGE "skimctl rescan [--json] [-c FILE]"
#define SKIMCTL_CACHE_USAGE "skimctl cache [--json] [--drop DOC | --clear] [-c FILE]"
#define SKIMCTL_ALLOW_USAGE "skimctl allow [--write] [--print | --remove] [--user NAME] [--root DIR] FOLDER"
#define SKIMCTL_MODEL_USAGE                                                                                 \
	"skimctl model info DIR\n"                                                                          \
	"       skimctl model verify [--production] [--naive] [--golden FILE] [--max-prompt N] DIR\n"       \
	"       skimctl model run [--tokens N] [--temperature T --top-p P --seed S] [--raw] [--dense] DIR " \
	"PROMPT\n"                                                                                          \
	"       skimctl model bench [--prompt N]... [--depth N]... [--decode N] [--dense] [--json] DIR\n"   \
	"       each with [--threads N] [--chunk N] [--kernels NAME] [--int8]"

int skimctl_read(int argc, char **argv);
int skimctl_ask_question(int argc, char **argv);
int skimctl_list(int argc, char **argv);
int skimctl_show(int argc, char **argv);
int skimctl_audit(int argc, char **argv);
int skimctl_report(int argc, char **argv);
int skimctl_wait(int argc, char **argv);
int skimctl_status(int argc, char **argv);
int skimctl_add(int argc, char **argv);
int skimctl_pause(int argc, char **argv);
int skimctl_resume(int argc, char **argv);
int skimctl_rescan(int argc, char **argv);
int skimctl_retry(int argc, char **argv);
int skimctl_reread(int argc, char **argv);
int skimctl_forget(int argc, char **argv);
int skimctl_search(int argc, char **argv);
int skimctl_events(int argc, char **argv);
int skimctl_export(int argc, char **argv);
int skimctl_backup(int argc, char **argv);
int skimctl_cache(int argc, char **argv);
int skimctl_allow(int argc, char **argv);
int skimctl_model(int argc, char **argv);

/* "skimctl: words" on standard error, where what is not fit for a terminal is replaced: files' names stand in them. The
 * second returns SKIMCTL_FAILED. */
void skimctl_tell(const struct err *err);
int skimctl_fail(const struct err *err);

/* The words for a database that another process has open for writing; returns -EBUSY. */
int skimctl_in_use(const char *path, struct err *err);

/* The command's usage on standard error; returns SKIMCTL_USAGE. */
int skimctl_usage(const char *usage);

/* Without a configuration the user's own databases are meant, also where there is a service. */
bool skimctl_is_private(void);

/* The configuration that path names; NULL: the service's, if this user may read it, else the defaults. Errors as
 * config_read()'s. */
int skimctl_read_config(const char *path, struct config **ret, struct err *err);

/* The configuration of the databases that are meant: as skimctl_read_config() has it; but where none is named and the
 * service's skimd.db cannot be read, the defaults and *ret_own: the databases are the user's own. */
int skimctl_find_config(const char *path, struct config **ret, bool *ret_own, struct err *err);

/* Where skimd.db is, and kv.db with its budget, of skimctl_find_config(). ret is room for PATH_MAX. Errors as
 * config_read()'s and paths_user_store()'s. */
int skimctl_find_store(const char *config_path, char *ret, struct err *err);
int skimctl_find_cache(const char *config_path, char *ret, uint64_t *ret_budget_bytes, struct err *err);

/* The daemon that has the documents which config_path (NULL: none is named, so the service) means; *ret is the caller's.
 * Words say what can be done where there is none, -ENOENT or -ECONNREFUSED, or it may not be spoken to, -EACCES. */
int skimctl_connect(const char *config_path, struct control_client **ret, struct err *err);

/* A request's key that names a document; *ret is the caller's. -EINVAL: word is not UTF-8, so that it cannot be said. */
int skimctl_name(const char *key, const char *word, json_t **ret, struct err *err);

/* Have a command carried out; *ret is the last line of the answer, the caller's. each() gets what stands under key in each
 * line before it, and stops with a negative errno. Errors as of control_client_receive(). */
int skimctl_ask(struct control_client *client, const char *command, json_t *args, json_t **ret,
                struct err *err);
int skimctl_ask_each(struct control_client *client, const char *command, json_t *args, const char *key,
                     int (*each)(void *user, json_t *value), void *user, json_t **ret_last, struct err *err);

/* What most commands are given besides their words, which follow at optind. */
struct skimctl_query {
	bool json;
	const char *config_path;
};
bool skimctl_parse(struct skimctl_query *query, int argc,
                   char **argv); /* --json, -c; false: something else */

/* skimd.db, for reading. */
int skimctl_open_store(const char *config_path, struct docstore **ret, struct err *err);

/* Remove the blocks of a document that no other needs from the kv.db that belongs to the store; 0 also where there is no
 * kv.db. -EBUSY: another process has it. */
int skimctl_drop_blocks(const char *config_path, int64_t id, struct err *err);

/* An object's values, for words: "" and 0 where they are not there. What is not fit for a terminal is replaced in the
 * object. */
const char *skimctl_string(json_t *object, const char *key);
const char *skimctl_text(json_t *object, const char *key); /* of documents: its lines as one */
json_int_t skimctl_integer(const json_t *object, const char *key);

/* One line on standard output; takes json over. -ENOMEM, also where json is NULL. */
int skimctl_print_json(json_t *json);

/* What is left of a time that began at start_ns; UINT64_MAX of 0, which is no limit. */
uint64_t skimctl_left_ns(uint64_t start_ns, uint64_t timeout_ns);

/* A whole number from min to max. False: it is none. */
bool skimctl_number(const char *word, unsigned long min, unsigned long max, unsigned long *ret);

#endif
