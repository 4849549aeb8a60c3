/* SQuAD's questions, those of one passage together, and documents that a passage is hidden in. */
#ifndef SKIMD_BENCH_SQUAD_H
#define SKIMD_BENCH_SQUAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bench/desk.h"
#include "bench/evaluation_set.h"

#define SQUAD_SEED 11
#define SQUAD_MAX_QUESTIONS 2 /* of one passage */

struct squad {
	struct evaluation_set set;
	size_t *firsts; /* [n + 1] the first question of each passage */
	size_t n;
	size_t *order; /* [n] of passages, drawn */
};

/* Errors as set_read()'s. */
int squad_read(const char *folder, struct squad *ret, struct err *err);
void squad_done(struct squad *squad);

/* The questions of the passage that was drawn at a place: the first one, and how many are asked. */
const struct set_item *squad_questions(const struct squad *squad, size_t place, size_t *ret_n);

/* The first question of the next passage that is of another article. */
const struct set_item *squad_foreign(const struct squad *squad, size_t place);

/* A document of about n_tokens of other articles' passages, with that passage at a depth that follows from the place: *ret
 * is the caller's. Errors as desk_count()'s. */
int squad_hide(const struct squad *squad, struct desk *desk, size_t place, size_t n_tokens, char **ret,
               struct err *err);

/* The same put on the desk as document *ret_id. Errors also as desk_put()'s. */
int squad_put_hidden(const struct squad *squad, struct desk *desk, size_t place, size_t n_tokens, char **ret,
                     int64_t *ret_id, struct err *err);

#endif
