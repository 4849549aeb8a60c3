#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/text.h"

#define MAX_LINE 2048

static const struct {
	const char *name;
	int priority; /* syslog(3)'s number, as the journal reads it */
} LEVELS[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },
	[LOG_LEVEL_WARNING] = { "warning", 4 },
	[LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

static _Atomic enum log_level max_level = LOG_LEVEL_INFO;
static int journal_fd = -1;

void log_set_level(enum log_level level)
{
	max_level = level;
}

int log_level_parse(const char *word, enum log_level *ret)
{
	for (size_t i = 0; i < sizeof(LEVELS) / sizeof(LEVELS[0]); i++) {
		if (strcmp(word, LEVELS[i].name) == 0) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_open_journal(const char *path)
{
	log_close_journal();
	if (journal_has_stderr())
		journal_fd = journal_connect(path);
}

void log_close_journal(void)
{
	if (journal_fd >= 0)
		close(journal_fd);
	journal_fd = -1;
}

static void write_stderr(enum log_level level, const char *line)
{
	if (getenv("JOURNAL_STREAM") != NULL)
		fprintf(stderr, "<%d>%s\n", LEVELS[level].priority, line);
	else
		fprintf(stderr, "%s\n", line);
}

/* ret is room for MAX_LINE. */
__attribute__((format(printf, 1, 0))) static void print_line(const char *format, va_list args, char *ret)
{
	vsnprintf(ret, MAX_LINE, format, args);
	text_printable(ret);
}

void log_fields(enum log_level level, const struct log_field *fields, const char *format, ...)
{
	char line[MAX_LINE];
	va_list args;

	if (level > max_level)
		return;
	va_start(args, format);
	print_line(format, args, line);
	va_end(args);
	if (journal_fd < 0 || journal_send(journal_fd, LEVELS[level].priority, line, fields) < 0)
		write_stderr(level, line);
}

__attribute__((format(printf, 2, 0))) static void write_line(enum log_level level, const char *format,
                                                             va_list args)
{
	char line[MAX_LINE];

	if (level > max_level)
		return;
	print_line(format, args, line);
	write_stderr(level, line);
}

#define DEFINE_LOG(name, level)                  \
	void name(const char *format, ...)       \
	{                                        \
		va_list args;                    \
		va_start(args, format);          \
		write_line(level, format, args); \
		va_end(args);                    \
	}

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warning, LOG_LEVEL_WARNING)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)
