/* skimctl's commands, each in its own file: argv[0] is the command's word, the return value the exit status. */
#ifndef SKIMD_DAEMON_SKIMCTL_H
#define SKIMD_DAEMON_SKIMCTL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

enum skimctl_status {
	SKIMCTL_OK = 0,
	SKIMCTL_FAILED = 1, /* a document could not be read, a comparison did not hold */
	SKIMCTL_USAGE = 2,
	SKIMCTL_TIMEOUT = 3, /* of wait */
};

int skimctl_read(int argc, char **argv);
int skimctl_list(int argc, char **argv);
int skimctl_show(int argc, char **argv);
int skimctl_wait(int argc, char **argv);
int skimctl_model(int argc, char **argv);

/* "skimctl: words" on standard error; returns SKIMCTL_FAILED. */
int skimctl_fail(const struct err *err);

/* The command's usage on standard error; returns SKIMCTL_USAGE. */
int skimctl_usage(const char *usage);

/* A whole number from min to max. False: it is none. */
bool skimctl_number(const char *word, unsigned long min, unsigned long max, unsigned long *ret);

#endif
