#include "model/grounded.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* Words from one place on. */
struct candidate {
	const char *bytes;
	size_t n; /* up to the end of the span */
	size_t span, start; /* it is the span from there on */
	const bool *spellable; /* [n + 1]: whether words may end here, or tokens lead to where they may */
};

struct grounded {
	const struct token_trie *trie;
	uint32_t eos;
	struct candidate *candidates; /* sorted by bytes */
	size_t n_candidates;
	bool *spellable; /* all spans' */

	/* The candidates from first to end share the n_written bytes of the answer. */
	size_t first, end, n_written;

	uint64_t *allowed_bits; /* by id; all 0 between two calls of find_allowed() */
	uint32_t *allowed;
	size_t n_allowed;

	struct grounded_result result; /* sums while it goes on */
	bool done;
};

static int by_bytes(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;
	int order = memcmp(left->bytes, right->bytes, left->n < right->n ? left->n : right->n);

	if (order == 0)
		order = (left->n > right->n) - (left->n < right->n);
	return order != 0 ? order : (left->span > right->span) - (left->span < right->span);
}

static bool is_in_word(char byte)
{
	return isalnum((unsigned char)byte) != 0 || (unsigned char)byte >= 0x80;
}

static bool is_blank(char byte)
{
	return isspace((unsigned char)byte) != 0;
}

/* Where a quotation may begin: at a word, or at the signs in front of one. */
static bool may_start(const struct grounded_span *span, size_t at)
{
	char before = at == 0 ? ' ' : span->bytes[at - 1];

	return !is_blank(span->bytes[at]) &&
	       (is_blank(before) || (is_in_word(span->bytes[at]) && !is_in_word(before)));
}

/* Where it may end: not within a word, and not behind a blank. */
static bool may_end(const char *bytes, size_t n, size_t at)
{
	return at > 0 && !is_blank(bytes[at - 1]) &&
	       (at == n || !is_in_word(bytes[at - 1]) || !is_in_word(bytes[at]));
}

/* Whether some token leads from a position to a spellable one. */
static bool leads_on(const struct token_trie *trie, const struct grounded_span *span, const bool *spellable,
                     size_t from)
{
	uint32_t node = TOKEN_TRIE_ROOT;

	for (size_t i = from; i < span->n; i++) {
		node = token_trie_step(trie, node, span->bytes[i]);
		if (node == TOKEN_TRIE_NONE)
			return false;
		if (spellable[i + 1] && token_trie_token(trie, node) != TOKEN_TRIE_NONE)
			return true;
	}
	return false;
}

/* From the last byte back. */
static void find_spellable(const struct token_trie *trie, const struct grounded_span *span, bool *ret)
{
	for (size_t at = span->n + 1; at-- > 0;)
		ret[at] = may_end(span->bytes, span->n, at) || leads_on(trie, span, ret, at);
}

/* A candidate for each place of a span where a quotation may begin; that words may end there is not enough. */
static void add_span(struct grounded *grounded, const struct grounded_span *span, size_t number,
                     bool *spellable)
{
	find_spellable(grounded->trie, span, spellable);
	for (size_t i = 0; i < span->n; i++) {
		if (may_start(span, i) && leads_on(grounded->trie, span, spellable, i))
			grounded->candidates[grounded->n_candidates++] =
				(struct candidate){ span->bytes + i, span->n - i, number, i, spellable + i };
	}
}

static void sort_candidates(struct grounded *grounded)
{
	size_t n_kept = 0;

	if (grounded->n_candidates > 0)
		qsort(grounded->candidates, grounded->n_candidates, sizeof(*grounded->candidates), by_bytes);
	for (size_t i = 0; i < grounded->n_candidates; i++) {
		const struct candidate *next = &grounded->candidates[i];
		const struct candidate *last = n_kept == 0 ? NULL : &grounded->candidates[n_kept - 1];

		if (last == NULL || last->n != next->n || memcmp(last->bytes, next->bytes, next->n) != 0)
			grounded->candidates[n_kept++] = *next;
	}
	grounded->n_candidates = n_kept;
}

static int add_candidates(struct grounded *grounded, const struct grounded_span *spans, size_t n)
{
	size_t n_bytes = 0;
	bool *spellable;

	for (size_t i = 0; i < n; i++)
		n_bytes += spans[i].n + 1;
	grounded->candidates = array_new(struct candidate, n_bytes);
	grounded->spellable = spellable = array_new(bool, n_bytes);
	if (grounded->candidates == NULL || spellable == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		add_span(grounded, &spans[i], i, spellable);
		spellable += spans[i].n + 1;
	}
	sort_candidates(grounded);
	return grounded->n_candidates == 0 ? -ENOENT : 0;
}

static void allow(struct grounded *grounded, uint32_t id)
{
	grounded->allowed_bits[id / 64] |= (uint64_t)1 << id % 64;
}

/* The first of the candidates that are possible which may end here, or NULL. */
static const struct candidate *complete_candidate(const struct grounded *grounded)
{
	for (size_t i = grounded->first; i < grounded->end; i++) {
		const struct candidate *candidate = &grounded->candidates[i];

		if (may_end(candidate->bytes, candidate->n, grounded->n_written))
			return candidate;
	}
	return NULL;
}

