#include "bench/logistic.h"

#include <math.h>
#include <string.h>

#define N 3 /* parameters: the base, and a weight a sign */
#define N_STEPS 50
#define PREFERENCE 0.01 /* for small weights */

double logistic_value(const struct logistic *logistic, const double signs[2])
{
	return 1 / (1 + exp(-(logistic->base + logistic->weights[0] * signs[0] +
	                      logistic->weights[1] * signs[1])));
}

/* matrix x = vector, by elimination: vector becomes x. The matrix is positive definite, so that no pivot is 0. */
static void solve(double (*matrix)[N], double *vector)
{
	for (size_t i = 0; i < N; i++) {
		for (size_t row = i + 1; row < N; row++) {
			double factor = matrix[row][i] / matrix[i][i];

			for (size_t j = i; j < N; j++)
				matrix[row][j] -= factor * matrix[i][j];
			vector[row] -= factor * vector[i];
		}
	}
	for (size_t i = N; i-- > 0;) {
		for (size_t j = i + 1; j < N; j++)
			vector[i] -= matrix[i][j] * vector[j];
		vector[i] /= matrix[i][i];
	}
}

/* One outcome's part in the slope and in the curvature of the likelihood. */
static void add_outcome(const struct logistic *logistic, const double signs[2], bool outcome, double *slope,
                        double (*curvature)[N])
{
	const double terms[N] = { 1, signs[0], signs[1] };
	double value = logistic_value(logistic, signs);

	for (size_t i = 0; i < N; i++) {
		slope[i] += terms[i] * ((outcome ? 1 : 0) - value);
		for (size_t j = 0; j < N; j++)
			curvature[i][j] += terms[i] * terms[j] * value * (1 - value);
	}
}

struct logistic logistic_fit(const double (*signs)[2], const bool *outcomes, size_t n)
{
	struct logistic ret = { 0 };

	for (size_t step = 0; step < N_STEPS; step++) {
		double slope[N] = { -PREFERENCE * ret.base, -PREFERENCE * ret.weights[0],
			            -PREFERENCE * ret.weights[1] };
		double curvature[N][N] = { { PREFERENCE, 0, 0 }, { 0, PREFERENCE, 0 }, { 0, 0, PREFERENCE } };

		for (size_t i = 0; i < n; i++)
			add_outcome(&ret, signs[i], outcomes[i], slope, curvature);
		solve(curvature, slope);
		ret.base += slope[0];
		ret.weights[0] += slope[1];
		ret.weights[1] += slope[2];
	}
	return ret;
}
