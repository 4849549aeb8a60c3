/* The calls of docstore_audit.h. Numbers of parts and layers are lists in JSON, small, and open to any SQLite client by
 * json_each(). */
#include "store/docstore_audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "store/docstore_internal.h"
#include "store/docstore_rows.h"
#include "store/docstore_schema.h"

static void put_number(struct buf *buf, double number)
{
	buf_printf(buf, "%s%.6g", buf->n == 0 ? "[" : ",", number);
}

/* One number of each part: the offset is that of a field of struct look_part. */
static char *list_of_parts(const struct look_part *parts, size_t n, size_t field)
{
	struct buf buf = { 0 };

	for (size_t i = 0; i < n; i++) {
		int64_t value;

		memcpy(&value, (const char *)&parts[i] + field, sizeof(value));
		buf_printf(&buf, "%s%" PRId64, i == 0 ? "[" : ",", value);
	}
	buf_puts(&buf, n == 0 ? "[]" : "]");
	return buf_take(&buf);
}

static size_t count_numbers(const char *list)
{
	size_t n = strcspn(list, "]") > 1;

	for (; *list != '\0'; list++)
		n += *list == ',';
	return n;
}

/* n numbers of a list into a field of each part. False: it has others. */
static bool read_list(const char *list, struct look_part *parts, size_t n, size_t field)
{
	if (list == NULL || count_numbers(list) != n || *list != '[')
		return false;
	for (size_t i = 0; i < n; i++) {
		char *end;
		int64_t value = strtoll(list + 1, &end, 10);

		if (end == list + 1 || (*end != ',' && *end != ']') || value < 0)
			return false;
		memcpy((char *)&parts[i] + field, &value, sizeof(value));
		list = end;
	}
	return true;
}

static void put_look(struct txn *txn, int64_t document_id, int64_t chunk_id, int64_t answer_id,
                     const struct look *look)
{
	char *lengths = list_of_parts(look->parts, look->n_parts, offsetof(struct look_part, length));
	char *n_tokens = list_of_parts(look->parts, look->n_parts, offsetof(struct look_part, n_tokens));
	char *mass = list_of_parts(look->parts, look->n_parts, offsetof(struct look_part, mass));
	char *chosen = list_of_parts(look->parts, look->n_parts, offsetof(struct look_part, chosen));

	if (lengths == NULL || n_tokens == NULL || mass == NULL || chosen == NULL)
		txn_fail(txn, -ENOMEM, "no memory for a reading");
	txn_run(txn, PUT_READING, db_int(document_id), db_int_or_null(chunk_id),
	        db_text(look_kind_name(look->kind)), db_int(look->byte_start), db_int(look->tokens),
	        db_real(look->elsewhere), db_text(lengths), db_text(n_tokens), db_text(mass), db_text(chosen),
	        db_int_or_null(answer_id));
	free(lengths);
	free(n_tokens);
	free(mass);
	free(chosen);
}

void rows_put_looks(struct txn *txn, int64_t document_id, int64_t chunk_id, int64_t answer_id,
                    const struct looks *looks)
{
	for (size_t i = 0; i < looks->n && txn->ret == 0; i++)
		put_look(txn, document_id, chunk_id, answer_id, &looks->items[i]);
}

static bool read_kind(struct txn *txn, sqlite3_stmt *row, int column, enum look_kind *ret)
{
	const char *word = (const char *)sqlite3_column_text(row, column);

	for (int kind = LOOK_TITLE; word != NULL && kind <= LOOK_ANSWER; kind++) {
		if (strcmp(word, look_kind_name((enum look_kind)kind)) == 0) {
			*ret = (enum look_kind)kind;
			return true;
		}
	}
	txn_fail(txn, -EBADMSG, "'%s' in a row is no kind of reading", word == NULL ? "" : word);
	return false;
}

static const char *text_of(sqlite3_stmt *row, int column)
{
	return (const char *)sqlite3_column_text(row, column);
}

