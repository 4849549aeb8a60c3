/* Log lines to standard error: lower case, subject first, names in quotes. Under systemd (JOURNAL_STREAM is
 * set) each line carries the <n> prefix that the journal reads as its priority. Safe from any thread. */
#ifndef SKIMD_BASE_LOG_H
#define SKIMD_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above the level are dropped. The default is LOG_LEVEL_INFO. At any time. */
void log_set_level(enum log_level level);

/* "error", "warning", "info" or "debug" to its level; -EINVAL for another word. */
int log_level_parse(const char *word, enum log_level *ret);

/* What a line is about, for programs that search the journal: "SKIMD_PATH", "/srv/a.txt". */
struct log_field {
	const char *name; /* upper case; NULL ends a list */
	const char *value; /* NULL: left out */
};

/* From here on lines with fields go to the journal by its own socket, if standard error is the journal's; else, and
 * where that cannot be reached, they go to standard error, without the fields. path is the socket's, NULL for the
 * usual one. Call before threads start. */
void log_open_journal(const char *path);
void log_close_journal(void);

/* A line with fields. */
void log_fields(enum log_level level, const struct log_field *fields, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
