/* skimctl retry, reread and forget: change what is queued and kept. A daemon that has the database is asked; where none is
 * there, it is opened here. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "daemon/skimctl.h"
#include "pipeline/forget.h"

struct change {
	const char *command, *usage;
	const char *what; /* said of each document then: "'x' is ..." */
	/* Without a daemon. */
	int (*run)(const char *config_path, struct docstore *store, int64_t id, struct err *err);
	/* Once behind all of them; NULL: nothing. -EBUSY: the next occasion does it. */
	int (*finish)(struct docstore *store, struct err *err);
};

static int retry(const char *config_path, struct docstore *store, int64_t id, struct err *err)
{
	(void)config_path;
	return docstore_retry(store, id, err);
}

static int reread(const char *config_path, struct docstore *store, int64_t id, struct err *err)
{
	(void)config_path;
	return docstore_reread(store, id, err);
}

/* Blocks first: once the rows are gone nobody knows whose they are. */
static int forget(const char *config_path, struct docstore *store, int64_t id, struct err *err)
{
	int r = skimctl_drop_blocks(config_path, id, err);

	return r < 0 ? r : forget_document(store, id, err);
}

static const struct change RETRY = { "retry", SKIMCTL_RETRY_USAGE, "queued", retry, NULL };
static const struct change REREAD = { "reread", SKIMCTL_REREAD_USAGE, "queued to be read anew", reread,
	                              NULL };
static const struct change FORGET = { "forget", SKIMCTL_FORGET_USAGE, "forgotten", forget, docstore_scrub };

/* document has "document", its number, "name" and "path"; taken over. */
static int print_change(const struct change *change, bool json, json_t *document, struct err *err)
{
	int r = 0;

	if (json)
		r = skimctl_print_json(json_pack("{s:I, s:O?, s:O?, s:s}", "id",
		                                 skimctl_integer(document, "document"), "name",
		                                 json_object_get(document, "name"), "path",
		                                 json_object_get(document, "path"), "change", change->what));
	else
		printf("'%s' is %s\n", skimctl_string(document, "name"), change->what);
	if (skimctl_string(document, "note")[0] != '\0')
		fprintf(stderr, "skimctl: %s\n", skimctl_string(document, "note"));
	json_decref(document);
	return r < 0 ? err_set(err, r, "no memory for the output") : 0;
}

static int ask(const struct change *change, struct control_client *client, const char *word, json_t **ret,
               struct err *err)
{
	json_t *args;
	int r = skimctl_name("document", word, &args, err);

	return r < 0 ? r : skimctl_ask(client, change->command, args, ret, err);
}

static int do_here(const struct change *change, const char *config_path, struct docstore *store,
                   const char *word, json_t **ret, struct err *err)
{
	struct document document = { 0 };
	int64_t id;
	int r;

	if ((r = docstore_resolve(store, word, &id, err)) < 0 ||
	    (r = docstore_get(store, id, &document, err)) < 0)
		return r;
	if ((r = change->run(config_path, store, id, err)) == 0)
		*ret = json_pack("{s:I, s:o, s:o}", "document", (json_int_t)id, "name",
		                 json_of_bytes(document.name), "path", json_of_bytes(document.path));
	document_done(&document);
	return r;
}

/* Without a wait for the lock: a daemon has it for as long as it runs. A database that is not there is not made. */
static int open_for_writing(const char *config_path, struct docstore **ret, struct err *err)
{
	char path[PATH_MAX];
	struct docstore_settings settings = { .path = path, .mode = DOCSTORE_WRITE };
	int r = skimctl_find_store(config_path, path, err);

	if (r < 0)
		return r;
	if (access(path, F_OK) < 0)
		return err_set(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	r = docstore_open(&settings, ret, err);
	return r == -EBUSY ? skimctl_in_use(path, err) : r;
}

static int run(const struct change *change, int argc, char **argv)
{
	struct skimctl_query query = { 0 };
	struct control_client *client = NULL;
	struct docstore *store = NULL;
	struct err err = { "" }, why = { "" };
	int status = SKIMCTL_OK, r;

	if (!skimctl_parse(&query, argc, argv) || optind == argc)
		return skimctl_usage(change->usage);
	r = skimctl_connect(query.config_path, &client, &why);
	if (r < 0 && open_for_writing(query.config_path, &store, &err) < 0) /* not the user's own either */
		return skimctl_fail(r == -EACCES ? &why : &err);
	for (int i = optind; i < argc; i++) {
		json_t *document = NULL;

		r = client != NULL ? ask(change, client, argv[i], &document, &err)
		                   : do_here(change, query.config_path, store, argv[i], &document, &err);
		if (r < 0 || print_change(change, query.json, document, &err) < 0)
			status = skimctl_fail(&err);
	}
	if (store != NULL && change->finish != NULL && (r = change->finish(store, &err)) < 0) {
		skimctl_tell(&err);
		if (r != -EBUSY)
			status = SKIMCTL_FAILED;
	}
	docstore_close(store);
	control_client_close(client);
	return status;
}

int skimctl_retry(int argc, char **argv)
{
	return run(&RETRY, argc, argv);
}

int skimctl_reread(int argc, char **argv)
{
	return run(&REREAD, argc, argv);
}

int skimctl_forget(int argc, char **argv)
{
	return run(&FORGET, argc, argv);
}
