/* Log lines to standard error: lower case, subject first, names in quotes. Under systemd (JOURNAL_STREAM is
 * set) each line carries the <n> prefix that the journal reads as its priority. Safe from any thread. */
#ifndef SKIMD_BASE_LOG_H
#define SKIMD_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above the level are dropped. The default is LOG_LEVEL_INFO. Call before threads start. */
void log_set_level(enum log_level level);

/* "error", "warning", "info" or "debug" to its level; -EINVAL for another word. */
int log_level_parse(const char *word, enum log_level *ret);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
