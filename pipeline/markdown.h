/* Whether a text is Markdown, by its marks. */
#ifndef SKIMD_PIPELINE_MARKDOWN_H
#define SKIMD_PIPELINE_MARKDOWN_H

#include <stdbool.h>
#include <stddef.h>

/* Headings, fences, links, tables, lists and emphasis speak for it, comments and statements of programs
 * against it. hinted: the file's name says Markdown, so that one mark is enough where else two kinds are
 * asked for. Looks at the first 256 KiB. */
bool markdown_is(const char *text, size_t n, bool hinted);

#endif
