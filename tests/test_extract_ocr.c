/* Scans whose pages cannot be read, for whatever reason: stand_in.c takes the place of pdftotext, pdftoppm and tesseract behind
 * the extractor's walls, and a script that of an extractor that does not do as it should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "pipeline/extract.h"

#define PDF "%PDF-1.4\n"

static const char *const PROGRAMS[] = { "pdftotext", "pdftoppm", "tesseract" };
static const char *const VARIABLES[] = { "SKIMD_PROGRAMS", "SKIMD_EXTRACT" };

struct fixture {
	char folder[48];
	char *before[2]; /* of VARIABLES */
	int fd; /* of the document; -1: none yet */
	struct extract_limits limits;
	struct extract_hooks hooks;
	atomic_bool cancel;
	unsigned n_told, cancel_at; /* by the hook: pages that it was told of; 0: never */
	const char *remove_at_second; /* a program that goes when the second page begins; NULL: none */
	struct extracted extracted;
	struct err err;
};

static void path_of(const struct fixture *f, const char *name, char ret[80])
{
	snprintf(ret, 80, "%s/%s", f->folder, name);
}

static void link_programs(const struct fixture *f)
{
	char stand_in[256], path[80];

	snprintf(stand_in, sizeof(stand_in), "%s/tests/stand_in", getenv("abs_top_builddir"));
	for (size_t i = 0; i < sizeof(PROGRAMS) / sizeof(PROGRAMS[0]); i++) {
		path_of(f, PROGRAMS[i], path);
		assert_int_equal(symlink(stand_in, path), 0);
	}
}

