/* Document and instruction as token ids. A prompt is
 *   <BOS><User>{document}{instruction}<Assistant>
 * with the document first, so that one prefill of it serves every task and question as a branch. The two parts are
 * tokenized apart: the cut is always between tokens. */
#ifndef SKIMD_PIPELINE_PROMPT_H
#define SKIMD_PIPELINE_PROMPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/tokenizer.h"

/* Tokens of a prompt before the document's own. */
#define PROMPT_FRAME_TOKENS 2

enum task_kind { TASK_SUMMARY, TASK_TITLE, TASK_QUESTION };
#define N_TASKS 2 /* that a text is read with; questions come later */

/* What the model was taught to say where a text has no answer. */
#define PROMPT_NOT_STATED "Not stated in the document."

/* The special tokens that frame a prompt, and what stands between them. */
struct prompt_format {
	const struct tokenizer *tokenizer;
	uint32_t bos, user, assistant;
	int64_t end_of_thought; /* behind <Assistant>, for models tuned on it; -1: none */
};

/* -ENOENT: the tokenizer lacks one of the special tokens, in words. */
int prompt_format_init(struct prompt_format *format, const struct tokenizer *tokenizer, struct err *err);

/* *ret is the caller's, for free(). Trailing white space of the document is left out. */
int prompt_document(const struct prompt_format *format, const char *text, size_t n, uint32_t **ret,
                    size_t *ret_n, struct err *err);
/* question is that of a TASK_QUESTION, else NULL. */
int prompt_task(const struct prompt_format *format, enum task_kind task, const char *question, uint32_t **ret,
                size_t *ret_n, struct err *err);

/* A whole prompt of one user's turn, for free text: *ret is the caller's, for free(). */
int prompt_chat(const struct prompt_format *format, const char *text, size_t n, uint32_t **ret, size_t *ret_n,
                struct err *err);

/* The task's words, as the model was trained on them. */
const char *prompt_words(enum task_kind task);

#endif
