#include "daemon/inbox_intake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "store/docstore_questions.h"

struct inbox_intake {
	struct inbox_intake_settings settings;
	struct inbox *inbox;
	char told[sizeof(((struct err *)NULL)->text)]; /* the last trouble; "": none */
};

static int say(int verdict, struct err *why, const struct err *words)
{
	*why = *words;
	return verdict;
}

static int take_new_row(struct inbox_intake *intake, const char *inbox, const struct inbox_row *row,
                        struct err *ret_why, struct err *err)
{
	struct question_request request = { .text = row->text,
		                            .source = "inbox",
		                            .fingerprint = intake->settings.fingerprint };
	int64_t id;
	int r = docstore_find_named(intake->settings.store, row->document, &request.document_id, err);

	if (r == 0)
		r = docstore_ask_from_inbox(intake->settings.store, &request, inbox, row->id, &id, err);
	if (r == 0) {
		log_info("inbox: question %lld, of document %lld", (long long)id,
		         (long long)request.document_id);
		intake->settings.asked(intake->settings.user);
		return INBOX_TAKEN;
	}
	if (r == -ENOENT) {
		err_set(ret_why, 0, "no document is named '%s' yet: waiting for it, for %d days",
		        row->document, INBOX_KEEP_S / 86400);
		return INBOX_WAITS;
	}
	return r == -ENOTUNIQ || r == -EINVAL || r == -EAGAIN ? say(INBOX_WAITS, ret_why, err) : r;
}

static int take_row(void *user, const char *inbox, const struct inbox_row *row, struct err *ret_why,
                    struct err *err)
{
	struct inbox_intake *intake = user;
	bool taken;
	int r = docstore_has_inbox_row(intake->settings.store, inbox, row->id, &taken, err);

	if (r < 0)
		return r;
	return taken ? INBOX_TAKEN : take_new_row(intake, inbox, row, ret_why, err);
}

static int see_removed(void *user, const char *inbox, int64_t id, struct err *err)
{
	struct inbox_intake *intake = user;

	return docstore_inbox_removed(intake->settings.store, inbox, id, err);
}

static void tell_aside(struct inbox_intake *intake, const struct err *why)
{
	struct err words;

	if (why->text[0] == '\0')
		return;
	err_set(&words, 0, "inbox: %s: set aside and made anew", why->text);
	text_printable(words.text); /* SQLite may name what somebody made up */
	log_warning("%s", words.text);
	docstore_event(intake->settings.store, "warning", 0, words.text, NULL);
}

/* Each trouble once, and again when there was none in between. */
static void tell_trouble(struct inbox_intake *intake, const char *words)
{
	if (strcmp(intake->told, words) != 0 && words[0] != '\0')
		log_warning("inbox: %s; trying again", words);
	snprintf(intake->told, sizeof(intake->told), "%s", words);
}

int inbox_intake_new(const struct inbox_intake_settings *settings, struct inbox_intake **ret, struct err *err)
{
	struct inbox_intake *intake = calloc(1, sizeof(*intake));
	struct inbox_settings inbox = { .path = settings->path,
		                        .group = settings->group,
		                        .user = intake,
		                        .take = take_row,
		                        .removed = see_removed };
	int r;

	if (intake == NULL)
		return err_set(err, -ENOMEM, "no memory for the inbox");
	intake->settings = *settings;
	r = inbox_new(&inbox, &intake->inbox, err);
	if (r < 0)
		inbox_intake_free(intake);
	else
		*ret = intake;
	return r;
}

void inbox_intake_free(struct inbox_intake *intake)
{
	if (intake == NULL)
		return;
	inbox_free(intake->inbox);
	free(intake);
}

void inbox_intake_cancel(struct inbox_intake *intake)
{
	inbox_cancel(intake->inbox);
}

int inbox_intake_look(struct inbox_intake *intake, bool clean, struct inbox_counts *ret)
{
	struct err aside, err = { "" };
	int r = inbox_look(intake->inbox, clean, ret, &aside, &err);

	tell_aside(intake, &aside);
	tell_trouble(intake, r == 0 || r == -EBUSY || r == -ECANCELED ? "" : err.text);
	return r;
}
