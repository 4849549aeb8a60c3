/* skimctl retry, reread and forget: change what is queued and kept, while no daemon runs. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "daemon/skimctl.h"
#include "pipeline/forget.h"
#include "store/docstore.h"

struct change {
	bool json;
	const char *config_path, *word;
	struct docstore *store;
};

static const struct option OPTIONS[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "config", required_argument, NULL, 'c' },
	{ NULL, 0, NULL, 0 },
};

static bool parse(struct change *change, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:", OPTIONS, NULL)) != -1) {
		if (option == 'j')
			change->json = true;
		else if (option == 'c')
			change->config_path = optarg;
		else
			return false;
	}
	change->word = argv[optind];
	return optind + 1 == argc;
}

/* Without a wait for the lock: a daemon has it for as long as it runs. A database that is not there is not made. */
static int open_store(struct change *change, struct err *err)
{
	char path[PATH_MAX];
	struct docstore_settings settings = { .path = path, .mode = DOCSTORE_WRITE };
	int r = skimctl_find_store(change->config_path, path, err);

	if (r < 0)
		return r;
	if (access(path, F_OK) < 0)
		return err_set(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	r = docstore_open(&settings, &change->store, err);
	if (r == -EBUSY)
		return err_set(
			err, r,
			"%s: in use by another process: stop the daemon, or wait for 'skimctl read', and try "
			"again",
			path);
	return r;
}

static int print_change(const struct change *change, const struct document *document, const char *what)
{
	struct err words;

	if (change->json)
		return skimctl_print_json(json_pack("{s:I, s:o, s:o, s:s}", "id", (json_int_t)document->id,
		                                    "name", json_of_bytes(document->name), "path",
		                                    json_of_bytes(document->path), "change", what));
	err_set(&words, 0, "'%s' is %s", document->name, what);
	text_printable(words.text);
	puts(words.text);
	return 0;
}

/* Blocks first: once the rows are gone nobody knows whose they are. */
static int forget(struct change *change, int64_t id, struct err *err)
{
	int r;

	if ((r = skimctl_drop_blocks(change->config_path, id, err)) < 0 ||
	    (r = forget_document(change->store, id, err)) < 0)
		return r;
	return docstore_scrub(change->store, err);
}

static int retry(struct change *change, int64_t id, struct err *err)
{
	return docstore_retry(change->store, id, err);
}

static int reread(struct change *change, int64_t id, struct err *err)
{
	return docstore_reread(change->store, id, err);
}

static int change_document(struct change *change,
                           int (*make)(struct change *change, int64_t id, struct err *err), const char *what,
                           struct err *err)
{
	struct document document = { 0 };
	int64_t id;
	int r;

	if ((r = docstore_resolve(change->store, change->word, &id, err)) < 0 ||
	    (r = docstore_get(change->store, id, &document, err)) < 0)
		return r;
	r = make(change, id, err);
	if (r == 0 && print_change(change, &document, what) < 0)
		r = err_set(err, -ENOMEM, "no memory for the output");
	document_done(&document);
	return r;
}

static int run(int argc, char **argv, const char *usage,
               int (*make)(struct change *change, int64_t id, struct err *err), const char *what)
{
	struct change change = { 0 };
	struct err err = { "" };
	int r;

	if (!parse(&change, argc, argv))
		return skimctl_usage(usage);
	r = open_store(&change, &err);
	if (r == 0)
		r = change_document(&change, make, what, &err);
	docstore_close(change.store);
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}

int skimctl_retry(int argc, char **argv)
{
	return run(argc, argv, SKIMCTL_RETRY_USAGE, retry, "queued");
}

int skimctl_reread(int argc, char **argv)
{
	return run(argc, argv, SKIMCTL_REREAD_USAGE, reread, "queued to be read anew");
}

int skimctl_forget(int argc, char **argv)
{
	return run(argc, argv, SKIMCTL_FORGET_USAGE, forget, "forgotten");
}
