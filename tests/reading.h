/* A model that reads, and texts for it: what the tests of reader, summary and job share. The model is tests/data/tiny, whose
 * weights are random: it is fast, and what it says means nothing. A step that fails ends the test. */
#ifndef SKIMD_TESTS_READING_H
#define SKIMD_TESTS_READING_H

#include "base/buf.h"
#include "model/engine.h"
#include "store/kvwriter.h"
#include "tests/fixture.h"

#define KV_BUDGET ((uint64_t)256 << 20)

static inline struct engine *open_tiny_within(unsigned n_threads, size_t row_memory)
{
	struct path dir = fixture_path("tiny");
	struct engine_settings settings = { .dir = dir.text,
		                            .n_threads = n_threads,
		                            .row_memory = row_memory };
	struct engine *ret = NULL;
	struct err err = { "" };

	if (engine_open(&settings, &ret, &err) < 0)
		fail_msg("%s", err.text);
	return ret;
}

static inline struct engine *open_tiny(unsigned n_threads)
{
	return open_tiny_within(n_threads, 0);
}

static inline struct kvstore *open_kv(const struct path *folder, uint64_t budget)
{
	struct path path = path_of(folder, "kv.db");
	struct kvstore *ret = NULL;
	struct err err = { "" };

	if (kvstore_open(path.text, budget, &ret, NULL, &err) < 0)
		fail_msg("%s", err.text);
	return ret;
}

static inline struct kvwriter *open_writer(struct kvstore *kv, size_t max_queue_bytes)
{
	struct kvwriter *ret = NULL;
	struct err err = { "" };

	if (kvwriter_new(kv, max_queue_bytes, &ret, &err) < 0)
		fail_msg("%s", err.text);
	return ret;
}

/* One of n words that a seed draws. */
static inline const char *draw_word(const char *const *words, size_t n, uint64_t *seed)
{
	return words[draw(seed) % n];
}

/* Append a sentence of which no other has the number. */
static inline void add_sentence(struct buf *text, size_t number, uint64_t *seed)
{
	static const char *const WHO[] = { "river",   "warden", "engine", "mason",  "ledger",
		                           "harbour", "beacon", "miller", "signal", "bridge" };
	static const char *const DID[] = { "kept",  "moved",  "raised", "opened",  "counted",
		                           "found", "closed", "traded", "painted", "measured" };
	static const char *const WHAT[] = { "gate", "barrels", "letters", "stones", "lamps",
		                            "nets", "records", "timber",  "ropes",  "maps" };

	buf_printf(text, "The %s number %zu %s the %s of the %s.", draw_word(WHO, COUNT(WHO), seed), number,
	           draw_word(DID, COUNT(DID), seed), draw_word(WHAT, COUNT(WHAT), seed),
	           draw_word(WHO, COUNT(WHO), seed));
}

/* Paragraphs of five lines, each a sentence; no two are equal, nor are those of two seeds. At least n bytes. */
static inline struct buf make_text(size_t n, uint64_t seed)
{
	size_t first = (size_t)seed * 100000;
	struct buf ret = { 0 };

	for (size_t i = 0; ret.n < n; i++) {
		add_sentence(&ret, first + i, &seed);
		buf_puts(&ret, i % 5 == 4 ? "\n\n" : "\n");
	}
	assert_int_equal(buf_status(&ret), 0);
	return ret;
}

#endif
