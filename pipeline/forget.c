#include "pipeline/forget.h"

#include <errno.h>
#include <stdlib.h>
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

/* Blocks first: once the rows are gone nobody knows whose they are. */
static int forget_all_of(struct pipeline *pipeline, int64_t id, struct err *err)
{
	uint64_t n_blocks;
	int r = pipeline_drop_cached(pipeline, id, &n_blocks, err);

	return r < 0 ? r : forget_document(pipeline_docstore(pipeline), id, err);
}

/* err has the words of the first failure. */
static int forget_each(struct pipeline *pipeline, const int64_t *ids, size_t n, const atomic_bool *cancel,
                       size_t *ret_n, struct err *err)
{
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		struct err why = { "" };
		int r;

		if (*cancel)
			return err_set(err, -ECANCELED, "told to stop");
		r = forget_all_of(pipeline, ids[i], &why);
		*ret_n += r == 0;
		if (r < 0 && r != -ENOENT && first == 0)
			first = err_set(err, r, "%s", why.text);
	}
	return first;
}

int forget_old(struct pipeline *pipeline, const char *folder, int64_t seconds, const atomic_bool *cancel,
               size_t *ret_n, struct err *err)
{
	struct docstore *store = pipeline_docstore(pipeline);
	int64_t *ids;
	size_t n;
	int r, scrubbed;

	*ret_n = 0;
	if ((r = docstore_list_old(store, folder, seconds, &ids, &n, err)) < 0)
		return r;
	r = forget_each(pipeline, ids, n, cancel, ret_n, err);
	free(ids);
	/* A reader in the way puts off the bytes alone, until the next occasion. */
	scrubbed = *ret_n > 0 ? docstore_scrub(store, r < 0 ? NULL : err) : 0;
	return r < 0 || scrubbed == -EBUSY ? r : scrubbed;
}
