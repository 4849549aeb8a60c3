/* Which sentences say what the text is about: those that share rare words with many others (degree centrality over tf-idf
 * cosines, as LexRank has it), the earlier ones first where they are level. */
#ifndef SKIMD_PIPELINE_CENTRALITY_H
#define SKIMD_PIPELINE_CENTRALITY_H

#include <stddef.h>

#include "model/grounded.h"

/* The n_keep best of n sentences, their numbers rising into ret (room for n_keep); *ret_n is min(n, n_keep). -ENOMEM. */
int centrality_shortlist(const struct grounded_span *sentences, size_t n, size_t n_keep, size_t *ret,
                         size_t *ret_n);

#endif
