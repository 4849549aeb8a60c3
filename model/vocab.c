#include "model/vocab.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"

struct vocab {
	uint32_t n_ids;
	uint32_t *first, *n_bytes; /* by id, into bytes; n_bytes 0: unused */
	struct buf bytes;
	uint32_t *slots; /* open addressing: an id, or VOCAB_NONE */
	uint32_t slot_mask;
};

int vocab_new(uint32_t n_ids, struct vocab **ret)
{
	struct vocab *vocab = calloc(1, sizeof(*vocab));
	uint32_t n_slots = 16;

	if (vocab == NULL)
		return -ENOMEM;
	while (n_slots / 2 < n_ids)
		n_slots *= 2;
	vocab->n_ids = n_ids;
	vocab->slot_mask = n_slots - 1;
	vocab->first = array_new(uint32_t, n_ids);
	vocab->n_bytes = array_new(uint32_t, n_ids);
	vocab->slots = array_new(uint32_t, n_slots);
	if (vocab->first == NULL || vocab->n_bytes == NULL || vocab->slots == NULL) {
		vocab_free(vocab);
		return -ENOMEM;
	}
	memset(vocab->slots, 0xff, n_slots * sizeof(*vocab->slots));
	*ret = vocab;
	return 0;
}

void vocab_free(struct vocab *vocab)
{
	if (vocab == NULL)
		return;
	free(vocab->first);
	free(vocab->n_bytes);
	free(vocab->slots);
	buf_done(&vocab->bytes);
	free(vocab);
}

uint32_t vocab_n_ids(const struct vocab *vocab)
{
	return vocab->n_ids;
}

const char *vocab_bytes(const struct vocab *vocab, uint32_t id, size_t *ret_n)
{
	if (id >= vocab->n_ids || vocab->n_bytes[id] == 0)
		return NULL;
	*ret_n = vocab->n_bytes[id];
	return vocab->bytes.data + vocab->first[id];
}

static uint32_t hash_bytes(const char *bytes, size_t n)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3;
	return (uint32_t)(hash ^ hash >> 32);
}

/* Where these bytes' id stands, or the free slot where it would. */
static uint32_t find_slot(const struct vocab *vocab, const char *bytes, size_t n)
{
	uint32_t slot = hash_bytes(bytes, n) & vocab->slot_mask, id;

	while ((id = vocab->slots[slot]) != VOCAB_NONE) {
		if (vocab->n_bytes[id] == n && memcmp(vocab->bytes.data + vocab->first[id], bytes, n) == 0)
			break;
		slot = (slot + 1) & vocab->slot_mask;
	}
	return slot;
}

uint32_t vocab_find(const struct vocab *vocab, const char *bytes, size_t n)
{
	return n == 0 ? VOCAB_NONE : vocab->slots[find_slot(vocab, bytes, n)];
}

int vocab_add(struct vocab *vocab, uint32_t id, const char *bytes, size_t n)
{
	uint32_t slot = find_slot(vocab, bytes, n);

	if (vocab->slots[slot] != VOCAB_NONE)
		return -EEXIST;
	if (n > UINT32_MAX - vocab->bytes.n)
		return -EFBIG;
	vocab->first[id] = (uint32_t)vocab->bytes.n;
	buf_append(&vocab->bytes, bytes, n);
	if (buf_status(&vocab->bytes) < 0)
		return -ENOMEM;
	vocab->n_bytes[id] = (uint32_t)n;
	vocab->slots[slot] = id;
	return 0;
}

/* Bytes that are printable in Latin-1 stand for themselves in the alphabet; the others, in rising order, are
 * the characters from U+0100 on. */
static bool is_own_letter(unsigned byte)
{
	return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

/* The byte that a character of the alphabet stands for, or -1. */
static int byte_of_letter(uint32_t letter)
{
	uint32_t n_others = letter - 0x100;

	if (letter < 0x100)
		return is_own_letter(letter) ? (int)letter : -1;
	for (unsigned byte = 0; byte < 0x100; byte++) {
		if (!is_own_letter(byte) && n_others-- == 0)
			return (int)byte;
	}
	return -1;
}

int vocab_read_alphabet(const char *string, size_t n, struct buf *ret)
{
	const unsigned char *at = (const unsigned char *)string, *end = at + n;

	for (size_t n_taken; at < end; at += n_taken) {
		uint32_t letter;
		int byte;

		n_taken = text_decode_utf8(at, (size_t)(end - at), &letter);
		byte = n_taken == 0 ? -1 : byte_of_letter(letter);
		if (byte < 0)
			return -EILSEQ;
		buf_append(ret, &(char){ (char)byte }, 1);
	}
	return 0;
}
