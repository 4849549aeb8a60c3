#include "pipeline/audit.h"

#include <errno.h>
#include <math.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hex.h"
#include "pipeline/sight.h"
#include "store/docstore.h"

#define WHOLE_OF_CHECKS 0.1

enum check_due audit_due(const char *key, double dense_share)
{
	char digits[14];
	double place;

	snprintf(digits, sizeof(digits), "%.13s", key);
	place = (double)strtoull(digits, NULL, 16) / (double)(1ull << 52);
	if (place < dense_share * WHOLE_OF_CHECKS)
		return CHECK_WHOLE_DUE;
	return place < dense_share ? CHECK_DUE : CHECK_NOT_DUE;
}

enum check_due audit_answer_due(const char *question, const struct evidence *evidence, size_t n_evidence,
                                double dense_share)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	char key[2 * SHA256_DIGEST_SIZE + 1];
	struct sha256_ctx hash;

	if (n_evidence == 0)
		return CHECK_NOT_DUE;
	sha256_init(&hash);
	sha256_update(&hash, strlen(question) + 1, (const uint8_t *)question);
	sha256_update(&hash, strlen(evidence->quote), (const uint8_t *)evidence->quote);
	sha256_digest(&hash, sizeof(digest), digest);
	hex_encode(digest, sizeof(digest), key);
	return audit_due(key, dense_share);
}

static const enum look_kind KINDS[] = {
	[TASK_SUMMARY] = LOOK_ABSTRACT,
	[TASK_TITLE] = LOOK_TITLE,
	[TASK_QUESTION] = LOOK_ANSWER,
};

/* The stored bytes that part i stands for: up to where the next one begins, so that parts leave no gaps. */
static int64_t end_of_part(const struct audit_notes *notes, const struct parts *parts, size_t i)
{
	size_t end = notes->view_start + parts->ends[i];

	return (int64_t)(i + 1 < parts->n ? view_source(notes->view, end)
	                                  : view_source(notes->view, end - 1) + 1);
}

static int64_t start_of_parts(const struct audit_notes *notes)
{
	return (int64_t)view_source(notes->view, notes->view_start);
}

static void set_lengths(const struct audit_notes *notes, const struct parts *parts, struct look_part *ret)
{
	int64_t start = start_of_parts(notes);

	for (size_t i = 0; i < parts->n; i++) {
		int64_t end = end_of_part(notes, parts, i);

		ret[i].length = end - start;
		start = end;
	}
}

static int add_look(const struct audit_notes *notes, enum look_kind kind, const struct sight *sight)
{
	struct look *look = looks_add(notes->looks, kind, sight->parts->n);

	if (look == NULL)
		return -ENOMEM;
	look->byte_start = start_of_parts(notes);
	look->tokens = (int64_t)sight->n_generated;
	look->elsewhere = sight->elsewhere;
	set_lengths(notes, sight->parts, look->parts);
	for (size_t i = 0; i < look->n_parts; i++) {
		look->parts[i].n_tokens = (int64_t)sight->parts->n_tokens[i];
		look->parts[i].mass = llround(sight->mass[i] * LOOK_MASS);
		look->parts[i].chosen = (int64_t)ceil(sight->chosen[i] * LOOK_CHOSEN - 1e-9);
	}
	return 0;
}

/* What the choice keeps of dense attention beyond what as many positions drawn by lot would, of what they would not. */
static double skill_of(double recall, double chance)
{
	return chance < 1 ? (recall - chance) / (1 - chance) : 1;
}

static void set_recall(struct dense_check *check, const struct dense_view *dense)
{
	check->skill = 1;
	for (size_t layer = 0; layer < dense->n_layers; layer++) {
		double skill = skill_of(dense->recall[layer], dense->chance);

		check->layer_recall[layer] = dense->recall[layer];
		check->mass_recall += dense->recall[layer] / (double)dense->n_layers;
		if (skill < check->skill) {
			check->skill = skill;
			check->worst_layer = (int64_t)layer;
		}
	}
}

