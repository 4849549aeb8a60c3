#include "daemon/ask_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

#define MAX_BYTES ((size_t)1 << 20)
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

bool ask_file_is(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
	size_t n = strlen(name), n_suffix = strlen(ASK_FILE_SUFFIX);

	return n > n_suffix && strcmp(name + n - n_suffix, ASK_FILE_SUFFIX) == 0;
}

bool ask_file_document(const char *path, char *ret, size_t n)
{
	size_t n_path = strlen(path) - strlen(ASK_FILE_SUFFIX);

	return (size_t)snprintf(ret, n, "%.*s", (int)n_path, path) < n;
}

/* What was a file when it settled may be something else now. */
static int open_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return err_set(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, -EINVAL, "%s: is not a regular file", path);
	}
	return fd;
}

/* Cuts the line off its end and blanks off both sides; *next is where the following one begins, NULL: nowhere. */
static char *take_line(char *line, char **next)
{
	char *end = strchr(line, '\n');

	*next = end == NULL ? NULL : end + 1;
	if (end == NULL)
		end = line + strlen(line);
	line += strspn(line, " \t");
	while (end > line && strchr(" \t\r", end[-1]) != NULL)
		end--;
	*end = '\0';
	return line;
}

static int each_line(char *text, int (*each)(void *user, size_t number, const char *question), void *user)
{
	size_t number = 1;
	int r = 0;

	if (strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		text += strlen(BYTE_ORDER_MARK);
	for (char *next; r == 0 && text != NULL; text = next, number++) {
		const char *line = take_line(text, &next);

		if (*line != '\0' && *line != '#')
			r = each(user, number, line);
	}
	return r;
}

int ask_file_read(const char *path, int (*each)(void *user, size_t number, const char *question), void *user,
                  struct err *err)
{
	struct buf text = { 0 };
	int fd = open_file(path, err);
	int r;

	if (fd < 0)
		return fd;
	r = file_read_fd(fd, path, MAX_BYTES, &text, err);
	close(fd);
	if (r == 0 && text.data != NULL && memchr(text.data, '\0', text.n) != NULL)
		r = err_set(err, -EINVAL, "%s: is not text", path);
	if (r == 0 && text.data != NULL)
		r = each_line(text.data, each, user);
	buf_done(&text);
	return r;
}