/* A row of READING_COLUMNS. */
static void read_look(struct txn *txn, sqlite3_stmt *row, struct looks *ret)
{
	const char *lengths = text_of(row, 4);
	enum look_kind kind;
	struct look *look;

	if (!read_kind(txn, row, 0, &kind))
		return;
	look = looks_add(ret, kind, lengths == NULL ? 0 : count_numbers(lengths));
	if (look == NULL) {
		txn_fail(txn, -ENOMEM, "no memory for a reading");
		return;
	}
	look->byte_start = sqlite3_column_int64(row, 1);
	look->tokens = sqlite3_column_int64(row, 2);
	look->elsewhere = sqlite3_column_double(row, 3);
	look->question_id = sqlite3_column_int64(row, 8);
	if (!read_list(lengths, look->parts, look->n_parts, offsetof(struct look_part, length)) ||
	    !read_list(text_of(row, 5), look->parts, look->n_parts, offsetof(struct look_part, n_tokens)) ||
	    !read_list(text_of(row, 6), look->parts, look->n_parts, offsetof(struct look_part, mass)) ||
	    !read_list(text_of(row, 7), look->parts, look->n_parts, offsetof(struct look_part, chosen)))
		txn_fail(txn, -EBADMSG, "a row of reading has lists that do not fit together");
}

void rows_read_looks(struct txn *txn, int64_t chunk_id, struct looks *ret)
{
	sqlite3_stmt *row;

	for (row = txn_rows(txn, GET_CHUNK_READINGS, db_int(chunk_id)); row != NULL; row = txn_next(txn, row))
		read_look(txn, row, ret);
}

int docstore_next_check(struct docstore *store, const char *fingerprint, struct due_check *ret,
                        struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	sqlite3_stmt *row = txn_rows(&txn, NEXT_CHECK, db_text(fingerprint));
	struct due_check due = { 0 };
	int r;

	if (row == NULL)
		txn_fail(&txn, -ENOENT, "no comparison with dense attention is due");
	else
		due = (struct due_check){ sqlite3_column_int64(row, 0),   sqlite3_column_int64(row, 1),
			                  sqlite3_column_int64(row, 2),   sqlite3_column_int64(row, 3),
			                  sqlite3_column_int64(row, 4),   sqlite3_column_int64(row, 5),
			                  sqlite3_column_int(row, 6) != 0 };
	row_done(row);
	r = docstore_end(store, &txn);
	if (r == 0)
		*ret = due;
	return r;
}

static char *list_of_layers(const struct dense_check *check)
{
	struct buf buf = { 0 };

	for (size_t i = 0; i < check->n_layers; i++)
		put_number(&buf, check->layer_recall[i]);
	buf_puts(&buf, check->n_layers == 0 ? "[]" : "]");
	return buf_take(&buf);
}

static void put_check(struct txn *txn, int64_t due_id, const struct dense_check *check)
{
	char *layers = list_of_layers(check);
	char *lengths = list_of_parts(check->missed, check->n_missed, offsetof(struct look_part, length));
	char *missed = list_of_parts(check->missed, check->n_missed, offsetof(struct look_part, mass));

	if (layers == NULL || lengths == NULL || missed == NULL)
		txn_fail(txn, -ENOMEM, "no memory for a comparison");
	txn_run(txn, PUT_CHECK, db_int(due_id), db_text(look_kind_name(check->kind)), db_int(check->tokens),
	        db_real(check->agrees), db_real(check->score), db_real(check->score_delta),
	        db_real(check->mass_recall), db_real(check->text_recall), db_real(check->chance),
	        db_real(check->skill), db_int(check->worst_layer), db_text(layers), db_int(check->warned),
	        db_int(check->byte_start), db_text(lengths), db_text(missed));
	free(layers);
	free(lengths);
	free(missed);
}

int docstore_put_checks(struct docstore *store, const struct due_check *due, const struct dense_check *checks,
                        size_t n, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	txn_run(&txn, DELETE_OLD_CHECKS, db_int(due->id));
	for (size_t i = 0; i < n && txn.ret == 0; i++)
		put_check(&txn, due->id, &checks[i]);
	txn_run(&txn, CHECK_IS_DONE, db_int(due->id));
	return docstore_end(store, &txn);
}

void audit_done(struct audit *audit)
{
	looks_done(&audit->looks);
	dense_checks_done(&audit->checks);
	*audit = (struct audit){ 0 };
}

static void read_layers(struct txn *txn, const char *list, struct dense_check *ret)
{
	size_t n = list == NULL ? 0 : count_numbers(list);

	ret->layer_recall = array_new(double, n);
	if (ret->layer_recall == NULL) {
		txn_fail(txn, -ENOMEM, "no memory for a comparison");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		char *end;

		ret->layer_recall[i] = strtod(list + 1, &end);
		list = end;
	}
	ret->n_layers = n;
}

