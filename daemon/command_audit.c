/* Commands that show what was looked at. */
#include "daemon/audit_text.h"
#include "daemon/commands_internal.h"

const struct protocol_key AUDIT_KEYS[] = { { "document", JSON_STRING, false },
	                                   { "json", JSON_TRUE, false },
	                                   { NULL, JSON_NULL, false } };

static int send_audit(struct deferred *deferred, enum audit_form form, struct err *err)
{
	struct docstore *store;
	struct buf text = { 0 };
	int r = commands_open_reader(deferred->commands, &store, err);

	if (r < 0)
		return r;
	r = audit_text(store, call_string(deferred->call, "document"), form, &text, err);
	docstore_close(store);
	if (r == 0)
		r = commands_add_text(deferred, &text, err);
	buf_done(&text);
	return r;
}

static int audit(struct deferred *deferred, struct err *err)
{
	return send_audit(deferred, call_is_set(deferred->call, "json") ? AUDIT_JSON : AUDIT_WORDS, err);
}

static int report(struct deferred *deferred, struct err *err)
{
	return send_audit(deferred, AUDIT_REPORT, err);
}

int command_audit(struct call *call, struct err *err)
{
	return commands_defer(call, audit, false, err);
}

int command_report(struct call *call, struct err *err)
{
	return commands_defer(call, report, false, err);
}
