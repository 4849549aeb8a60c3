/* skimctl: reads files, asks the daemon's database, runs models. */
#include "daemon/skimctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
	const char *word;
	int (*run)(int argc, char **argv);
	const char *what;
} COMMANDS[] = {
	{ "read", skimctl_read, "read files here and now, without a daemon" },
	{ "list", skimctl_list, "documents and their states" },
	{ "show", skimctl_show, "what was read of a document" },
	{ "wait", skimctl_wait, "until documents are done" },
	{ "model", skimctl_model, "info, verify, run, bench: a model by itself" },
};

int skimctl_fail(const struct err *err)
{
	fprintf(stderr, "skimctl: %s\n", err->text);
	return SKIMCTL_FAILED;
}

int skimctl_usage(const char *usage)
{
	fprintf(stderr, "usage: %s\n", usage);
	return SKIMCTL_USAGE;
}

bool skimctl_number(const char *word, unsigned long min, unsigned long max, unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(word, &end, 10);
	return errno == 0 && end != word && *end == '\0' && *word != '-' && *ret >= min && *ret <= max;
}

static int help(FILE *stream, int status)
{
	fprintf(stream, "usage: skimctl COMMAND [ARGUMENT ...]\n\n");
	for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
		fprintf(stream, "  %-6s %s\n", COMMANDS[i].word, COMMANDS[i].what);
	fprintf(stream, "\nSee skimctl(1).\n");
	return status;
}

int main(int argc, char **argv)
{
	umask(027);
	if (argc < 2)
		return help(stderr, SKIMCTL_USAGE);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help(stdout, SKIMCTL_OK);
	if (strcmp(argv[1], "--version") == 0) {
		puts("skimctl " PACKAGE_VERSION);
		return SKIMCTL_OK;
	}
	for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
		if (strcmp(argv[1], COMMANDS[i].word) == 0)
			return COMMANDS[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "skimctl: '%s' is not a command\n", argv[1]);
	return help(stderr, SKIMCTL_USAGE);
}
