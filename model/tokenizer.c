#include "model/tokenizer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/json.h"
#include "model/bpe.h"
#include "model/pretokenizer.h"
#include "model/vocab.h"

#define MAX_FILE_BYTES ((size_t)128 << 20)

struct added_token {
	char *content;
	uint32_t id;
};

struct tokenizer {
	struct vocab *vocab; /* without the added tokens, so that no text and no merge can spell one */
	struct bpe *bpe;
	struct pretokenizer *pretokenizer;
	struct added_token *added; /* by content */
	size_t n_added;
	bool ignore_merges; /* a piece that is a token is that token, whatever merges make of it */
};

/* A tokenizer.json while it is read. */
struct reading {
	const char *path;
	const json_t *file, *model;
	json_t *vocab;
	struct added_token **added_by_id; /* n_ids, NULL where an id is no added token's */
	uint32_t n_ids;
	struct err *err;
};

static bool is_unset(const json_t *json)
{
	return json == NULL || json_is_null(json);
}

static const char *type_of(const json_t *json)
{
	const char *type = json_string_value(json_object_get(json, "type"));

	return type == NULL ? "(no type)" : type;
}

/* DeepSeek's files have an empty Sequence here. */
static int check_normalizer(const struct reading *reading)
{
	const json_t *normalizer = json_object_get(reading->file, "normalizer");
	const json_t *steps = json_object_get(normalizer, "normalizers");

	if (is_unset(normalizer) || (json_is_array(steps) && json_array_size(steps) == 0))
		return 0;
	return err_set(reading->err, -EBADMSG, "%s: normalizer: '%.60s' is not supported", reading->path,
	               type_of(normalizer));
}

static int check_decoder(const struct reading *reading)
{
	const json_t *decoder = json_object_get(reading->file, "decoder");

	if (is_unset(decoder) || strcmp(type_of(decoder), "ByteLevel") == 0)
		return 0;
	return err_set(reading->err, -EBADMSG, "%s: decoder: '%.60s' is not supported", reading->path,
	               type_of(decoder));
}

/* The parts of a BPE model that change its tokens and that byte-level models do without. */
static int check_model(struct reading *reading)
{
	static const char *const UNSUPPORTED[] = { "dropout", "unk_token", "continuing_subword_prefix",
		                                   "end_of_word_suffix" };
	const json_t *model = json_object_get(reading->file, "model"), *part;

	if (!json_is_object(model))
		return err_set(reading->err, -EBADMSG, "%s: no model", reading->path);
	if (strcmp(type_of(model), "BPE") != 0)
		return err_set(reading->err, -EBADMSG, "%s: model: type '%.60s', only BPE is supported",
		               reading->path, type_of(model));
	for (size_t i = 0; i < sizeof(UNSUPPORTED) / sizeof(UNSUPPORTED[0]); i++) {
		part = json_object_get(model, UNSUPPORTED[i]);
		if (!is_unset(part) && !(json_is_string(part) && json_string_length(part) == 0))
			return err_set(reading->err, -EBADMSG, "%s: model: %s is not supported",
			               reading->path, UNSUPPORTED[i]);
	}
	part = json_object_get(model, "byte_fallback");
	if (!is_unset(part) && !json_is_false(part))
		return err_set(reading->err, -EBADMSG, "%s: model: byte_fallback is not supported",
		               reading->path);
	reading->model = model;
	return 0;
}

static int read_flags(const struct reading *reading, struct tokenizer *tokenizer)
{
	const json_t *ignore_merges = json_object_get(reading->model, "ignore_merges");

	if (!is_unset(ignore_merges) && !json_is_boolean(ignore_merges))
		return err_set(reading->err, -EBADMSG, "%s: model: ignore_merges is no boolean",
		               reading->path);
	tokenizer->ignore_merges = json_is_true(ignore_merges);
	return 0;
}

static int no_memory(const struct reading *reading)
{
	return err_set(reading->err, -ENOMEM, "%s: no memory for the tokenizer", reading->path);
}

/* An id, which counts towards n_ids. */
static int read_id(struct reading *reading, const json_t *json, const char *token, uint32_t *ret)
{
	json_int_t id = json_integer_value(json);

	if (!json_is_integer(json) || id < 0 || id >= VOCAB_MAX_IDS)
		return err_set(reading->err, -EBADMSG, "%s: token '%.60s': its id is no integer below %u",
		               reading->path, token, VOCAB_MAX_IDS);
	*ret = (uint32_t)id;
	if (reading->n_ids <= *ret)
		reading->n_ids = *ret + 1;
	return 0;
}

static int by_content(const void *a, const void *b)
{
	return strcmp(((const struct added_token *)a)->content, ((const struct added_token *)b)->content);
}

