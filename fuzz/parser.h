/* What holds for the parser of any format, whatever the bytes. */
#ifndef SKIMD_FUZZ_PARSER_H
#define SKIMD_FUZZ_PARSER_H

#include "fuzz/target.h"
#include "pipeline/formats/format.h"

/* Parse the bytes as a file of that name, twice: the text is UTF-8 without NUL within its limit, the marks lie in it in
 * order, and both times are the same, also where text leaves while it comes; a failure has words. */
void parser_check(const struct format *format, const char *name, const uint8_t *bytes, size_t n);

#endif
