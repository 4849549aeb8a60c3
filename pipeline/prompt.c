#include "pipeline/prompt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"

static const char *const WORDS[] = {
	[TASK_SUMMARY] = "\n\nSummarize the document.",
	[TASK_TITLE] = "\n\nGive the document a title.",
	[TASK_QUESTION] = "\n\nQuestion: ",
};

const char *prompt_words(enum task_kind task)
{
	return WORDS[task];
}

static int find_special(const struct tokenizer *tokenizer, const char *content, uint32_t *ret,
                        struct err *err)
{
	int r = tokenizer_special(tokenizer, content, ret);

	return r < 0 ? err_set(err, r, "the tokenizer has no token '%s': this model's prompts are not known",
	                       content)
	             : 0;
}

int prompt_format_init(struct prompt_format *format, const struct tokenizer *tokenizer, struct err *err)
{
	uint32_t thought;
	int r;

	*format = (struct prompt_format){ .tokenizer = tokenizer, .end_of_thought = -1 };
	if (tokenizer == NULL)
		return err_set(err, -ENOENT, "the model has no tokenizer.json");
	if ((r = find_special(tokenizer, "<｜begin▁of▁sentence｜>", &format->bos, err)) < 0 ||
	    (r = find_special(tokenizer, "<｜User｜>", &format->user, err)) < 0 ||
	    (r = find_special(tokenizer, "<｜Assistant｜>", &format->assistant, err)) < 0)
		return r;
	if (tokenizer_special(tokenizer, "</think>", &thought) == 0)
		format->end_of_thought = thought;
	return 0;
}

/* The ids of text between n_before and n_after ids that the caller fills in. */
static int encode_between(const struct prompt_format *format, const char *text, size_t n, size_t n_before,
                          size_t n_after, uint32_t **ret, size_t *ret_n, struct err *err)
{
	uint32_t *ids, *all;
	size_t n_ids;
	int r = tokenizer_encode(format->tokenizer, text, n, &ids, &n_ids, err);

	if (r < 0)
		return r;
	all = array_new(uint32_t, n_before + n_ids + n_after);
	if (all == NULL) {
		free(ids);
		return err_set(err, -ENOMEM, "no memory for a prompt of %zu tokens", n_ids);
	}
	memcpy(all + n_before, ids, n_ids * sizeof(*ids));
	free(ids);
	*ret = all;
	*ret_n = n_before + n_ids + n_after;
	return 0;
}

int prompt_document(const struct prompt_format *format, const char *text, size_t n, uint32_t **ret,
                    size_t *ret_n, struct err *err)
{
	int r;

	while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
		n--;
	r = encode_between(format, text, n, PROMPT_FRAME_TOKENS, 0, ret, ret_n, err);
	if (r < 0)
		return r;
	(*ret)[0] = format->bos;
	(*ret)[1] = format->user;
	return 0;
}

/* <Assistant>, and what a tuned model expects behind it; n_turn of them. */
static size_t n_turn(const struct prompt_format *format)
{
	return format->end_of_thought >= 0 ? 2 : 1;
}

static void put_turn(const struct prompt_format *format, uint32_t *ids)
{
	ids[0] = format->assistant;
	if (format->end_of_thought >= 0)
		ids[1] = (uint32_t)format->end_of_thought;
}

int prompt_task(const struct prompt_format *format, enum task_kind task, const char *question, uint32_t **ret,
                size_t *ret_n, struct err *err)
{
	struct buf words = { 0 };
	int r;

	buf_puts(&words, WORDS[task]);
	if (question != NULL)
		buf_puts(&words, question);
	r = buf_status(&words) < 0
	            ? err_set(err, -ENOMEM, "no memory for a prompt")
	            : encode_between(format, words.data, words.n, 0, n_turn(format), ret, ret_n, err);
	buf_done(&words);
	if (r == 0)
		put_turn(format, *ret + *ret_n - n_turn(format));
	return r;
}

int prompt_chat(const struct prompt_format *format, const char *text, size_t n, uint32_t **ret, size_t *ret_n,
                struct err *err)
{
	int r = encode_between(format, text, n, 2, n_turn(format), ret, ret_n, err);

	if (r < 0)
		return r;
	(*ret)[0] = format->bos;
	(*ret)[1] = format->user;
	put_turn(format, *ret + *ret_n - n_turn(format));
	return 0;
}