static int add_check(const struct audit_notes *notes, enum look_kind kind, const struct sight *sight)
{
	const struct dense_view *dense = &sight->dense;
	struct dense_check *check;

	if (!isfinite(dense->score) || !isfinite(sight->score)) /* there is nothing to compare */
		return 0;
	check = dense_checks_add(notes->checks);
	if (check == NULL)
		return -ENOMEM;
	check->kind = kind;
	check->tokens = (int64_t)dense->n_tokens;
	check->agrees = (double)dense->n_agree / (double)dense->n_tokens;
	check->score = sight->score;
	check->score_delta = dense->score - sight->score;
	check->text_recall = dense->text_recall;
	check->chance = dense->chance;
	check->layer_recall = array_new(double, dense->n_layers);
	check->missed = array_new(struct look_part, sight->parts->n);
	if (check->layer_recall == NULL || check->missed == NULL)
		return -ENOMEM;
	check->n_layers = dense->n_layers;
	set_recall(check, dense);
	check->byte_start = start_of_parts(notes);
	check->n_missed = sight->parts->n;
	set_lengths(notes, sight->parts, check->missed);
	for (size_t i = 0; i < check->n_missed; i++)
		check->missed[i].mass = llround(dense->missed[i] * LOOK_MASS);
	return 0;
}

/* Whether what was read is the stretch, from its start on. */
static bool is_stretch(const struct audit_notes *notes, const char *text, const struct parts *parts)
{
	size_t n = parts->n == 0 ? 0 : parts->ends[parts->n - 1];

	return n > 0 && notes->view_start < notes->view->n && n <= notes->view->n - notes->view_start &&
	       memcmp(text, notes->view->text + notes->view_start, n) == 0;
}

static bool has_look(const struct looks *looks, enum look_kind kind, int64_t byte_start)
{
	for (size_t i = 0; i < looks->n; i++) {
		if (looks->items[i].kind == kind && looks->items[i].byte_start == byte_start)
			return true;
	}
	return false;
}

static bool has_check(const struct dense_checks *checks, enum look_kind kind, int64_t byte_start)
{
	for (size_t i = 0; i < checks->n; i++) {
		if (checks->items[i].kind == kind && checks->items[i].byte_start == byte_start)
			return true;
	}
	return false;
}

int audit_see(void *user, const char *text, const struct reader_task *task, const struct sight *sight,
              struct err *err)
{
	struct audit_notes notes = *(const struct audit_notes *)user;
	enum look_kind kind = KINDS[task->kind];
	int r = 0;

	if (notes.view_start == AUDIT_ANYWHERE)
		notes.view_start = (uintptr_t)text - (uintptr_t)notes.view->text;
	if (!is_stretch(&notes, text, sight->parts))
		return 0;
	if (notes.looks != NULL && !has_look(notes.looks, kind, start_of_parts(&notes)))
		r = add_look(&notes, kind, sight);
	if (r == 0 && notes.checks != NULL && sight->dense.n_tokens > 0 &&
	    !has_check(notes.checks, kind, start_of_parts(&notes)))
		r = add_check(&notes, kind, sight);
	return r < 0 ? err_set(err, r, "no memory to note a reading") : 0;
}

bool audit_warning(const struct dense_check *check, struct err *ret)
{
	size_t worst = (size_t)check->worst_layer;

	if (check->skill < AUDIT_LEAST_SKILL) {
		err_set(ret, 0,
		        "layer %zu chose positions that hold %.0f %% of what dense attention looks at; "
		        "positions drawn by lot would hold %.0f %%",
		        worst, 100 * check->layer_recall[worst], 100 * check->chance);
		return true;
	}
	if (check->tokens >= AUDIT_FEW_TOKENS && check->agrees < AUDIT_LEAST_AGREEMENT) {
		err_set(ret, 0, "dense attention would have chosen other words for %.0f %% of %lld tokens",
		        100 * (1 - check->agrees), (long long)check->tokens);
		return true;
	}
	return false;
}
