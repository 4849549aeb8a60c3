/* What skimctl audit and report print, made out of skimd.db: the same by the control socket and without it. */
#ifndef SKIMD_DAEMON_AUDIT_TEXT_H
#define SKIMD_DAEMON_AUDIT_TEXT_H

#include "base/buf.h"
#include "base/err.h"
#include "store/docstore.h"

enum audit_form { AUDIT_WORDS, AUDIT_JSON, AUDIT_REPORT };

/* Append the audit of the document that a word means; NULL: of all documents, by day and folder, not as a report. Errors as
 * docstore_resolve()'s and audit_view_make()'s. */
int audit_text(struct docstore *store, const char *word, enum audit_form form, struct buf *ret,
               struct err *err);

#endif
