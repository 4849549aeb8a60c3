/* Sequences and what their observers see of them: what the tests of context and dense share. A step that fails ends the
 * test. */
#ifndef SKIMD_TESTS_RECORDING_H
#define SKIMD_TESTS_RECORDING_H

#include "base/array.h"
#include "model/context.h"
#include "tests/fixture.h"

/* The logits of a sequence's positions, as its observer sees them. */
struct recording {
	size_t n_vocab, n, cap;
	float *logits; /* [cap][n_vocab] */
	size_t stop_at; /* sets `stop` when this many are seen; 0: never */
	atomic_bool stop;
};

static inline void record(void *user, size_t pos, const float *logits)
{
	struct recording *recording = user;

	assert_true(pos < recording->cap);
	memcpy(recording->logits + pos * recording->n_vocab, logits, recording->n_vocab * sizeof(*logits));
	recording->n++;
	if (recording->n == recording->stop_at)
		recording->stop = true;
}

static inline struct recording new_recording(const struct engine *engine, size_t cap)
{
	struct recording ret = { .n_vocab = engine_shape(engine)->vocab_size, .cap = cap };

	ret.logits = array_new(float, cap, ret.n_vocab);
	assert_non_null(ret.logits);
	return ret;
}

static inline void watch(struct context *context, struct recording *recording)
{
	context_set_observer(context, &(struct context_observer){ recording, record, NULL });
}

static inline struct context *fresh_context(struct engine *engine)
{
	struct context *context;
	struct err err;

	assert_int_equal(context_new(engine, &context, &err), 0);
	return context;
}

static inline struct context *forked_context(const struct context *parent)
{
	struct context *context;
	struct err err;

	assert_int_equal(context_fork(parent, &context, &err), 0);
	return context;
}

static inline void forward(struct context *context, const uint32_t *tokens, size_t n)
{
	struct append append = { context, tokens, n, false };
	struct err err;

	if (context_forward(&append, 1, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void draw_tokens(const struct engine *engine, uint64_t seed, uint32_t *ret, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = (uint32_t)(draw(&seed) % engine_shape(engine)->vocab_size);
}

#endif
