/* skimctl add: has a file that lies in a watched folder looked at now, and copies one from elsewhere into the first of
 * them, by the user's own rights: the daemon reads no path for anybody that it would not read anyway. */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "daemon/file_copy.h"
#include "daemon/ignore.h"
#include "daemon/skimctl.h"

/* *ret is the answer to a path: an object with "watched", and, if it is not, the "folder" to copy it to. */
static int ask(struct control_client *client, const char *path, json_t **ret, struct err *err)
{
	json_t *args = json_pack("{s:s}", "path", path);

	if (args == NULL)
		return err_set(err, -EINVAL,
		               "'%s': a name that is not UTF-8: copy the file into the watched "
		               "folder yourself",
		               path);
	return skimctl_ask(client, "add", args, ret, err);
}

static int print_added(const struct skimctl_query *query, const char *path, json_t *answer)
{
	json_t *document = json_object_get(answer, "document");
	const char *state = document == NULL ? "unsettled" : skimctl_string(document, "state");

	if (query->json)
		return skimctl_print_json(json_pack(
			"{s:o, s:s, s:o}", "path", json_of_bytes(path), "state", state, "id",
			document == NULL ? json_null() : json_integer(skimctl_integer(document, "id"))));
	printf("'%s' is %s%s\n", path, state,
	       document == NULL ? ": it will be queued when it has settled" : "");
	return 0;
}

static int copy_into(const char *path, const char *folder, char *ret, struct err *err)
{
	char copy[PATH_MAX];
	const char *name;

	snprintf(copy, sizeof(copy), "%s", path);
	name = basename(copy);
	if (ignore_matches(name, NULL, 0))
		return err_set(err, -EINVAL, "'%s' has a name that is left alone, see skimd.yaml(5)", path);
	return file_copy_into(path, folder, name, ret, err);
}

/* One that had to be copied is asked for again under its new path. */
static int add(const struct skimctl_query *query, struct control_client *client, const char *word,
               struct err *err)
{
	char path[PATH_MAX], copied[PATH_MAX];
	json_t *answer = NULL;
	int r;

	if (realpath(word, path) == NULL)
		return err_set(err, -errno, "%s: %s", word, strerror(errno));
	if ((r = ask(client, path, &answer, err)) < 0)
		return r;
	if (!json_is_true(json_object_get(answer, "watched"))) {
		const char *folder = json_string_value(json_object_get(answer, "folder"));

		r = folder == NULL ? err_set(err, -EBADMSG, "the daemon has no folder for '%s'", path)
		                   : copy_into(path, folder, copied, err);
		json_decref(answer);
		if (r < 0 || (r = ask(client, copied, &answer, err)) < 0)
			return r;
		snprintf(path, sizeof(path), "%s", copied);
	}
	r = print_added(query, path, answer);
	json_decref(answer);
	return r < 0 ? err_set(err, r, "no memory for the output") : 0;
}

int skimctl_add(int argc, char **argv)
{
	struct skimctl_query query = { 0 };
	struct control_client *client;
	struct err err = { "" };
	int status = SKIMCTL_OK;

	if (!skimctl_parse(&query, argc, argv) || optind == argc)
		return skimctl_usage(SKIMCTL_ADD_USAGE);
	if (skimctl_connect(query.config_path, &client, &err) < 0)
		return skimctl_fail(&err);
	for (int i = optind; i < argc; i++) {
		if (add(&query, client, argv[i], &err) < 0)
			status = skimctl_fail(&err);
	}
	control_client_close(client);
	return status;
}