static void read_missed(struct txn *txn, const char *lengths, const char *mass, struct dense_check *ret)
{
	ret->n_missed = lengths == NULL ? 0 : count_numbers(lengths);
	ret->missed = array_new(struct look_part, ret->n_missed);
	if (ret->missed == NULL)
		txn_fail(txn, -ENOMEM, "no memory for a comparison");
	else if (!read_list(lengths, ret->missed, ret->n_missed, offsetof(struct look_part, length)) ||
	         !read_list(mass, ret->missed, ret->n_missed, offsetof(struct look_part, mass)))
		txn_fail(txn, -EBADMSG, "a row of dense_check has lists that do not fit together");
}

static void read_check(struct txn *txn, sqlite3_stmt *row, struct dense_checks *ret)
{
	struct dense_check *check = dense_checks_add(ret);
	int column = 0;

	if (check == NULL) {
		txn_fail(txn, -ENOMEM, "no memory for a comparison");
		return;
	}
	check->id = sqlite3_column_int64(row, column++);
	if (!read_kind(txn, row, column++, &check->kind))
		return;
	check->whole = sqlite3_column_int(row, column++) != 0;
	check->checked_at = row_text(txn, row, column++);
	check->tokens = sqlite3_column_int64(row, column++);
	check->agrees = sqlite3_column_double(row, column++);
	check->score = sqlite3_column_double(row, column++);
	check->score_delta = sqlite3_column_double(row, column++);
	check->mass_recall = sqlite3_column_double(row, column++);
	check->text_recall = sqlite3_column_double(row, column++);
	check->chance = sqlite3_column_double(row, column++);
	check->skill = sqlite3_column_double(row, column++);
	check->worst_layer = sqlite3_column_int64(row, column++);
	read_layers(txn, text_of(row, column++), check);
	check->warned = sqlite3_column_int(row, column++) != 0;
	check->byte_start = sqlite3_column_int64(row, column++);
	read_missed(txn, text_of(row, column), text_of(row, column + 1), check);
	check->question_id = sqlite3_column_int64(row, column + 2);
}

int docstore_load_audit(struct docstore *store, int64_t id, struct audit *ret, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	struct audit audit = { 0 };
	sqlite3_stmt *row;
	int r;

	for (row = txn_rows(&txn, GET_READINGS, db_int(id)); row != NULL; row = txn_next(&txn, row))
		read_look(&txn, row, &audit.looks);
	for (row = txn_rows(&txn, GET_CHECKS, db_int(id)); row != NULL; row = txn_next(&txn, row))
		read_check(&txn, row, &audit.checks);
	audit.n_due = rows_first_integer(txn_rows(&txn, COUNT_DUE, db_int(id)));
	r = docstore_end(store, &txn);
	if (r < 0)
		audit_done(&audit);
	else
		*ret = audit;
	return r;
}

struct days {
	struct audit_day *items;
	size_t n, cap;
};

static void read_day(struct txn *txn, sqlite3_stmt *row, struct days *days)
{
	struct audit_day *day;

	if (array_grow(&days->items, sizeof(*days->items), days->n, &days->cap) < 0) {
		txn_fail(txn, -ENOMEM, "no memory for the comparisons");
		return;
	}
	day = &days->items[days->n++];
	day->day = row_text(txn, row, 0);
	day->folder = row_text(txn, row, 1);
	day->n = sqlite3_column_int64(row, 2);
	day->n_warned = sqlite3_column_int64(row, 3);
	day->agrees = sqlite3_column_double(row, 4);
	day->score_delta = sqlite3_column_double(row, 5);
	day->mass_recall = sqlite3_column_double(row, 6);
	day->text_recall = sqlite3_column_double(row, 7);
	day->skill = sqlite3_column_double(row, 8);
}

int docstore_audit_days(struct docstore *store, size_t n_most,
                        int (*each)(void *user, const struct audit_day *day), void *user, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	struct days days = { 0 };
	sqlite3_stmt *row;
	int r;

	for (row = txn_rows(&txn, GET_AUDIT_DAYS, db_int((int64_t)n_most)); row != NULL;
	     row = txn_next(&txn, row))
		read_day(&txn, row, &days);
	r = docstore_end(store, &txn);
	for (size_t i = 0; i < days.n && r == 0; i++)
		r = each(user, &days.items[i]);
	for (size_t i = 0; i < days.n; i++) {
		free(days.items[i].day);
		free(days.items[i].folder);
	}
	free(days.items);
	return r;
}
