/* The search of docstore.h: FTS5 sees words and phrases of the user's, and none of its own syntax. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "store/docstore_internal.h"
#include "store/docstore_rows.h"
#include "store/docstore_schema.h"

#define MAX_WORDS 64
#define MAX_BYTES 4096

/* Whether the tokenizer may take the byte for a part of a word; beyond ASCII it decides by itself. */
static bool is_word(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static size_t word_length(const char *text)
{
	size_t n = 0;

	while (is_word(text[n]))
		n++;
	return n;
}

/* The words as FTS5 takes them: each in quotes, or a phrase of several. Returns how many there are. */
static size_t make_query(const char *words, struct buf *ret)
{
	bool in_phrase = false, open = false;
	size_t n_words = 0;

	for (size_t n; *words != '\0'; words += n) {
		n = word_length(words);
		if (n == 0) {
			n = 1;
			in_phrase = in_phrase != (*words == '"');
			if (open && *words == '"')
				buf_puts(ret, "\" ");
			open = open && *words != '"';
			continue;
		}
		buf_puts(ret, open ? " " : "\"");
		buf_append(ret, words, n);
		open = in_phrase;
		if (!open)
			buf_puts(ret, "\" ");
		n_words++;
	}
	if (open)
		buf_puts(ret, "\"");
	return n_words;
}

static int check_words(const char *words, struct buf *query, struct err *err)
{
	size_t n_words;

	if (strlen(words) > MAX_BYTES)
		return err_set(err, -EINVAL, "more than %d bytes to search for", MAX_BYTES);
	n_words = make_query(words, query);
	if (n_words == 0)
		return err_set(err, -EINVAL, "there is no word to search for");
	if (n_words > MAX_WORDS)
		return err_set(err, -EINVAL, "%zu words to search for, more than %d", n_words, MAX_WORDS);
	return buf_status(query) < 0 ? err_set(err, -ENOMEM, "no memory for a search") : 0;
}

struct hits {
	struct search_hit *items;
	size_t n, cap;
};

static void name_document(struct txn *txn, struct search_hit *hit)
{
	sqlite3_stmt *row = txn_rows(txn, GET_NAMES, db_int(hit->document_id));

	if (row != NULL) {
		hit->name = row_text(txn, row, 0);
		hit->path = row_text(txn, row, 1);
		hit->state = rows_read_state(txn, row, 2);
	} else {
		txn_fail(txn, -EBADMSG, "the search table has words of document %lld, which is not there",
		         (long long)hit->document_id);
	}
	row_done(row);
}

static void name_section(struct txn *txn, struct search_hit *hit)
{
	sqlite3_stmt *row = txn_rows(txn, GET_SECTION, db_int(hit->document_id), db_int(hit->chunk));

	if (row != NULL)
		hit->section = row_text(txn, row, 0);
	row_done(row);
}

static void add_hit(struct txn *txn, sqlite3_stmt *row, struct hits *hits)
{
	struct search_hit *hit;

	if (array_grow(&hits->items, sizeof(*hits->items), hits->n, &hits->cap) < 0) {
		txn_fail(txn, -ENOMEM, "no memory for what was found");
		return;
	}
	hit = &hits->items[hits->n++];
	*hit = (struct search_hit){ .document_id = sqlite3_column_int64(row, 0), .chunk = -1 };
	if (sqlite3_column_type(row, 1) != SQLITE_NULL)
		hit->chunk = sqlite3_column_int64(row, 1);
	hit->kind = row_text(txn, row, 2);
	hit->snippet = row_text(txn, row, 3);
	hit->score = sqlite3_column_double(row, 4);
	name_document(txn, hit);
	if (hit->chunk >= 0)
		name_section(txn, hit);
}

static void hits_done(struct hits *hits)
{
	for (size_t i = 0; i < hits->n; i++) {
		free(hits->items[i].name);
		free(hits->items[i].path);
		free(hits->items[i].kind);
		free(hits->items[i].section);
		free(hits->items[i].snippet);
	}
	free(hits->items);
}

static int find(struct docstore *store, const char *query, size_t n_most, struct hits *ret, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	sqlite3_stmt *row;

	for (row = txn_rows(&txn, SEARCH, db_text(query), db_int((int64_t)n_most)); row != NULL;
	     row = txn_next(&txn, row))
		add_hit(&txn, row, ret);
	return docstore_end(store, &txn);
}

int docstore_search(struct docstore *store, const char *words, size_t n_most,
                    int (*each)(void *user, const struct search_hit *hit), void *user, struct err *err)
{
	struct buf query = { 0 };
	struct hits hits = { 0 };
	int r = check_words(words, &query, err);

	if (r == 0)
		r = find(store, query.data, n_most, &hits, err);
	for (size_t i = 0; i < hits.n && r == 0; i++)
		r = each(user, &hits.items[i]);
	hits_done(&hits);
	buf_done(&query);
	return r;
}
