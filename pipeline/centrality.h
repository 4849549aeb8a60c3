/* Which sentences say what the text is about: those that share rare words with many others (degree centrality over tf-idf
 * cosines, as LexRank has it), the earlier ones first where they are level. */
#ifndef SKIMD_PIPELINE_CENTRALITY_H
#define SKIMD_PIPELINE_CENTRALITY_H

#include <stddef.h>

#include "model/grounded.h"

/* The score of each of n sentences into ret (room for n): the best one's is 1, or all are 0. -ENOMEM. */
int centrality_score(const struct grounded_span *sentences, size_t n, double *ret);

#endif
