/* A byte string that grows. The first failure sticks: later calls do nothing, and buf_status() tells, so that a page of
 * appends needs one check. Always NUL-terminated when data is not NULL. */
#ifndef SKIMD_BASE_BUF_H
#define SKIMD_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* n bytes and a NUL; NULL while empty */
	size_t n, cap;
	bool failed;
};

void buf_append(struct buf *buf, const void *bytes, size_t n);
void buf_puts(struct buf *buf, const char *string);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for n more bytes behind buf->n, to be filled by the caller, who then adds to buf->n. NULL: no memory. */
char *buf_reserve(struct buf *buf, size_t n);

/* 0, or -ENOMEM when any call since the start had no memory, or a format and its arguments make no string. */
int buf_status(const struct buf *buf);

/* The string, now the caller's, for free(); NULL after a failure. The buffer is empty again. */
char *buf_take(struct buf *buf);
void buf_done(struct buf *buf);

#endif
