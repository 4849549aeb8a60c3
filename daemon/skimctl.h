/* skimctl's commands: argv[0] is the command's word, the return value the exit status. What they could not write to
 * standard output is found out by main(), and --help never reaches them. */
#ifndef SKIMD_DAEMON_SKIMCTL_H
#define SKIMD_DAEMON_SKIMCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum skimctl_status {
	SKIMCTL_OK = 0,
	SKIMCTL_FAILED = 1, /* a document could not be read, a comparison did not hold */
	SKIMCTL_USAGE = 2,
	SKIMCTL_TIMEOUT = 3, /* of wait */
};

#define SKIMCTL_READ_USAGE "skimctl read [--json] [--no-store] [--model DIR] [--threads N] [-c FILE] FILE ..."
#define SKIMCTL_LIST_USAGE "skimctl list [--json] [-c FILE]"
#define SKIMCTL_SHOW_USAGE "skimctl show [--json] [-c FILE] DOC"
#define SKIMCTL_WAIT_USAGE "skimctl wait [--timeout SECONDS] [-c FILE] [DOC ...]"
#define SKIMCTL_CACHE_USAGE "skimctl cache [--json] [--drop DOC | --clear] [-c FILE]"
#define SKIMCTL_ALLOW_USAGE "skimctl allow [--write] [--print | --remove] [--user NAME] [--root DIR] FOLDER"
#define SKIMCTL_MODEL_USAGE                                                                                 \
	"skimctl model info DIR\n"                                                                          \
	"       skimctl model verify [--production] [--naive] [--golden FILE] [--max-prompt N] DIR\n"       \
	"       skimctl model run [--tokens N] [--temperature T --top-p P --seed S] [--raw] [--dense] DIR " \
	"PROMPT\n"                                                                                          \
	"       skimctl model bench [--prompt N]... [--depth N]... [--decode N] [--dense] [--json] DIR\n"   \
	"       each with [--threads N] [--chunk N] [--kernels NAME]"

int skimctl_read(int argc, char **argv);
int skimctl_list(int argc, char **argv);
int skimctl_show(int argc, char **argv);
int skimctl_wait(int argc, char **argv);
int skimctl_cache(int argc, char **argv);
int skimctl_allow(int argc, char **argv);
int skimctl_model(int argc, char **argv);

/* "skimctl: words" on standard error; returns SKIMCTL_FAILED. */
int skimctl_fail(const struct err *err);

/* The command's usage on standard error; returns SKIMCTL_USAGE. */
int skimctl_usage(const char *usage);

/* Where skimd.db is, and kv.db with its budget: as the configuration named says (NULL: none is); else the service's, if
 * its skimd.db can be read; else the user's own. ret is room for PATH_MAX. Errors as config_read()'s and
 * paths_user_store()'s. */
int skimctl_find_store(const char *config_path, char *ret, struct err *err);
int skimctl_find_cache(const char *config_path, char *ret, uint64_t *ret_budget_bytes, struct err *err);

/* One line on standard output; takes json over. -ENOMEM, also where json is NULL. */
int skimctl_print_json(json_t *json);

/* A whole number from min to max. False: it is none. */
bool skimctl_number(const char *word, unsigned long min, unsigned long max, unsigned long *ret);

#endif
