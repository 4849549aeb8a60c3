/* What went wrong, in words. Functions return 0 or a negative errno and fill in the words beside it. */
#ifndef SKIMD_BASE_ERR_H
#define SKIMD_BASE_ERR_H

struct err {
	char text[512];
};

/* Write the words (err may be NULL) and return code, so that a failure is one statement. Words longer than
 * the buffer are cut. */
int err_set(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Put words in front of those that a callee left: err_prefix(err, r, "'%s': ", name). Returns code. */
int err_prefix(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
