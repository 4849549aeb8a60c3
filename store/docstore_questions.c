/* Questions of docstore.h, as they arrive. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "store/docstore_internal.h"
#include "store/docstore_schema.h"

static int check_text(const char *text, struct err *err)
{
	size_t n = strlen(text);

	if (n == 0)
		return err_set(err, -EINVAL, "the question is empty");
	if (n > QUESTION_MAX_BYTES)
		return err_set(err, -EINVAL, "the question has %zu bytes, more than %d", n,
		               QUESTION_MAX_BYTES);
	if (!text_is_utf8(text, n))
		return err_set(err, -EINVAL, "the question is not UTF-8");
	for (size_t i = 0; i < n; i++) {
		if (text_control_length(text + i) > 0)
			return err_set(err, -EINVAL, "the question has a control character at byte %zu", i);
	}
	return 0;
}

static bool has_document(struct txn *txn, int64_t id)
{
	sqlite3_stmt *row = txn_rows(txn, HAS_DOCUMENT, db_int(id));

	row_done(row);
	return row != NULL;
}

int docstore_ask(struct docstore *store, int64_t document_id, const char *text, const char *source,
                 int64_t *ret_id, struct err *err)
{
	int r = check_text(text, err);
	struct txn txn;
	sqlite3_stmt *row;
	int64_t id;

	if (r < 0)
		return r;
	txn = docstore_begin(store, err);
	if (!has_document(&txn, document_id))
		txn_fail(&txn, -ENOENT, "there is no document %lld", (long long)document_id);
	row = txn_rows(&txn, FIND_QUESTION, db_int(document_id), db_text(text));
	id = row == NULL ? 0 : sqlite3_column_int64(row, 0);
	row_done(row);
	if (id == 0) {
		txn_run(&txn, PUT_QUESTION, db_int(document_id), db_text(text), db_text(source));
		id = txn_last_id(&txn);
	}
	r = docstore_end(store, &txn);
	if (r == 0)
		*ret_id = id;
	return r;
}