/* Allow the tokens that go on with one candidate. */
static void allow_candidate(struct grounded *grounded, const struct candidate *candidate)
{
	const struct token_trie *trie = grounded->trie;
	uint32_t node = TOKEN_TRIE_ROOT;

	for (size_t i = grounded->n_written; i < candidate->n; i++) {
		node = token_trie_step(trie, node, candidate->bytes[i]);
		if (node == TOKEN_TRIE_NONE)
			return;
		if (candidate->spellable[i + 1] && token_trie_token(trie, node) != TOKEN_TRIE_NONE)
			allow(grounded, token_trie_token(trie, node));
	}
}

/* Through a bit for each id: candidates allow the same tokens over and over, and the ids must rise. */
static void find_allowed(struct grounded *grounded)
{
	size_t n_words = tokenizer_n_vocab(token_trie_tokenizer(grounded->trie)) / 64 + 1;

	grounded->n_allowed = 0;
	if (grounded->done)
		return;
	for (size_t i = grounded->first; i < grounded->end; i++)
		allow_candidate(grounded, &grounded->candidates[i]);
	if (complete_candidate(grounded) != NULL)
		allow(grounded, grounded->eos);
	for (size_t i = 0; i < n_words; i++) {
		for (uint64_t bits = grounded->allowed_bits[i]; bits != 0; bits &= bits - 1)
			grounded->allowed[grounded->n_allowed++] =
				(uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(bits);
		grounded->allowed_bits[i] = 0;
	}
}

static int check_eos(const struct token_trie *trie, uint32_t eos, struct err *err)
{
	const struct tokenizer *tokenizer = token_trie_tokenizer(trie);
	size_t n;

	if (eos >= tokenizer_n_vocab(tokenizer) || tokenizer_bytes(tokenizer, eos, &n) != NULL)
		return err_set(err, -EINVAL, "token %u cannot end an answer", eos);
	return 0;
}

static int allocate_allowed(struct grounded *grounded)
{
	uint32_t n_vocab = tokenizer_n_vocab(token_trie_tokenizer(grounded->trie));

	grounded->allowed = array_new(uint32_t, n_vocab);
	grounded->allowed_bits = array_new(uint64_t, n_vocab / 64 + 1);
	return grounded->allowed == NULL || grounded->allowed_bits == NULL ? -ENOMEM : 0;
}

int grounded_new(const struct token_trie *trie, const struct grounded_span *spans, size_t n, uint32_t eos,
                 struct grounded **ret, struct err *err)
{
	struct grounded *grounded;
	int r = check_eos(trie, eos, err);

	if (r < 0)
		return r;
	grounded = array_new(struct grounded, 1);
	if (grounded == NULL)
		return err_set(err, -ENOMEM, "no memory for a grounded answer");
	grounded->trie = trie;
	grounded->eos = eos;
	if ((r = add_candidates(grounded, spans, n)) < 0 || (r = allocate_allowed(grounded)) < 0) {
		grounded_free(grounded);
		return err_set(err, r,
		               r == -ENOENT ? "none of %zu spans can be quoted" : "no memory for %zu spans",
		               n);
	}
	grounded->end = grounded->n_candidates;
	find_allowed(grounded);
	*ret = grounded;
	return 0;
}

void grounded_free(struct grounded *grounded)
{
	if (grounded == NULL)
		return;
	free(grounded->candidates);
	free(grounded->spellable);
	free(grounded->allowed_bits);
	free(grounded->allowed);
	free(grounded);
}

void grounded_allowed(const struct grounded *grounded, const uint32_t **ret_ids, size_t *ret_n)
{
	*ret_ids = grounded->allowed;
	*ret_n = grounded->n_allowed;
}

static int by_id(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static bool goes_on_with(const struct grounded *grounded, const struct candidate *candidate,
                         const char *bytes, size_t n)
{
	return candidate->n - grounded->n_written >= n &&
	       memcmp(candidate->bytes + grounded->n_written, bytes, n) == 0;
}

/* Keep the candidates that go on with these bytes; sorted as they are, those stand together. */
static void write_bytes(struct grounded *grounded, const char *bytes, size_t n)
{
	while (!goes_on_with(grounded, &grounded->candidates[grounded->first], bytes, n))
		grounded->first++;
	while (!goes_on_with(grounded, &grounded->candidates[grounded->end - 1], bytes, n))
		grounded->end--;
	grounded->n_written += n;
}

/* The words are those of the first candidate that they complete. */
static void finish(struct grounded *grounded)
{
	const struct candidate *quoted = complete_candidate(grounded);

	grounded->result.span = quoted->span;
	grounded->result.start = quoted->start;
	grounded->result.n = grounded->n_written;
	grounded->done = true;
}

int grounded_accept(struct grounded *grounded, uint32_t id, double log_probability)
{
	const char *bytes;
	size_t n;

	if (bsearch(&id, grounded->allowed, grounded->n_allowed, sizeof(id), by_id) == NULL)
		return -EINVAL;
	grounded->result.log_probability += log_probability;
	grounded->result.n_tokens++;
	bytes = tokenizer_bytes(token_trie_tokenizer(grounded->trie), id, &n);
	if (bytes == NULL)
		finish(grounded);
	else
		write_bytes(grounded, bytes, n);
	find_allowed(grounded);
	return 0;
}

bool grounded_done(const struct grounded *grounded)
{
	return grounded->done;
}

bool grounded_result(const struct grounded *grounded, struct grounded_result *ret)
{
	if (grounded->done)
		*ret = grounded->result;
	return grounded->done;
}
