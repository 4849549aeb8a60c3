/* The source of programs: its text is its own bytes, comments and names with all else, and its type says the language. */
#ifndef SKIMD_PIPELINE_FORMATS_SOURCE_CODE_H
#define SKIMD_PIPELINE_FORMATS_SOURCE_CODE_H

#include "pipeline/formats/format.h"

/* One a language, with a NULL behind the last. What runs by "#!" says its language itself; of the others the name tells it,
 * if the content looks like a program. */
extern const struct format *const FORMATS_SOURCE_CODE[];

#endif
