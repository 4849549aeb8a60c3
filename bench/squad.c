#include "bench/squad.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "bench/bootstrap.h"
#include "bench/memory.h"

#define N_DEPTHS 10
#define BYTES_PER_TOKEN 4 /* about: where the looking for the right length begins */

int squad_read(const char *folder, struct squad *ret, struct err *err)
{
	int r = set_read(folder, "squad11_dev", &ret->set, err);

	if (r < 0)
		return r;
	ret->n = 0;
	ret->firsts = memory_take(ret->set.n + 1, sizeof(size_t));
	for (size_t i = 0; i < ret->set.n; i++) {
		if (i == 0 || strcmp(ret->set.items[i].text, ret->set.items[i - 1].text) != 0)
			ret->firsts[ret->n++] = i;
	}
	ret->firsts[ret->n] = ret->set.n;
	ret->order = memory_take(ret->n, sizeof(size_t));
	draw_order(SQUAD_SEED, ret->n, ret->order);
	return 0;
}

void squad_done(struct squad *squad)
{
	free(squad->firsts);
	free(squad->order);
	set_done(&squad->set);
}

const struct set_item *squad_questions(const struct squad *squad, size_t place, size_t *ret_n)
{
	size_t passage = squad->order[place], n = squad->firsts[passage + 1] - squad->firsts[passage];

	*ret_n = n < SQUAD_MAX_QUESTIONS ? n : SQUAD_MAX_QUESTIONS;
	return &squad->set.items[squad->firsts[passage]];
}

const struct set_item *squad_foreign(const struct squad *squad, size_t place)
{
	size_t n;
	const struct set_item *own = squad_questions(squad, place, &n), *other = own;

	for (size_t i = place + 1; strcmp(other->title, own->title) == 0; i++)
		other = squad_questions(squad, i % squad->n, &n);
	return other;
}

/* Of about n_bytes; the caller's. */
static char *hide(const struct squad *squad, size_t place, size_t n_tokens, size_t n_bytes)
{
	size_t *order = memory_take(squad->n, sizeof(size_t)), n;
	const struct set_item *hidden = squad_questions(squad, place, &n);
	size_t before = n_bytes * (2 * (place % N_DEPTHS) + 1) / (2 * (size_t)N_DEPTHS);
	struct buf text = { 0 };
	bool placed = false;

	draw_order(SQUAD_SEED + n_tokens + place, squad->n, order);
	for (size_t i = 0; i < squad->n && (!placed || text.n < n_bytes); i++) {
		const struct set_item *other = &squad->set.items[squad->firsts[order[i]]];

		if (!placed && text.n >= before) {
			buf_printf(&text, "%s\n\n", hidden->text);
			placed = true;
		}
		if (strcmp(other->title, hidden->title) != 0)
			buf_printf(&text, "%s\n\n", other->text);
	}
	free(order);
	return buf_take(&text);
}

int squad_hide(const struct squad *squad, struct desk *desk, size_t place, size_t n_tokens, char **ret,
               struct err *err)
{
	size_t n_bytes = n_tokens * BYTES_PER_TOKEN, n;
	char *text = hide(squad, place, n_tokens, n_bytes);
	int r = desk_count(desk, text, &n, err);

	if (r == 0)
		*ret = hide(squad, place, n_tokens,
		            (size_t)((double)strlen(text) * (double)n_tokens / (double)n));
	free(text);
	return r;
}

int squad_put_hidden(const struct squad *squad, struct desk *desk, size_t place, size_t n_tokens, char **ret,
                     int64_t *ret_id, struct err *err)
{
	char *text;
	int r = squad_hide(squad, desk, place, n_tokens, &text, err);

	if (r < 0)
		return r;
	r = desk_put(desk, text, ret_id, err);
	if (r < 0)
		free(text);
	else
		*ret = text;
	return r;
}
