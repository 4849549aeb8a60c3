/* What becomes of a document that could not be read, by the errno that it failed with. */
#ifndef SKIMD_PIPELINE_FAILURE_H
#define SKIMD_PIPELINE_FAILURE_H

#include "store/docstore.h"

struct failure {
	enum document_state state; /* 'ignored': there is nothing to read in it; else 'failed' */
	enum document_retry retry;
};

/* Of a file that could not be taken in: open(2)'s errors and extract_file()'s. */
struct failure failure_of_extraction(int r);

/* Of outputs that could not be written. */
enum document_retry failure_of_writing(int r);

/* Of a text that the model could not read. */
struct failure failure_of_reading(int r);

#endif
