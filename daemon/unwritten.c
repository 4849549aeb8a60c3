#include "daemon/unwritten.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

struct done_documents {
	int64_t *ids;
	char **paths;
	size_t n, cap_ids, cap_paths;
};

static int note_done(void *user, const struct document *document)
{
	struct done_documents *done = user;

	if (document->state != DOCUMENT_DONE || document->published || document->output == NULL)
		return 0;
	if (array_grow(&done->ids, sizeof(*done->ids), done->n, &done->cap_ids) < 0 ||
	    array_grow(&done->paths, sizeof(*done->paths), done->n, &done->cap_paths) < 0 ||
	    (done->paths[done->n] = strdup(document->path)) == NULL)
		return -ENOMEM;
	done->ids[done->n++] = document->id;
	return 0;
}

static void done_documents_free(struct done_documents *done)
{
	for (size_t i = 0; i < done->n; i++)
		free(done->paths[i]);
	free(done->ids);
	free(done->paths);
}

int unwritten_publish(const struct unwritten_settings *settings, struct err *err)
{
	struct done_documents done = { 0 };
	int r = docstore_each(pipeline_docstore(settings->pipeline), note_done, &done, err);

	if (r == -ENOMEM)
		err_set(err, r, "no memory for the documents without outputs");
	for (size_t i = 0; r == 0 && i < done.n && !settings->stop(settings->user); i++) {
		struct pipeline_outputs outputs = settings->outputs(settings->user, done.paths[i]);

		r = pipeline_publish(settings->pipeline, done.ids[i], &outputs, err);
		settings->step(settings->user);
	}
	done_documents_free(&done);
	return r;
}
