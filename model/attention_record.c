#include "model/attention_record.h"

#include <stdbool.h>

/* The heads' shares of one position, as what they are of one token's attention. */
static uint64_t mass_of(const struct attended *attended, size_t i)
{
	const float *shares = attended->shares + i * attended->stride;
	float sum = 0;

	for (uint32_t h = 0; h < attended->n_heads; h++)
		sum += shares[h];
	/* A model whose numbers overflow has shares that are none. */
	if (!(sum >= 0 && sum <= 2 * (float)attended->n_heads))
		return 0;
	return (uint64_t)((double)sum * (ATTENTION_UNIT / attended->n_heads) + 0.5);
}

static void add(uint64_t *to, uint64_t n)
{
	__atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

/* Positions rise, and neighbours are mostly of one bucket: they are added together. */
struct run {
	size_t bucket;
	uint64_t mass, n, recalled;
};

static void end_run(const struct attention_record *record, uint32_t layer, struct run *run, size_t next)
{
	size_t at = layer * record->n_buckets + run->bucket;

	if (run->n > 0) {
		add(&record->mass[at], run->mass);
		add(&record->n_chosen[at], run->n);
	}
	if (run->recalled > 0)
		add(&record->recalled[at], run->recalled);
	*run = (struct run){ .bucket = next };
}

static size_t bucket_of(const struct attention_record *record, size_t pos)
{
	return pos < record->n_positions ? record->buckets[pos] : record->n_buckets - 1;
}

/* Whether a position is among the chosen; asked in rising order. */
static bool is_chosen(const struct attended *attended, size_t pos, size_t *at)
{
	if (attended->chosen == NULL)
		return true;
	while (*at < attended->n_chosen && attended->chosen[*at] < pos)
		(*at)++;
	return *at < attended->n_chosen && attended->chosen[*at] == pos;
}

void attention_record_add(const struct attention_record *record, const struct attended *attended)
{
	struct run run = { 0 };
	size_t at = 0;

	for (size_t i = 0; i < attended->n; i++) {
		size_t pos = attended->positions == NULL ? i : attended->positions[i];
		size_t bucket = bucket_of(record, pos);
		uint64_t mass = mass_of(attended, i);

		if (bucket != run.bucket)
			end_run(record, attended->layer, &run, bucket);
		run.mass += mass;
		run.n++;
		if (record->recalled != NULL && is_chosen(attended, pos, &at))
			run.recalled += mass;
	}
	end_run(record, attended->layer, &run, 0);
}
