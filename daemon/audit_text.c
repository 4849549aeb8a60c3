#include "daemon/audit_text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "pipeline/audit_output.h"
#include "pipeline/audit_view.h"
#include "pipeline/report.h"
#include "store/docstore_audit.h"

#define MOST_DAYS 200

static int put_view(const struct audit_view *view, enum audit_form form, struct buf *ret, struct err *err)
{
	const struct document *document = &view->reading.document;
	int r;

	if (view->audit.looks.n == 0 && form != AUDIT_REPORT)
		return err_set(
			err, -EAGAIN,
			"nothing was noted of the reading of '%s': 'audit.reading' was off, or an earlier "
			"skimd read it; 'skimctl reread %lld' notes it",
			document->name, (long long)document->id);
	r = form == AUDIT_WORDS  ? audit_output_words(view, ret)
	    : form == AUDIT_JSON ? audit_output_json(view, ret)
	                         : report_html(view, ret);
	return r < 0 ? err_set(err, r, "no memory for the output") : 0;
}

static int put_document(struct docstore *store, const char *word, enum audit_form form, struct buf *ret,
                        struct err *err)
{
	struct audit_view view;
	int64_t id;
	int r;

	if ((r = docstore_resolve(store, word, &id, err)) < 0 ||
	    (r = audit_view_make(store, id, &view, err)) < 0)
		return r;
	r = put_view(&view, form, ret, err);
	audit_view_done(&view);
	return r;
}

static int put_day(void *user, const struct audit_day *day)
{
	struct buf *ret = user;
	char *folder = strdup(day->folder[0] == '\0' ? "(in no watched folder)" : day->folder);

	if (folder == NULL)
		return -ENOMEM;
	text_printable(folder);
	if (ret->n == 0)
		buf_puts(ret, "Comparisons with dense attention, by day and folder:\n"
		              "day          n  warnings  same words  score     kept  least skill\n");
	buf_printf(ret, "%s %4" PRId64 " %9" PRId64 "     %6.1f %% %+6.3f  %5.1f %%  %11.2f  %s\n", day->day,
	           day->n, day->n_warned, 100 * day->agrees, day->score_delta, 100 * day->mass_recall,
	           day->skill, folder);
	free(folder);
	return 0;
}

static int put_day_json(void *user, const struct audit_day *day)
{
	struct buf *ret = user;
	json_t *json = json_pack("{s:s, s:o, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "day", day->day, "folder",
	                         json_of_bytes(day->folder), "n", (json_int_t)day->n, "warned",
	                         (json_int_t)day->n_warned, "agrees", day->agrees, "score_delta",
	                         day->score_delta, "mass_recall", day->mass_recall, "text_recall",
	                         day->text_recall, "least_skill", day->skill);

	return json_put(json, JSON_COMPACT | JSON_REAL_PRECISION(6), ret);
}

static int put_days(struct docstore *store, enum audit_form form, struct buf *ret, struct err *err)
{
	int r = docstore_audit_days(store, MOST_DAYS, form == AUDIT_JSON ? put_day_json : put_day, ret, err);

	if (r == 0 && ret->n == 0 && form == AUDIT_WORDS)
		buf_puts(ret, "Nothing was compared with dense attention yet.\n");
	if (r == -ENOMEM || (r == 0 && buf_status(ret) < 0))
		return err_set(err, -ENOMEM, "no memory for the output");
	return r;
}

int audit_text(struct docstore *store, const char *word, enum audit_form form, struct buf *ret,
               struct err *err)
{
	return word == NULL ? put_days(store, form, ret, err) : put_document(store, word, form, ret, err);
}
