/* What kind of answer a question asks for, where its words tell. */
#ifndef SKIMD_PIPELINE_ANSWER_KIND_H
#define SKIMD_PIPELINE_ANSWER_KIND_H

#include <stdbool.h>
#include <stddef.h>

/* Whether words may answer a question: one for a number needs a number, one for a time something that tells of time. Words
 * that say nothing by themselves ("the", "or") answer none. */
bool answer_kind_fits(const char *question, const char *words, size_t n);

#endif
