/* A summary, sentence by sentence: the model's where the text has their words, the text's own where the model says the same
 * in nearly the same words, and one that stands for the text where nothing is left. */
#ifndef SKIMD_PIPELINE_ABSTRACT_H
#define SKIMD_PIPELINE_ABSTRACT_H

#include "pipeline/keys.h"
#include "pipeline/material.h"
#include "pipeline/prose.h"
#include "store/docstore.h"

/* Append what holds of the model's summary, clean, a passage for each sentence, but for what *ret says already. The source
 * is the material's words. -ENOMEM. */
int abstract_add(struct passages *ret, const struct material *material, const struct prose_source *source,
                 const char *summary);

/* Append the sentence of the text that a guide makes the best one, of the beginning of a document among the first ones: it
 * says what that is. Where nothing can be quoted, nothing. -ENOMEM. */
int abstract_add_extract(struct passages *ret, const struct material *material,
                         const struct key_guide *guide);

/* Append the sentence among the first ones of a document that says what the thing is that it is called by, if there is one.
 * -ENOMEM. */
int abstract_add_definition(struct passages *ret, const struct material *material);

/* Append the sentence that goes on right behind the last one of *ret, if that is a quotation. -ENOMEM. */
int abstract_add_next(struct passages *ret, const struct material *material);

#endif
