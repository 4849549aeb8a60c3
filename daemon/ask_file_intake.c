#include "daemon/ask_file_intake.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "daemon/ask_file.h"
#include "daemon/document_file.h"
#include "store/docstore_questions.h"

#define MAX_QUESTIONS 1000 /* of a file */
#define MAX_TOLD 10 /* lines of a file that are none */

struct file_questions {
	struct docstore *store;
	const char *path;
	struct question_request request;
	size_t n, n_bad;
};

static void tell_line(struct file_questions *file, size_t number, const char *why)
{
	char words[PATH_MAX];

	if (++file->n_bad > MAX_TOLD)
		return;
	snprintf(words, sizeof(words), "'%s': line %zu: %s", file->path, number, why);
	log_warning("%s", words);
	docstore_event(file->store, "warning", file->request.document_id, words, NULL);
}

static int ask_line(void *user, size_t number, const char *text)
{
	struct file_questions *file = user;
	struct err err;
	int64_t id;
	int r;

	if (file->n >= MAX_QUESTIONS) {
		tell_line(file, number, "more questions than are taken from one file");
		return -E2BIG;
	}
	file->request.text = text;
	r = docstore_ask(file->store, &file->request, &id, &err);
	file->n += r == 0;
	if (r == 0 || r == -ENOENT)
		return r;
	if (r == -EINVAL) {
		tell_line(file, number, err.text);
		return 0;
	}
	log_error("'%s': %s", file->path, err.text);
	return r;
}

static bool may_pass(int r)
{
	return r == -EAGAIN || r == -EBUSY || r == -ENOSPC || r == -ENOMEM || r == -EIO || r == -EMFILE ||
	       r == -ENFILE;
}

/* As long as neither the file nor the document is another, its lines say nothing new: a document that is edited is asked anew
 * by the store, and a line that is none was told of. */
static bool was_taken(const struct file_questions *file, const struct document_file *seen)
{
	bool taken = false;

	return docstore_has_ask_file(file->store, file->request.document_id, seen, &taken, NULL) == 0 &&
	       taken;
}

static int take(struct file_questions *file)
{
	struct err err = { "" };
	int r = ask_file_read(file->path, ask_line, file, &err);

	if (r < 0 && err.text[0] != '\0')
		log_warning("questions in %s", err.text);
	if (file->n > 0)
		log_info("'%s': %zu questions", file->path, file->n);
	return r;
}

int ask_file_take(struct docstore *store, const char *path, size_t *ret_n)
{
	struct file_questions file = { .store = store, .path = path, .request = { .source = "file" } };
	struct document_file seen;
	char document[PATH_MAX];
	struct stat st;
	int r;

	*ret_n = 0;
	if (!ask_file_document(path, document, sizeof(document)))
		return 0;
	/* Before it is read: what is written meanwhile makes it another one. */
	if (lstat(path, &st) < 0)
		return may_pass(-errno) ? -errno : 0;
	if (docstore_find_named(store, document, &file.request.document_id, NULL) < 0)
		return -ENOENT;
	seen = document_file_of(path, NULL, NULL, &st);
	if (was_taken(&file, &seen))
		return 0;
	r = take(&file);
	*ret_n = file.n;
	if (r == 0 || r == -E2BIG)
		docstore_put_ask_file(store, file.request.document_id, &seen,
		                      NULL); /* else it is taken again */
	return may_pass(r) ? r : 0;
}
