#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *buf_reserve(struct buf *buf, size_t n)
{
	size_t need, cap;
	char *data;

	if (buf->failed)
		return NULL;
	if (__builtin_add_overflow(buf->n, n, &need) || need >= SIZE_MAX / 2) {
		buf->failed = true;
		return NULL;
	}
	if (need + 1 > buf->cap) {
		cap = buf->cap * 2 > need + 1 ? buf->cap * 2 : need + 64;
		data = realloc(buf->data, cap);
		if (data == NULL) {
			buf->failed = true;
			return NULL;
		}
		buf->data = data;
		buf->cap = cap;
	}
	buf->data[need] = '\0';
	return buf->data + buf->n;
}

void buf_append(struct buf *buf, const void *bytes, size_t n)
{
	char *room = buf_reserve(buf, n);

	if (room == NULL)
		return;
	if (n > 0)
		memcpy(room, bytes, n);
	buf->n += n;
}

void buf_puts(struct buf *buf, const char *string)
{
	buf_append(buf, string, strlen(string));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args, again;
	int n;
	char *room;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	room = n < 0 ? NULL : buf_reserve(buf, (size_t)n);
	if (room == NULL) {
		buf->failed = true;
	} else {
		vsnprintf(room, (size_t)n + 1, format, again);
		buf->n += (size_t)n;
	}
	va_end(again);
	va_end(args);
}

int buf_status(const struct buf *buf)
{
	return buf->failed ? -ENOMEM : 0;
}

char *buf_take(struct buf *buf)
{
	char *data = NULL;

	if (!buf->failed && buf_reserve(buf, 0) != NULL) {
		data = buf->data;
		buf->data = NULL;
	}
	buf_done(buf);
	return data;
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ 0 };
}
