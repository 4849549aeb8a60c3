#include "bench/bare.h"

#include <errno.h>
#include <fcntl.h>
#include <libxml/parser.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>

#include "base/buf.h"
#include "pipeline/formats/programs.h"

#define STEP ((size_t)1 << 16)

static int spawn(const char *path, int output, pid_t *ret)
{
	const char *program = program_path(PROGRAM_PDFTOTEXT);
	char *const argv[] = { (char[]){ "pdftotext" }, (char[]){ "-enc" }, (char[]){ "UTF-8" },
		               (char *)(uintptr_t)path, (char[]){ "-" },    NULL };
	posix_spawn_file_actions_t actions;
	int r;

	if (program == NULL)
		return -ENOENT;
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	r = -posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (r == 0)
		r = -posix_spawn(ret, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

static int take_all(int fd, struct buf *ret)
{
	ssize_t n;

	do {
		char *room = buf_reserve(ret, STEP);

		n = room == NULL ? -1 : read(fd, room, STEP);
		ret->n += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	return n < 0 ? -EIO : 0;
}

int bare_pdftotext(const char *path, size_t *ret, struct err *err)
{
	struct buf text = { 0 };
	int ends[2], status = 0, r;
	pid_t pid = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "pipe: %s", strerror(errno));
	r = spawn(path, ends[1], &pid);
	close(ends[1]);
	if (r == 0)
		r = take_all(ends[0], &text);
	close(ends[0]);
	if (pid > 0 && (waitpid(pid, &status, 0) < 0 || status != 0))
		r = -EIO;
	*ret = text.n;
	buf_done(&text);
	return r < 0 ? err_set(err, r, "pdftotext: %s", strerror(-r)) : 0;
}

static void keep(void *user, const xmlChar *text, int n)
{
	buf_append(user, text, (size_t)n);
}

static int read_member(void *user, char *bytes, int n)
{
	return (int)zip_fread(user, bytes, (zip_uint64_t)n);
}

static int close_member(void *user)
{
	(void)user;
	return 0;
}

static int parse(zip_file_t *member, struct buf *text)
{
	xmlSAXHandler handler = { .initialized = XML_SAX2_MAGIC, .characters = keep };
	xmlParserCtxt *parser = xmlCreateIOParserCtxt(&handler, text, read_member, close_member, member,
	                                              XML_CHAR_ENCODING_NONE);
	int r;

	if (parser == NULL)
		return -ENOMEM;
	r = xmlParseDocument(parser) == 0 ? buf_status(text) : -EBADMSG;
	xmlFreeParserCtxt(parser);
	return r;
}

int bare_docx(const char *path, size_t *ret, struct err *err)
{
	zip_t *zip = zip_open(path, ZIP_RDONLY, NULL);
	zip_file_t *member = zip == NULL ? NULL : zip_fopen(zip, "word/document.xml", 0);
	struct buf text = { 0 };
	int r = member == NULL ? -EIO : parse(member, &text);

	if (member != NULL)
		zip_fclose(member);
	if (zip != NULL)
		zip_discard(zip);
	*ret = text.n;
	buf_done(&text);
	return r < 0 ? err_set(err, r, "'%s': libzip or libxml2: %s", path, strerror(-r)) : 0;
}
