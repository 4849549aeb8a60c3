/* A document as one page for a browser: what was made of it, each quotation linked to its place in the text, and the text
 * itself, shaded by what was looked at. It needs nothing from elsewhere and runs nothing: styles alone, which its own
 * Content-Security-Policy names by their hash; all text of the document is escaped. */
#ifndef SKIMD_PIPELINE_REPORT_H
#define SKIMD_PIPELINE_REPORT_H

#include "base/buf.h"
#include "pipeline/audit_view.h"

/* Append the page; the same bytes each time. A view without looks has no shades. -ENOMEM. */
int report_html(const struct audit_view *view, struct buf *ret);

#endif
