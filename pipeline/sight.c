#include "pipeline/sight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* Buckets behind those of the parts. */
enum { FRAME, BEHIND, N_OTHER };

int sighting_init(struct sighting *sighting, const struct parts *parts, size_t n_text_tokens, size_t n_frame,
                  const struct model_shape *shape, bool dense)
{
	size_t n_buckets = parts->n + N_OTHER, n_layers = shape->num_hidden_layers;
	size_t n_positions = n_frame + n_text_tokens;

	*sighting = (struct sighting){ .buckets = array_new(uint32_t, n_positions),
		                       .n_layers = n_layers,
		                       .parts = parts };
	sighting->record = (struct attention_record){
		.buckets = sighting->buckets,
		.n_positions = n_positions,
		.n_buckets = n_buckets,
		.mass = array_new(uint64_t, n_layers, n_buckets),
		.n_chosen = array_new(uint64_t, n_layers, n_buckets),
		.recalled = dense ? array_new(uint64_t, n_layers, n_buckets) : NULL,
	};
	if (sighting->buckets == NULL || sighting->record.mass == NULL || sighting->record.n_chosen == NULL ||
	    (dense && sighting->record.recalled == NULL))
		return -ENOMEM;
	for (size_t i = 0; i < n_positions; i++)
		sighting->buckets[i] =
			i < n_frame ? (uint32_t)(parts->n + FRAME) : parts->of_token[i - n_frame];
	return 0;
}

void sighting_done(struct sighting *sighting)
{
	free(sighting->buckets);
	free(sighting->record.mass);
	free(sighting->record.n_chosen);
	free(sighting->record.recalled);
	*sighting = (struct sighting){ 0 };
}

/* A bucket's sum over the layers; integers, so that no order matters. */
static double sum_layers(const struct sighting *sighting, const uint64_t *counts, size_t bucket)
{
	uint64_t sum = 0;

	for (size_t layer = 0; layer < sighting->n_layers; layer++)
		sum += counts[layer * sighting->record.n_buckets + bucket];
	return (double)sum;
}

int sighting_take(const struct sighting *sighting, size_t n_tokens, struct sight *ret)
{
	const struct attention_record *record = &sighting->record;
	double looks = (double)sighting->n_layers * (double)n_tokens;
	size_t n = sighting->parts->n;

	ret->mass = array_new(double, n);
	ret->chosen = array_new(double, n);
	if (ret->mass == NULL || ret->chosen == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		ret->mass[i] = sum_layers(sighting, record->mass, i) / (ATTENTION_UNIT * looks);
		ret->chosen[i] = sum_layers(sighting, record->n_chosen, i) /
		                 (looks * (double)sighting->parts->n_tokens[i]);
	}
	ret->elsewhere = (sum_layers(sighting, record->mass, n + FRAME) +
	                  sum_layers(sighting, record->mass, n + BEHIND)) /
	                 (ATTENTION_UNIT * looks);
	return 0;
}

/* One layer's sum over all buckets. */
static double sum_buckets(const struct sighting *sighting, const uint64_t *counts, size_t layer)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < sighting->record.n_buckets; i++)
		sum += counts[layer * sighting->record.n_buckets + i];
	return (double)sum;
}

int sighting_take_dense(const struct sighting *sighting, size_t n_tokens, struct dense_view *ret)
{
	const struct attention_record *record = &sighting->record;
	double looks = (double)sighting->n_layers * (double)n_tokens, all = 0, kept = 0;

	ret->n_layers = sighting->n_layers;
	ret->recall = array_new(double, sighting->n_layers);
	ret->missed = array_new(double, sighting->parts->n);
	if (ret->recall == NULL || ret->missed == NULL)
		return -ENOMEM;
	for (size_t layer = 0; layer < sighting->n_layers; layer++) {
		double mass = sum_buckets(sighting, record->mass, layer);

		ret->recall[layer] = mass > 0 ? sum_buckets(sighting, record->recalled, layer) / mass : 1;
	}
	for (size_t i = 0; i < sighting->parts->n; i++) {
		double mass = sum_layers(sighting, record->mass, i);
		double recalled = sum_layers(sighting, record->recalled, i);

		ret->missed[i] = (mass - recalled) / (ATTENTION_UNIT * looks);
		all += mass;
		kept += recalled;
	}
	ret->text_recall = all > 0 ? kept / all : 1;
	return 0;
}

void sight_done(struct sight *sight)
{
	free(sight->mass);
	free(sight->chosen);
	free(sight->dense.recall);
	free(sight->dense.missed);
	*sight = (struct sight){ 0 };
}
