#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dropin.h"

static void documents_may_be_in_many_places(void **state)
{
	static const char *const FOLDERS[] = { "/srv",     "/srv/scans",          "/home/alice/Documents",
		                               "/mnt/nas", "/var/lib/skimd-more", "/run/media/alice/stick",
		                               "/tmpfiles" };

	(void)state;
	for (size_t i = 0; i < sizeof(FOLDERS) / sizeof(FOLDERS[0]); i++)
		assert_int_equal(dropin_check(FOLDERS[i], NULL), 0);
}

static void what_is_no_place_for_documents_is_refused(void **state)
{
	static const struct {
		const char *folder, *words;
	} REFUSED[] = {
		{ "srv", "srv: is not an absolute path" },
		{ "", ": is not an absolute path" },
		{ "/", "/: is far more than documents; name the folder that they are in" },
		{ "/home", "/home: is far more than documents; name the folder that they are in" },
		{ "/etc", "/etc: is the system's, and no place for documents" },
		{ "/etc/skimd", "/etc/skimd: is the system's, and no place for documents" },
		{ "/proc/self", "/proc/self: is the system's, and no place for documents" },
		{ "/tmp/in", "/tmp/in: the service has a /tmp and a /var/tmp of its own, and sees no other; "
		             "use a folder elsewhere" },
		{ "/var/lib/skimd/inbox", "/var/lib/skimd/inbox: is open to the service already" },
		{ "/srv/a\nReadWritePaths=/", "a name with a line break or another control character" },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
		assert_int_equal(dropin_check(REFUSED[i].folder, &err), -EINVAL);
		assert_string_equal(err.text, REFUSED[i].words);
	}
}

static void a_folder_gives_its_drop_in_a_name_that_no_other_folder_gives(void **state)
{
	static const char *const NAMES[][2] = {
		{ "/srv/scans", "allow-srv-scans.conf" },
		{ "/srv-scans", "allow-srv\\x2dscans.conf" },
		{ "/srv/a b", "allow-srv-a\\x20b.conf" },
		{ "/srv/\xc3\xa4", "allow-srv-\\xc3\\xa4.conf" },
		{ "/srv/a\\x20b", "allow-srv-a\\x5cx20b.conf" },
	};
	char name[NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		assert_int_equal(dropin_name(NAMES[i][0], name, NULL), 0);
		assert_string_equal(name, NAMES[i][1]);
	}
}

static void a_path_that_makes_no_name_is_refused(void **state)
{
	char path[PATH_MAX], name[NAME_MAX + 1];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[NAME_MAX - strlen("allow-.conf") + 2] = '\0';
	assert_int_equal(dropin_name(path, name, NULL), -ENAMETOOLONG);
	path[NAME_MAX - strlen("allow-.conf") + 1] = '\0';
	assert_int_equal(dropin_name(path, name, NULL), 0);
	assert_int_equal(strlen(name), NAME_MAX);
}

static void assert_service(const char *folder, bool write, const char *expected)
{
	struct buf text = { 0 };
	const char *service;

	dropin_print(folder, write, &text);
	assert_int_equal(buf_status(&text), 0);
	service = strstr(text.data, "[Service]\n");
	assert_non_null(service);
	assert_string_equal(service + strlen("[Service]\n"), expected);
	buf_done(&text);
}

static void a_folder_is_opened_for_reading_or_for_writing(void **state)
{
	(void)state;
	assert_service("/srv/scans", false, "ReadOnlyPaths=\"-/srv/scans\"\n");
	assert_service("/srv/scans", true, "ReadWritePaths=\"-/srv/scans\"\n");
}

static void of_a_home_only_the_folder_is_shown(void **state)
{
	(void)state;
	assert_service("/home/alice/in", false, "ProtectHome=tmpfs\nBindReadOnlyPaths=\"-/home/alice/in\"\n");
	assert_service("/root/out", true, "ProtectHome=tmpfs\nBindPaths=\"-/root/out\"\n");
	assert_service("/homes/in", false, "ReadOnlyPaths=\"-/homes/in\"\n");
}

static void what_means_something_in_a_unit_file_is_escaped(void **state)
{
	(void)state;
	assert_service("/srv/50% \"new\" a\\b:c", false,
	               "ReadOnlyPaths=\"-/srv/50%% \\\"new\\\" a\\\\b:c\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_may_be_in_many_places),
		cmocka_unit_test(what_is_no_place_for_documents_is_refused),
		cmocka_unit_test(a_folder_gives_its_drop_in_a_name_that_no_other_folder_gives),
		cmocka_unit_test(a_path_that_makes_no_name_is_refused),
		cmocka_unit_test(a_folder_is_opened_for_reading_or_for_writing),
		cmocka_unit_test(of_a_home_only_the_folder_is_shown),
		cmocka_unit_test(what_means_something_in_a_unit_file_is_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
