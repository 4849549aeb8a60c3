/* The plain text of a mail, as blocks: paragraphs whose lines a program has wrapped, and those whose author has broken them;
 * items, quotations, tables and program text by their looks, the signature as what is not for the model. */
#ifndef SKIMD_PIPELINE_FORMATS_MAIL_TEXT_H
#define SKIMD_PIPELINE_FORMATS_MAIL_TEXT_H

#include "pipeline/formats/mime_header.h"
#include "pipeline/formats/sink.h"

/* text is UTF-8. Returns what the sink does. */
int mail_text_put(struct sink *sink, struct mime_span text);

#endif
