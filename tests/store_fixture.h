/* A skimd.db in a folder of its own: what all tests of the store share. A step that fails ends the test. */
#ifndef SKIMD_TESTS_STORE_FIXTURE_H
#define SKIMD_TESTS_STORE_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/docstore.h"

struct fixture {
	char folder[40];
	char path[64];
	struct docstore *store;
};

/* The stores' clock, in seconds since 1970: tests set it. */
static int64_t now_s;

static inline int64_t read_clock(void)
{
	return now_s;
}

static inline struct docstore *open_or_fail(const char *path, enum docstore_mode mode)
{
	struct docstore_settings settings = { .path = path, .mode = mode, .clock = read_clock };
	struct docstore *store = NULL;
	struct err err = { "" };

	if (docstore_open(&settings, &store, &err) < 0)
		fail_msg("%s", err.text);
	return store;
}

static inline void reopen(struct fixture *f)
{
	docstore_close(f->store);
	f->store = open_or_fail(f->path, DOCSTORE_WRITE);
}

static inline int set_up_folder(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/skimd_documents.XXXXXX");
	if (mkdtemp(f->folder) == NULL)
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/skimd.db", f->folder);
	now_s = 1800000000; /* 2027-01-15T08:00:00Z */
	*state = f;
	return 0;
}

static inline int set_up_store(void **state)
{
	struct fixture *f;

	if (set_up_folder(state) < 0)
		return -1;
	f = *state;
	f->store = open_or_fail(f->path, DOCSTORE_WRITE);
	return 0;
}

static inline int tear_down(void **state)
{
	static const char *const SUFFIXES[] = { "", "-wal", "-shm", "-journal", "-lock", DOCSTORE_OLD_SUFFIX };
	struct fixture *f = *state;
	char name[80];
	int r;

	docstore_close(f->store);
	for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", f->path, SUFFIXES[i]);
		unlink(name);
	}
	r = rmdir(f->folder);
	free(f);
	return r;
}

#endif
