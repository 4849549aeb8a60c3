/* What sparse attention left out: what the tasks of a reading looked at becomes rows, a share of them is compared with dense
 * attention, and what a sound indexer would not do is told. man/skimd-audit.7 says what the figures mean. */
#ifndef SKIMD_PIPELINE_AUDIT_H
#define SKIMD_PIPELINE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pipeline/reader.h"
#include "pipeline/view.h"
#include "store/docstore.h"
#include "store/look.h"

struct audit_settings {
	bool reading; /* keep what was looked at */
	double dense_share; /* of the chunks and of the answers, 0 to 1: compared with dense attention */
};

/* Below these a comparison is warned of. Measured with model/nano: man/skimd-audit.7. */
#define AUDIT_LEAST_SKILL 0.4
#define AUDIT_LEAST_AGREEMENT 0.5
#define AUDIT_FEW_TOKENS 8 /* fewer generated tokens agree or not by chance */

/* Whether a chunk is compared: by its key alone, so that it is the same ones each time. Of ten one is so whole. */
enum check_due audit_due(const char *key, double dense_share);

/* The same of an answer, by the question and the sentence that the answer stands in; without evidence there is nothing
 * to compare. */
enum check_due audit_answer_due(const char *question, const struct evidence *evidence, size_t n_evidence,
                                double dense_share);

/* Collects what is seen of the readings of one stretch of a document; other texts that are read meanwhile are passed over,
 * and of each kind of task the first is kept. Borrowed but for looks and checks, which grow and are the caller's. */
struct audit_notes {
	const struct view *view;
	size_t view_start; /* where the stretch begins; AUDIT_ANYWHERE: where the text that is read points to */
	struct looks *looks; /* NULL: not wanted */
	struct dense_checks *checks; /* likewise */
};
#define AUDIT_ANYWHERE SIZE_MAX

/* For reader_set_audit(), with struct audit_notes as user. -ENOMEM. */
int audit_see(void *user, const char *text, const struct reader_task *task, const struct sight *sight,
              struct err *err);

/* What there is to warn of, in words; false: nothing. */
bool audit_warning(const struct dense_check *check, struct err *ret);

#endif
