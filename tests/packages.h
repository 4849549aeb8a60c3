/* What is read of zip files made in memory. A step that fails ends the test. */
#ifndef SKIMD_TESTS_PACKAGES_H
#define SKIMD_TESTS_PACKAGES_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/made.h"
#include "tests/shown.h"

/* The format's media type ends so, and this is what is read. */
static inline void assert_reads(const void *bytes, size_t n, const char *type, const char *expected)
{
	const char *media_type = "";
	struct err err = { "" };
	int r = 0;
	char *text = shown_parse("file", bytes, n, &media_type, &r, &err);

	if (text == NULL)
		fail_msg("%d: %s", r, err.text);
	assert_string_equal(text, expected);
	assert_true(strlen(media_type) >= strlen(type));
	assert_string_equal(media_type + strlen(media_type) - strlen(type), type);
	free(text);
}

static inline void assert_fails(const void *bytes, size_t n, int expected, const char *words)
{
	const char *media_type = "";
	struct err err = { "" };
	int r = 0;
	char *text = shown_parse("file", bytes, n, &media_type, &r, &err);

	if (text != NULL)
		fail_msg("read as %s: %s", media_type, text);
	assert_string_equal(err.text, words);
	assert_int_equal(r, expected);
}

/* Ends the package, and with it the test's use of it. */
static inline void assert_made_reads(struct made *made, const char *type, const char *expected)
{
	made_end(made);
	assert_reads(made->bytes.data, made->bytes.n, type, expected);
	made_done(made);
}

static inline void assert_made_fails(struct made *made, int expected, const char *words)
{
	made_end(made);
	assert_fails(made->bytes.data, made->bytes.n, expected, words);
	made_done(made);
}

#endif
