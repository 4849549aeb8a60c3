#include "pipeline/abstract.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/sentence.h"
#include "pipeline/words.h"

#define SAME \
	0.6 /* a sentence of the text that shares so much with the model's is what that says, and better said */
#define NEAR 0.5 /* what is farther from each of them is pieced together: the model has no thread there */
#define ALIKE 0.5 /* two that share so much say the same */
#define N_FIRST 10 /* sentences of a document that may stand for it, */
#define LEAD 0.2 /* and how much the first one is ahead of what is behind them */

/* Whether *ret says in some sentence what a text says. */
static int find_said(const struct passages *ret, const char *text, size_t n, bool *ret_said)
{
	uint64_t *stems, *said;
	size_t n_stems, n_said;
	int r = words_of(text, n, true, &stems, &n_stems);

	*ret_said = false;
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && !*ret_said && i < ret->n; i++) {
		const struct passage *passage = &ret->items[i];

		if (passage->kind != PASSAGE_ABSTRACT)
			continue;
		r = words_of(passage->text, strlen(passage->text), true, &said, &n_said);
		if (r < 0)
			break;
		*ret_said = words_overlap(stems, n_stems, said, n_said) > ALIKE;
		free(said);
	}
	free(stems);
	return r;
}

/* With the place of a sentence of the text, how much it shares with that noted. */
static int add_passage(struct passages *ret, const struct material *material, const char *text, size_t n,
                       bool generated, double score, const struct key_sentence *nearest)
{
	struct passage *passage = passages_add(ret, PASSAGE_ABSTRACT);

	if (passage == NULL || (passage->text = strndup(text, n)) == NULL)
		return -ENOMEM;
	passage->generated = generated;
	passage->score = score;
	material->places[nearest->sentence].score = nearest->score;
	return passage_copy_evidence(passage, &material->places[nearest->sentence]);
}

static bool stands_alone(const struct material *material, size_t sentence)
{
	return sentence_stands_alone(material->spans[sentence].bytes, material->spans[sentence].n);
}

/* Unless *ret says it already. */
static int add_new(struct passages *ret, const struct material *material, const char *text, size_t n,
                   bool generated, double score, const struct key_sentence *nearest)
{
	bool said;
	int r = find_said(ret, text, n, &said);

	return r < 0 || said ? r : add_passage(ret, material, text, n, generated, score, nearest);
}

static int add_quoted(struct passages *ret, const struct material *material, size_t sentence, double score)
{
	const struct key_sentence quoted = { sentence, score };

	return add_new(ret, material, material->spans[sentence].bytes, material->spans[sentence].n, false,
	               score, &quoted);
}

/* Whether nothing but white space stands between a sentence and the one before it. */
static bool follows(const struct material *material, size_t sentence)
{
	return material->places[sentence].byte_start - material->places[sentence - 1].byte_end <= 2;
}

/* What a sentence that points back points to: the one right before it. */
static bool has_antecedent(const struct material *material, size_t sentence)
{
	return sentence > 0 && stands_alone(material, sentence - 1) && follows(material, sentence);
}

/* What the model says in nearly a sentence's words is quoted, with what that needs; else it is the model's. */
static int add_said(struct passages *ret, const struct material *material, const char *text, size_t n,
                    double share, const struct key_sentence *nearest)
{
	bool same = nearest->score >= SAME;
	int r;

	if (same && stands_alone(material, nearest->sentence))
		return add_quoted(ret, material, nearest->sentence, nearest->score);
	if (!same || !has_antecedent(material, nearest->sentence))
		return add_new(ret, material, text, n, true, share, nearest);
	r = add_quoted(ret, material, nearest->sentence - 1, nearest->score);
	return r < 0 ? r : add_quoted(ret, material, nearest->sentence, nearest->score);
}

static int add_sentence(struct passages *ret, const struct material *material,
                        const struct prose_source *source, const char *text, size_t n)
{
	struct key_sentence nearest;
	bool supported;
	double share;
	int r = prose_is_supported(text, n, source, &supported, &share);

	if (r < 0 || !supported)
		return r;
	r = keys_nearest(material->spans, material->n_spans, text, n, &nearest);
	return r < 0 || nearest.score < NEAR ? r : add_said(ret, material, text, n, share, &nearest);
}

int abstract_add(struct passages *ret, const struct material *material, const struct prose_source *source,
                 const char *summary)
{
	struct sentence *sentences;
	size_t n;
	int r = sentence_find(summary, 0, strlen(summary), &sentences, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_sentence(ret, material, source, summary + sentences[i].start,
		                 sentences[i].end - sentences[i].start);
	free(sentences);
	return r;
}

/* How well a sentence stands for its text: of a document the first ones say what it is. */
static double fitness(const struct material *material, const struct key_sentence *key)
{
	double ahead = 1 - (double)key->sentence / N_FIRST;

	return key->score - (stands_alone(material, key->sentence) ? 0 : 1) +
	       (material->begins ? LEAD * ahead : 0);
}

int abstract_add_extract(struct passages *ret, const struct material *material, const struct key_guide *guide)
{
	size_t n = material->begins && material->n_spans > N_FIRST ? N_FIRST : material->n_spans, n_best;
	struct key_sentence best[N_FIRST], *chosen = best;
	int r = keys_choose(material->spans, n, guide, N_FIRST, best, &n_best);

	if (r < 0 || n_best == 0)
		return r;
	for (size_t i = 1; i < n_best; i++) {
		if (fitness(material, &best[i]) > fitness(material, chosen))
			chosen = &best[i];
	}
	return add_quoted(ret, material, chosen->sentence, chosen->score);
}

int abstract_add_definition(struct passages *ret, const struct material *material)
{
	if (!material->begins || material->title == NULL)
		return 0;
	for (size_t i = 0; i < material->n_spans && i < N_FIRST; i++) {
		if (sentence_defines(material->spans[i].bytes, material->spans[i].n, material->title))
			return add_quoted(ret, material, i, 1);
	}
	return 0;
}

int abstract_add_next(struct passages *ret, const struct material *material)
{
	const struct passage *last = &ret->items[ret->n - 1];
	size_t i = 0;

	if (last->generated || last->n_evidence == 0)
		return 0;
	while (i < material->n_spans && material->places[i].byte_start != last->evidence[0].byte_start)
		i++;
	return i + 1 < material->n_spans && follows(material, i + 1)
	               ? add_quoted(ret, material, i + 1, last->score)
	               : 0;
}
