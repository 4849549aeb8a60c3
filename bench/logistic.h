/* How likely something is by two signs: a logistic regression. */
#ifndef SKIMD_BENCH_LOGISTIC_H
#define SKIMD_BENCH_LOGISTIC_H

#include <stdbool.h>
#include <stddef.h>

struct logistic {
	double base, weights[2];
};

/* The likeliest one for n outcomes, by Newton's method, with a slight preference for small weights, so that there is one
 * where the signs tell all outcomes apart. */
struct logistic logistic_fit(const double (*signs)[2], const bool *outcomes, size_t n);

double logistic_value(const struct logistic *logistic, const double signs[2]);

#endif