static int read_added_tokens(struct reading *reading, struct tokenizer *tokenizer)
{
	const json_t *tokens = json_object_get(reading->file, "added_tokens"), *token;
	const char *content;
	int r;

	if (is_unset(tokens))
		return 0;
	if (!json_is_array(tokens) || json_array_size(tokens) > VOCAB_MAX_IDS)
		return err_set(reading->err, -EBADMSG, "%s: added_tokens: not a list of at most %u",
		               reading->path, VOCAB_MAX_IDS);
	tokenizer->added = array_new(struct added_token, json_array_size(tokens));
	if (tokenizer->added == NULL)
		return no_memory(reading);
	for (size_t i = 0; i < json_array_size(tokens); i++) {
		token = json_array_get(tokens, i);
		content = json_string_value(json_object_get(token, "content"));
		if (content == NULL || *content == '\0')
			return err_set(reading->err, -EBADMSG, "%s: added_tokens: %zu has no content",
			               reading->path, i);
		r = read_id(reading, json_object_get(token, "id"), content, &tokenizer->added[i].id);
		if (r < 0)
			return r;
		tokenizer->added[i].content = strdup(content);
		if (tokenizer->added[i].content == NULL)
			return no_memory(reading);
		tokenizer->n_added++;
	}
	qsort(tokenizer->added, tokenizer->n_added, sizeof(*tokenizer->added), by_content);
	return 0;
}

static int read_largest_id(struct reading *reading)
{
	const char *string;
	json_t *id;
	uint32_t ignored;
	int r;

	reading->vocab = json_object_get(reading->model, "vocab");
	if (!json_is_object(reading->vocab))
		return err_set(reading->err, -EBADMSG, "%s: model: no vocab", reading->path);
	json_object_foreach(reading->vocab, string, id)
	{
		r = read_id(reading, id, string, &ignored);
		if (r < 0)
			return r;
	}
	return reading->n_ids > 0
	               ? 0
	               : err_set(reading->err, -EBADMSG, "%s: model: vocab is empty", reading->path);
}

/* Added tokens may stand in vocab as well, if they do so under their id. */
static int index_added_tokens(struct reading *reading, struct tokenizer *tokenizer)
{
	reading->added_by_id = array_new(struct added_token *, reading->n_ids);
	if (reading->added_by_id == NULL)
		return no_memory(reading);
	for (size_t i = 0; i < tokenizer->n_added; i++) {
		struct added_token *token = &tokenizer->added[i];
		const json_t *id = json_object_get(reading->vocab, token->content);

		if (i > 0 && strcmp(token[-1].content, token->content) == 0)
			return err_set(reading->err, -EBADMSG, "%s: added_tokens: '%.60s' comes twice",
			               reading->path, token->content);
		if (reading->added_by_id[token->id] != NULL)
			return err_set(reading->err, -EBADMSG, "%s: added_tokens: id %u comes twice",
			               reading->path, token->id);
		if (id != NULL && json_integer_value(id) != token->id)
			return err_set(reading->err, -EBADMSG,
			               "%s: added token '%.60s' has id %u, and another in vocab",
			               reading->path, token->content, token->id);
		reading->added_by_id[token->id] = token;
	}
	return 0;
}

static int add_token(const struct reading *reading, struct vocab *vocab, const char *string, uint32_t id,
                     struct buf *bytes)
{
	const struct added_token *added = reading->added_by_id[id];
	size_t n_other;
	int r;

	if (added != NULL && strcmp(added->content, string) == 0)
		return 0;
	if (added != NULL || vocab_bytes(vocab, id, &n_other) != NULL)
		return err_set(reading->err, -EBADMSG, "%s: token '%.60s': id %u is another token's",
		               reading->path, string, id);
	bytes->n = 0;
	if (vocab_read_alphabet(string, strlen(string), bytes) < 0 || *string == '\0')
		return err_set(reading->err, -EBADMSG,
		               "%s: token '%.60s' is not written in the byte alphabet", reading->path,
		               string);
	if (buf_status(bytes) < 0)
		return no_memory(reading);
	r = vocab_add(vocab, id, bytes->data, bytes->n);
	return r < 0 ? err_set(reading->err, r, "%s: token '%.60s': %s", reading->path, string, strerror(-r))
	             : 0;
}

static int read_vocab(struct reading *reading, struct tokenizer *tokenizer)
{
	struct buf bytes = { 0 };
	const char *string;
	json_t *id;
	int r = 0;

	if (vocab_new(reading->n_ids, &tokenizer->vocab) < 0)
		return no_memory(reading);
	json_object_foreach(reading->vocab, string, id)
	{
		r = add_token(reading, tokenizer->vocab, string, (uint32_t)json_integer_value(id), &bytes);
		if (r < 0)
			break;
	}
	buf_done(&bytes);
	return r;
}

