#include "pipeline/publish.h"

#include <stdio.h>

#include "base/log.h"
#include "pipeline/failure.h"
#include "pipeline/messages.h"
#include "pipeline/output.h"

static void warn(const struct document *document, const struct err *why)
{
	char number[24];
	const struct log_field about[] = { { "MESSAGE_ID", MESSAGE_UNPUBLISHED },
		                           { "SKIMD_DOCUMENT_ID", number },
		                           { "SKIMD_PATH", document->path },
		                           { "SKIMD_STAGE", "publish" },
		                           { NULL, NULL } };

	snprintf(number, sizeof(number), "%lld", (long long)document->id);
	log_fields(LOG_LEVEL_WARNING, about, "'%s': %s", document->path, why->text);
}

int publish_outputs(struct docstore *store, const struct document *document,
                    const struct pipeline_outputs *outputs, struct err *err)
{
	struct err why = { "" };
	int r = output_write(store, document->id, outputs->markdown, outputs->json, &why);

	if (r == 0 && outputs->html)
		r = output_write_page(store, document->id, &why);
	if (r == 0)
		return docstore_published(store, document->id, err);
	warn(document, &why);
	return docstore_unpublished(store, document->id, failure_of_writing(r), why.text, err);
}
