/* An inbox.db, damaged or made up, with any journal beside it: a look at it ends, what it offers is text of a bounded length,
 * the inbox works again after a few looks, and no other file of the folder is touched. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/target.h"
#include "store/inbox.h"

#define VICTIM "victim"
#define PRECIOUS "precious"
#define MAX_JOURNAL 2048

static size_t n_offered;

static int take(void *user, const char *inbox, const struct inbox_row *row, struct err *ret_why,
                struct err *err)
{
	(void)user;
	(void)err;
	REQUIRE(inbox[0] != '\0' && row->document != NULL && row->text != NULL);
	REQUIRE(strlen(row->document) <= INBOX_MAX_TEXT && strlen(row->text) <= INBOX_MAX_TEXT);
	if (++n_offered % 3 != 0)
		return INBOX_TAKEN;
	err_set(ret_why, 0, "no document is named '%s'", row->document);
	return INBOX_WAITS;
}

static int see_removed(void *user, const char *inbox, int64_t id, struct err *err)
{
	(void)user;
	(void)inbox;
	(void)id;
	(void)err;
	return 0;
}

static struct inbox *open_inbox(void)
{
	char path[PATH_MAX];
	struct inbox_settings settings = {
		.path = path, .group = (gid_t)-1, .take = take, .removed = see_removed
	};
	struct inbox *inbox = NULL;

	scratch_path("inbox.db", path);
	REQUIRE(inbox_new(&settings, &inbox, NULL) == 0);
	return inbox;
}

static int look(struct inbox *inbox, struct err *ret_aside)
{
	struct inbox_counts counts;
	struct err err = { "" };
	int r = inbox_look(inbox, true, &counts, ret_aside, &err);

	REQUIRE(r == 0 || err.text[0] != '\0');
	REQUIRE(counts.n_taken >= 0 && counts.n_waiting >= 0);
	return r;
}

static void insert_rows(void)
{
	char path[PATH_MAX];
	sqlite3 *sqlite;

	scratch_path("inbox.db", path);
	REQUIRE(sqlite3_open(path, &sqlite) == SQLITE_OK);
	REQUIRE(sqlite3_exec(sqlite,
	                     "INSERT INTO question(document, text) VALUES ('a.pdf', 'Who?'),"
	                     " ('b.pdf', printf('%.*c', 3000, 'x')), ('c.pdf', 'Why?'), ('d.pdf', 'When?')",
	                     NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(sqlite);
}

static void remove_files(void)
{
	static const char *const NAMES[] = { "inbox.db",         "inbox.db-journal",         "inbox.db.new",
		                             "inbox.db.damaged", "inbox.db.damaged-journal", VICTIM };

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
		scratch_remove(NAMES[i]);
}

static struct image make_image(struct inbox *inbox)
{
	struct err aside;

	REQUIRE(look(inbox, &aside) == 0);
	insert_rows();
	return image_load("inbox.db");
}

/* The magic number is given, and so is the other file's name where the journal's end is to have one. */
static void write_journal(struct input *input)
{
	uint8_t journal[MAX_JOURNAL] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7 };
	size_t n = input_u32(input) % MAX_JOURNAL;

	for (size_t i = 8; i < n && input->n > 0; i++)
		journal[i] = input_u8(input);
	scratch_write("inbox.db-journal", journal, n);
}

static void expect_victim(void)
{
	char path[PATH_MAX], bytes[sizeof(PRECIOUS)] = "";
	FILE *file;

	scratch_path(VICTIM, path);
	file = fopen(path, "r");
	REQUIRE(file != NULL);
	REQUIRE(fread(bytes, 1, sizeof(bytes), file) == strlen(PRECIOUS) && strcmp(bytes, PRECIOUS) == 0);
	fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct inbox *inbox;
	static struct image image;
	struct input input = { bytes, n };
	struct err aside = { "" };

	remove_files();
	if (inbox == NULL) {
		inbox = open_inbox();
		image = make_image(inbox);
	}
	scratch_write(VICTIM, PRECIOUS, strlen(PRECIOUS));
	if (input_u8(&input) % 2 == 1)
		write_journal(&input);
	image_write_damaged(&image, input, "inbox.db");
	for (int i = 0; i < 4; i++)
		look(inbox, &aside);
	REQUIRE(look(inbox, &aside) == 0 && aside.text[0] == '\0');
	expect_victim();
	return 0;
}
