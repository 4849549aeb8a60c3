#include "pipeline/forget.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/output.h"

struct removal {
	struct docstore *store;
	struct err *err;
};

/* What somebody has changed since is theirs. */
static int remove_output(void *user, const char *path, const char *sha256)
{
	struct removal *removal = user;
	bool ours = false;
	int r = output_is_ours(removal->store, path, &ours, removal->err);

	(void)sha256;
	if (r == 0 && ours && unlink(path) < 0 && errno != ENOENT)
		r = err_set(removal->err, -errno, "output '%s': cannot be removed: %s", path,
		            strerror(errno));
	return r;
}

/* Before the first file goes: what is being read would be written again. */
static int check_rest(struct docstore *store, int64_t id, struct err *err)
{
	struct document document = { 0 };
	int r = docstore_get(store, id, &document, err);

	if (r == 0 && document.state == DOCUMENT_READING)
		r = err_set(err, -EAGAIN, "'%s' is being read, and cannot be forgotten before that ends",
		            document.name);
	document_done(&document);
	return r;
}

/* Files first: their names are in the rows. */
int forget_document(struct docstore *store, int64_t id, struct err *err)
{
	struct removal removal = { store, err };
	int r = check_rest(store, id, err);

	if (r == 0)
		r = docstore_each_output(store, id, remove_output, &removal, err);
	return r == 0 ? docstore_forget_rows(store, id, err) : r;
}