static void note_page(void *user, unsigned n_done, unsigned n_pages)
{
	struct fixture *f = user;
	char path[80];

	assert_int_equal(n_done, f->n_told);
	assert_true(n_done < n_pages);
	if (++f->n_told == f->cancel_at)
		f->cancel = true;
	if (n_done == 1 && f->remove_at_second != NULL) {
		path_of(f, f->remove_at_second, path);
		unlink(path);
	}
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*f = (struct fixture){ .folder = "/tmp/test_extract_ocr.XXXXXX",
		               .fd = -1,
		               .limits = { .timeout_s = 60, .ocr_languages = "eng" },
		               .hooks = { .user = f, .cancel = &f->cancel, .pages = note_page } };
	assert_non_null(mkdtemp(f->folder));
	link_programs(f);
	for (size_t i = 0; i < 2; i++) {
		const char *value = getenv(VARIABLES[i]);

		f->before[i] = value == NULL ? NULL : strdup(value);
	}
	assert_int_equal(setenv("SKIMD_PROGRAMS", f->folder, 1), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const OTHERS[] = { "document", "extract" };
	struct fixture *f = *state;
	char path[80];

	for (size_t i = 0; i < 2; i++) {
		if (f->before[i] == NULL)
			unsetenv(VARIABLES[i]);
		else
			setenv(VARIABLES[i], f->before[i], 1);
		free(f->before[i]);
		path_of(f, OTHERS[i], path);
		unlink(path);
	}
	for (size_t i = 0; i < sizeof(PROGRAMS) / sizeof(PROGRAMS[0]); i++) {
		path_of(f, PROGRAMS[i], path);
		unlink(path);
	}
	assert_int_equal(rmdir(f->folder), 0);
	if (f->fd >= 0)
		close(f->fd);
	extracted_done(&f->extracted);
	free(f);
	return 0;
}

/* Read a document of such pages. */
static int read_pages(struct fixture *f, const char *pages)
{
	char path[80], bytes[512];

	if (f->fd >= 0)
		close(f->fd);
	extracted_done(&f->extracted);
	path_of(f, "document", path);
	snprintf(bytes, sizeof(bytes), "%s%s", PDF, pages);
	assert_int_equal(file_replace(path, bytes, strlen(bytes), 0600, NULL), 0);
	f->fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(f->fd >= 0);
	f->n_told = 0;
	return extract_file(f->fd, "scan.pdf", &f->limits, &f->hooks, &f->extracted, &f->err);
}

static void assert_read(struct fixture *f, const char *pages, const char *text, const char *ocr_pages,
                        const char *truncated)
{
	if (read_pages(f, pages) < 0)
		fail_msg("%s", f->err.text);
	assert_string_equal(f->extracted.text, text);
	if (ocr_pages == NULL)
		assert_null(f->extracted.ocr_pages);
	else
		assert_string_equal(f->extracted.ocr_pages, ocr_pages);
	assert_string_equal(f->extracted.truncated, truncated);
}

static void assert_fails(struct fixture *f, const char *pages, int code, const char *words)
{
	assert_int_equal(read_pages(f, pages), code);
	assert_string_equal(f->err.text, words);
}

static void pictures_get_their_words_and_are_listed(void **state)
{
	struct fixture *f = *state;

	assert_read(f,
	            "text The harbour.\nscan Boats|at noon.\nscan Nets.\nscan Oars.\ntext Tar.\nscan Salt.\n",
	            "The harbour.\n\nBoats\nat noon.\n\nNets.\n\nOars.\n\nTar.\n\nSalt.\n", "2-4,6", "");
	assert_int_equal(f->extracted.n_pages, 6);
	assert_int_equal(f->n_told, 4);
	assert_read(f, "scan \ntext Tar.\nscan  \n", "Tar.\n", NULL, "");
}

static void a_page_that_cannot_be_read_is_left_out_which_is_said(void **state)
{
	struct fixture *f = *state;

	assert_read(f, "text The harbour.\nscan Boats.\ntesseract gives up\nscan Nets.\n",
	            "The harbour.\n\nBoats.\n\nNets.\n", "2,4",
	            "1 page could not be read by OCR, page 3 as the first: tesseract cannot read it");
	assert_read(f, "pdftoppm crashes\ntext The harbour.\ntesseract crashes\n", "The harbour.\n", NULL,
	            "2 pages could not be read by OCR, page 1 as the first: "
	            "pdftoppm crashed on it (SIGABRT)");
}

static void where_no_page_can_be_read_the_first_one_says_why(void **state)
{
	static const struct {
		const char *pages, *words;
		int code;
	} CASES[] = {
		{ "pdftoppm gives up\n", "page 1, by OCR: pdftoppm cannot draw it", -EBADMSG },
		{ "scan \npdftoppm crashes\n", "page 2, by OCR: pdftoppm crashed on it (SIGABRT)", -EBADMSG },
		{ "pdftoppm draws too much\n", "page 1, by OCR: the page is too large to be drawn", -EFBIG },
		{ "tesseract gives up\ntesseract crashes\n", "page 1, by OCR: tesseract cannot read it",
		  -EBADMSG },
		{ "tesseract crashes\n", "page 1, by OCR: tesseract crashed on it (SIGABRT)", -EBADMSG },
		{ "tesseract is killed\n",
		  "page 1, by OCR: tesseract was killed on it, as happens where memory is short", -EFBIG },
		{ "tesseract floods\n", "page 1, by OCR: tesseract writes more than a page can hold",
		  -EFBIG },
		{ "scan \nscan  \n", "there is no text on its pages, and OCR (eng) found none", -ENODATA },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
		assert_fails(f, CASES[i].pages, CASES[i].code, CASES[i].words);
}

/* By the clock, or by its processor time: whichever comes first. */
static void a_page_that_takes_too_long_is_ended(void **state)
{
	struct fixture *f = *state;

	f->limits.timeout_s = 2; /* also of what does not hang, on a machine that is busy */
	assert_fails(f, "tesseract hangs\n", -ETIME,
	             "page 1, by OCR: taking its text out took longer than 2 s (extract.timeout)");
	assert_int_equal(read_pages(f, "text The harbour.\ntesseract spins\nscan Nets.\n"), 0);
	assert_string_equal(f->extracted.text, "The harbour.\n\nNets.\n");
	assert_non_null(strstr(f->extracted.truncated, "page 2 as the first: t"));
}

static void after_three_slow_pages_the_rest_is_left(void **state)
{
	struct fixture *f = *state;

	f->limits.timeout_s = 2; /* also of what does not hang, on a machine that is busy */
	assert_read(f,
	            "text The harbour.\nscan Boats.\ntesseract hangs\npdftoppm hangs\ntesseract hangs\nscan "
	            "Nets.\n",
	            "The harbour.\n\nBoats.\n", "2",
	            "4 pages could not be read by OCR, page 3 as the first: "
	            "taking its text out took longer than 2 s (extract.timeout)");
	assert_int_equal(f->n_told, 4);
}

/* What is no text becomes some, on this page and on no other. */
static void rubbish_is_only_text(void **state)
{
	struct fixture *f = *state;

	assert_read(f, "text The harbour.\ntesseract babbles\nscan Nets.\n",
	            "The harbour.\n\n\xef\xbf\xbd\xef\xbf\xbd [2J dark \xef\xbf\xbd\nwords\n\nNets.\n", "2-3",
	            "");
	assert_true(text_is_utf8(f->extracted.text, f->extracted.n));
	assert_int_equal(f->extracted.n_pages, 3);
}

/* Hundreds of megabytes of pictures, page for page: only programs read them. */
static void the_pictures_are_not_taken_into_memory(void **state)
{
	const size_t n_bytes = (size_t)256 << 20;
	struct fixture *f = *state;
	struct rusage usage;

	assert_int_equal(read_pages(f, "scan Boats.\ntext Tar.\n"), 0);
	extracted_done(&f->extracted);
	assert_int_equal(ftruncate(f->fd, (off_t)n_bytes), 0);
	assert_int_equal(extract_file(f->fd, "scan.pdf", &f->limits, NULL, &f->extracted, &f->err), 0);
	assert_string_equal(f->extracted.text, "Boats.\n\nTar.\n");
	assert_int_equal(f->extracted.bytes, n_bytes);
	assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
	assert_in_range(usage.ru_maxrss, 1, (n_bytes >> 10) / 2);
}

static void pages_beyond_the_limit_are_left_out(void **state)
{
	struct fixture *f = *state;

	f->limits.max_ocr_pages = 2;
	assert_read(f, "scan Boats.\nscan Nets.\nscan Oars.\n", "Boats.\n\nNets.\n", "1-2",
	            "of 3 pages without text OCR read the first 2 (extract.ocr_max_pages)");
}

static void it_stops_between_two_pages_when_told_to(void **state)
{
	struct fixture *f = *state;

	f->cancel_at = 2;
	assert_fails(f, "text The harbour.\nscan Boats.\nscan Nets.\nscan Oars.\n", -ECANCELED,
	             "told to stop");
	assert_int_equal(f->n_told, 2);
}

/* The document is not the one to blame, and is tried again. */
static void a_program_that_is_gone_fails_the_document(void **state)
{
	struct fixture *f = *state;

	f->remove_at_second = "tesseract";
	assert_fails(f, "text The harbour.\nscan Boats.\nscan Nets.\n", -ENOPKG,
	             "needs tesseract (package tesseract-ocr)");
}

/* A script that does this on page 3, and else is the extractor. */
static void write_extractor(struct fixture *f, const char *commands)
{
	char path[80], script[512];

	path_of(f, "extract", path);
	snprintf(script, sizeof(script), "#!/bin/sh\n[ \"$6\" != 3 ] || { %s; }\nexec '%s' \"$@\"\n",
	         commands, f->before[1]);
	assert_int_equal(file_replace(path, script, strlen(script), 0700, NULL), 0);
	assert_int_equal(setenv("SKIMD_EXTRACT", path, 1), 0);
}

static void an_extractor_that_fails_on_a_page_costs_that_page(void **state)
{
	static const struct {
		const char *commands, *words;
	} CASES[] = {
		{ "kill -SEGV $$", "the extractor crashed on it (SIGSEGV)" },
		{ "kill -SYS $$", "the extractor did what it may not, and was ended (SIGSYS)" },
		{ "echo rubbish; exit 0", "the extractor ended without a result" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		char truncated[256];

		write_extractor(f, CASES[i].commands);
		snprintf(truncated, sizeof(truncated),
		         "1 page could not be read by OCR, page 3 as the first: %.60s", CASES[i].words);
		assert_read(f, "text The harbour.\nscan Boats.\nscan Nets.\nscan Oars.\n",
		            "The harbour.\n\nBoats.\n\nOars.\n", "2,4", truncated);
	}
}

static void a_machine_that_cannot_fails_the_document(void **state)
{
	struct fixture *f = *state;

	write_extractor(f, "kill -KILL $$");
	assert_fails(f, "text The harbour.\nscan Boats.\nscan Nets.\n", -ENOMEM,
	             "the extractor was killed, as happens where memory is short");
	write_extractor(f, "exit 3");
	assert_fails(f, "scan Boats.\nscan Oars.\nscan Nets.\n", -EIO,
	             "the extractor could not say what it found");
}

static void a_file_that_changes_meanwhile_is_read_again(void **state)
{
	struct fixture *f = *state;
	char commands[128];

	snprintf(commands, sizeof(commands), "echo text more >>%s/document", f->folder);
	write_extractor(f, commands);
	assert_fails(f, "text The harbour.\nscan Boats.\nscan Nets.\n", -EAGAIN, "changed while being read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pictures_get_their_words_and_are_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_page_that_cannot_be_read_is_left_out_which_is_said, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(where_no_page_can_be_read_the_first_one_says_why, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_page_that_takes_too_long_is_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(after_three_slow_pages_the_rest_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(rubbish_is_only_text, setup, teardown),
		cmocka_unit_test_setup_teardown(the_pictures_are_not_taken_into_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_beyond_the_limit_are_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(it_stops_between_two_pages_when_told_to, setup, teardown),
		cmocka_unit_test_setup_teardown(a_program_that_is_gone_fails_the_document, setup, teardown),
		cmocka_unit_test_setup_teardown(an_extractor_that_fails_on_a_page_costs_that_page, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_machine_that_cannot_fails_the_document, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_that_changes_meanwhile_is_read_again, setup, teardown),
	};

	return cmocka_run_group_tests_name("extract_ocr", tests, NULL, NULL);
}
