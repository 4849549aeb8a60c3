/* A text, a NUL, and a tokenizer.json: what can be encoded is decoded to the same bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fuzz/target.h"
#include "model/token_trie.h"
#include "model/tokenizer.h"

static void check_round_trip(const struct tokenizer *tokenizer, const char *text, size_t n)
{
	struct err err = { "" };
	struct buf back = { 0 };
	uint32_t *ids;
	size_t n_ids;
	int r = tokenizer_encode(tokenizer, text, n, &ids, &n_ids, &err);

	if (r < 0) {
		REQUIRE(r == -EILSEQ || r == -ENOENT || r == -EFBIG);
		return;
	}
	for (size_t i = 0; i < n_ids; i++)
		REQUIRE(ids[i] < tokenizer_n_vocab(tokenizer));
	REQUIRE(tokenizer_decode(tokenizer, ids, n_ids, &back, &err) == 0);
	REQUIRE(back.n == n && (n == 0 || memcmp(back.data, text, n) == 0));
	buf_done(&back);
	free(ids);
}

static void check_trie(const struct tokenizer *tokenizer)
{
	struct token_trie *trie;

	if (token_trie_new(tokenizer, &trie, NULL) < 0)
		return;
	for (uint32_t id = 0; id < tokenizer_n_vocab(tokenizer) && id < 1000; id++) {
		size_t n = 0;
		const char *bytes = tokenizer_bytes(tokenizer, id, &n);
		uint32_t node = TOKEN_TRIE_ROOT;

		for (size_t i = 0; bytes != NULL && i < n; i++)
			node = token_trie_step(trie, node, bytes[i]);
		REQUIRE(bytes == NULL || token_trie_token(trie, node) == id);
	}
	token_trie_free(trie);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const uint8_t *end = n == 0 ? NULL : memchr(bytes, '\0', n);
	struct tokenizer *tokenizer;
	struct err err = { "" };
	char path[PATH_MAX];

	if (end == NULL)
		return 0;
	scratch_write("tokenizer.json", end + 1, n - (size_t)(end + 1 - bytes));
	scratch_path("tokenizer.json", path);
	if (tokenizer_open(path, &tokenizer, &err) < 0) {
		REQUIRE(err.text[0] != '\0');
		return 0;
	}
	check_round_trip(tokenizer, (const char *)bytes, (size_t)(end - bytes));
	check_trie(tokenizer);
	tokenizer_close(tokenizer);
	return 0;
}
