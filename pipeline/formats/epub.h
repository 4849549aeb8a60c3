/* E-books. Chapters stand in the order of the book's spine, each a section with its own title. Books with digital rights
 * management are refused with those words. */
#ifndef SKIMD_PIPELINE_FORMATS_EPUB_H
#define SKIMD_PIPELINE_FORMATS_EPUB_H

#include "pipeline/formats/format.h"

extern const struct format FORMAT_EPUB;

#endif
