/* What the paragraph styles of a Word document mean. A style's id and what people see of it are in the writer's language;
 * the name that Word itself gave, "heading 1", is not, and a style stands on another one. */
#ifndef SKIMD_PIPELINE_FORMATS_DOCX_STYLES_H
#define SKIMD_PIPELINE_FORMATS_DOCX_STYLES_H

#include <stddef.h>

#include "pipeline/formats/package.h"
#include "pipeline/formats/xml.h"

extern const char *const DOCX_SPACE[]; /* of WordprocessingML, "w:" */

enum docx_role { DOCX_UNKNOWN, DOCX_TEXT, DOCX_HEADING, DOCX_ITEM, DOCX_PREFORMATTED, DOCX_CONTENTS };

struct docx_styles { /* all zero: none, every style is DOCX_TEXT */
	struct docx_style *styles;
	size_t n, cap;
};

/* Read word/styles.xml or what it is named here. 0, -EBADMSG, -EFBIG, -ENOMEM. */
int docx_styles_read(struct package *package, const char *part, unsigned max_depth, struct docx_styles *ret,
                     struct err *err);
void docx_styles_done(struct docx_styles *styles);

/* The role of the style with this id, and its level: of a heading from 1 to 9, of an item from 1. */
enum docx_role docx_styles_role(const struct docx_styles *styles, const char *id, size_t n_id,
                                unsigned *ret_level);

#endif