static int read_tokenizer(struct reading *reading, struct tokenizer *tokenizer)
{
	const char *path = reading->path;
	int r;

	if (!json_is_object(reading->file))
		return err_set(reading->err, -EBADMSG, "%s: not a JSON object", path);
	if ((r = check_normalizer(reading)) < 0 || (r = check_decoder(reading)) < 0 ||
	    (r = check_model(reading)) < 0 || (r = read_flags(reading, tokenizer)) < 0 ||
	    (r = read_added_tokens(reading, tokenizer)) < 0 || (r = read_largest_id(reading)) < 0 ||
	    (r = index_added_tokens(reading, tokenizer)) < 0 || (r = read_vocab(reading, tokenizer)) < 0)
		return r;
	r = bpe_new(path, json_object_get(reading->model, "merges"), tokenizer->vocab, &tokenizer->bpe,
	            reading->err);
	if (r < 0)
		return r;
	return pretokenizer_new(path, json_object_get(reading->file, "pre_tokenizer"),
	                        &tokenizer->pretokenizer, reading->err);
}

int tokenizer_open(const char *path, struct tokenizer **ret, struct err *err)
{
	struct reading reading = { .path = path, .err = err };
	struct tokenizer *tokenizer;
	json_t *file;
	int r = json_read_file(path, MAX_FILE_BYTES, &file, err);

	if (r < 0)
		return r;
	reading.file = file;
	tokenizer = calloc(1, sizeof(*tokenizer));
	r = tokenizer == NULL ? no_memory(&reading) : read_tokenizer(&reading, tokenizer);
	free(reading.added_by_id);
	json_decref(file);
	if (r < 0) {
		tokenizer_close(tokenizer);
		return r;
	}
	*ret = tokenizer;
	return 0;
}

void tokenizer_close(struct tokenizer *tokenizer)
{
	if (tokenizer == NULL)
		return;
	pretokenizer_free(tokenizer->pretokenizer);
	bpe_free(tokenizer->bpe);
	vocab_free(tokenizer->vocab);
	for (size_t i = 0; i < tokenizer->n_added; i++)
		free(tokenizer->added[i].content);
	free(tokenizer->added);
	free(tokenizer);
}

uint32_t tokenizer_n_vocab(const struct tokenizer *tokenizer)
{
	return vocab_n_ids(tokenizer->vocab);
}

/* One call of tokenizer_encode. */
struct encoding {
	const struct tokenizer *tokenizer;
	struct bpe_work work;
};

static int encode_piece(void *user, const char *text, size_t n, struct err *err)
{
	struct encoding *encoding = user;
	const struct tokenizer *tokenizer = encoding->tokenizer;
	uint32_t whole = tokenizer->ignore_merges ? vocab_find(tokenizer->vocab, text, n) : VOCAB_NONE;

	if (whole != VOCAB_NONE)
		return bpe_append(&encoding->work, whole, err);
	return bpe_encode(tokenizer->bpe, text, n, &encoding->work, err);
}

int tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t n, uint32_t **ret_ids,
                     size_t *ret_n, struct err *err)
{
	struct encoding encoding = { .tokenizer = tokenizer };
	struct bpe_work *work = &encoding.work;
	int r = pretokenizer_split(tokenizer->pretokenizer, text, n, encode_piece, &encoding, err);

	if (r == 0 && array_grow(&work->ids, sizeof(*work->ids), work->n_ids, &work->cap_ids) < 0)
		r = err_set(err, -ENOMEM, "no memory for %zu tokens", work->n_ids);
	if (r == 0) {
		*ret_ids = work->ids;
		*ret_n = work->n_ids;
		work->ids = NULL;
	}
	bpe_work_done(work);
	return r;
}

int tokenizer_special(const struct tokenizer *tokenizer, const char *content, uint32_t *ret)
{
	size_t low = 0, high = tokenizer->n_added;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(content, tokenizer->added[middle].content);

		if (order == 0) {
			*ret = tokenizer->added[middle].id;
			return 0;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -ENOENT;
}

const char *tokenizer_bytes(const struct tokenizer *tokenizer, uint32_t id, size_t *ret_n)
{
	return vocab_bytes(tokenizer->vocab, id, ret_n);
}

int tokenizer_decode(const struct tokenizer *tokenizer, const uint32_t *ids, size_t n, struct buf *ret,
                     struct err *err)
{
	uint32_t n_ids = vocab_n_ids(tokenizer->vocab);
	const char *bytes;
	size_t n_bytes;

	for (size_t i = 0; i < n; i++) {
		if (ids[i] >= n_ids)
			return err_set(err, -EINVAL, "token %u is not in the vocabulary of %u", ids[i],
			               n_ids);
		bytes = vocab_bytes(tokenizer->vocab, ids[i], &n_bytes);
		if (bytes != NULL)
			buf_append(ret, bytes, n_bytes);
	}
	return buf_status(ret) < 0 ? err_set(err, -ENOMEM, "no memory for the text of %zu tokens", n) : 0;
}
