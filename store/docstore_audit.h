/* The audit's rows in skimd.db: what was looked at, what waits for a comparison with dense attention, and what that found.
 * Threads and errors are as in docstore.h. */
#ifndef SKIMD_STORE_DOCSTORE_AUDIT_H
#define SKIMD_STORE_DOCSTORE_AUDIT_H

#include "store/docstore.h"
#include "store/look.h"

/* A comparison that is due: of a chunk, or of an answer. */
struct due_check {
	int64_t id, document_id;
	int64_t question_id; /* whose answer it is; 0: of a chunk */
	int64_t chunk; /* its number */
	int64_t byte_start, byte_end; /* and place */
	bool whole;
};

/* The one that waits for longest, of a document that is done, and of what this model has made of it. -ENOENT: none. */
int docstore_next_check(struct docstore *store, const char *fingerprint, struct due_check *ret,
                        struct err *err);

/* What it found, in place of what an earlier one did; it is not due any more. Nothing was found where n is 0. */
int docstore_put_checks(struct docstore *store, const struct due_check *due, const struct dense_check *checks,
                        size_t n, struct err *err);

/* All that is known of a document's reading. */
struct audit {
	struct looks looks; /* in the order of the text within each kind */
	struct dense_checks checks;
	int64_t n_due;
};
void audit_done(struct audit *audit);
int docstore_load_audit(struct docstore *store, int64_t id, struct audit *ret, struct err *err);

/* The comparisons of a day in a watched folder, together. */
struct audit_day {
	char *day; /* "2026-11-23" */
	char *folder; /* "": of no watched one */
	int64_t n, n_warned;
	double agrees, score_delta, mass_recall, text_recall; /* means */
	double skill; /* the least */
};

/* By day, newest first, and folder; at most n_most. each as for docstore_events(). */
int docstore_audit_days(struct docstore *store, size_t n_most,
                        int (*each)(void *user, const struct audit_day *day), void *user, struct err *err);

#endif
