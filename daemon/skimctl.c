/* skimctl: reads files, asks the daemon's database, runs models. */
#include "daemon/skimctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
	const char *word;
	int (*run)(int argc, char **argv);
	const char *what, *usage;
} COMMANDS[] = {
	{ "read", skimctl_read, "read files here and now, without a daemon", SKIMCTL_READ_USAGE },
	{ "list", skimctl_list, "documents and their states", SKIMCTL_LIST_USAGE },
	{ "show", skimctl_show, "what was read of a document", SKIMCTL_SHOW_USAGE },
	{ "wait", skimctl_wait, "until documents are done", SKIMCTL_WAIT_USAGE },
	{ "model", skimctl_model, "info, verify, run, bench: a model by itself", SKIMCTL_MODEL_USAGE },
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

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return true;
	}
	return false;
}

static int run(int argc, char **argv)
{
	if (argc < 2)
		return help(stderr, SKIMCTL_USAGE);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help(stdout, SKIMCTL_OK);
	if (strcmp(argv[1], "--version") == 0) {
		puts("skimctl " PACKAGE_VERSION);
		return SKIMCTL_OK;
	}
	for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
		if (strcmp(argv[1], COMMANDS[i].word) != 0)
			continue;
		if (!asks_for_help(argc - 1, argv + 1))
			return COMMANDS[i].run(argc - 1, argv + 1);
		printf("usage: %s\n", COMMANDS[i].usage);
		return SKIMCTL_OK;
	}
	fprintf(stderr, "skimctl: '%s' is not a command\n", argv[1]);
	return help(stderr, SKIMCTL_USAGE);
}

int main(int argc, char **argv)
{
	int status;

	umask(027);
	status = run(argc, argv);
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "skimctl: cannot write to standard output: %s\n",
		        strerror(errno != 0 ? errno : EIO));
		return status == SKIMCTL_OK ? SKIMCTL_FAILED : status;
	}
	return status;
}
