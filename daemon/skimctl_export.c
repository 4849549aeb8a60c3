/* skimctl export: documents and what was read of them, for other programs, out of skimd.db. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "daemon/skimctl.h"
#include "pipeline/output.h"

#define FILE_MODE 0640

struct format {
	const char *word;
	const char *head; /* before the first document */
	int (*print)(const struct reading *reading, bool first, struct buf *ret);
};

struct export
{
	const char *config_path, *path; /* path NULL: standard output */
	const struct format *format;
	struct docstore *store;
	FILE *out;
	size_t n;
};

/* --- Markdown: what stands in the outbox, with a rule between two documents */

/* A name may have line breaks, and whatever a terminal would obey. */
static void put_printable(struct buf *ret, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL) {
		ret->failed = true;
		return;
	}
	text_printable(copy);
	buf_puts(ret, copy);
	free(copy);
}

static int print_markdown(const struct reading *reading, bool first, struct buf *ret)
{
	const struct document *document = &reading->document;

	if (!first)
		buf_puts(ret, "\n---\n\n");
	if (document->fingerprint != NULL)
		return output_markdown(reading, ret);
	buf_puts(ret, "# ");
	put_printable(ret, document->name);
	buf_printf(ret, "\n\n*%s%s", document_state_name(document->state),
	           document->error == NULL ? "" : ": ");
	put_printable(ret, document->error == NULL ? "" : document->error);
	buf_puts(ret, "*\n");
	return buf_status(ret);
}

/* --- JSON: the outbox's objects, one a line, and what the row says beside */

static json_t *object_of(const struct reading *reading)
{
	const struct document *document = &reading->document;
	struct buf text = { 0 };
	json_t *object = output_json(reading, &text) < 0 ? NULL : json_loadb(text.data, text.n, 0, NULL);

	buf_done(&text);
	json_set(&object, "id", json_integer(document->id));
	json_set(&object, "state", json_string(document_state_name(document->state)));
	json_set(&object, "error", json_or_null(document->error));
	json_set(&object, "added_at", json_or_null(document->added_at));
	json_set(&object, "finished_at", json_or_null(document->finished_at));
	return object;
}

static int print_json_line(const struct reading *reading, bool first, struct buf *ret)
{
	(void)first;
	return json_put(object_of(reading), JSON_COMPACT | JSON_REAL_PRECISION(12), ret);
}

/* --- CSV: a row a document */

static const char CSV_HEAD[] = "id,name,path,state,error,media_type,language,bytes,pages,tokens,title,"
			       "summary,key_passages,model,added_at,"
			       "finished_at\n";

/* The next field, in quotes. Who wrote the document may have meant its words to be a formula of whoever opens the table:
 * such a field gets an apostrophe, which programs show as text. */
static void put_text(struct buf *ret, const char *text)
{
	buf_puts(ret, ",\"");
	if (text != NULL && *text != '\0' && strchr("=+-@\t\r", *text) != NULL)
		buf_puts(ret, "'");
	for (; text != NULL && *text != '\0'; text++) {
		if (*text == '"')
			buf_puts(ret, "\"");
		buf_append(ret, text, 1);
	}
	buf_puts(ret, "\"");
}

/* 0: not known. */
static void put_count(struct buf *ret, int64_t n)
{
	buf_puts(ret, ",");
	if (n > 0)
		buf_printf(ret, "%" PRId64, n);
}

static void put_passages(struct buf *ret, const struct passages *passages, enum passage_kind kind)
{
	struct buf joined = { 0 };

	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind == kind)
			buf_printf(&joined, "%s%s", joined.n == 0 ? "" : "\n", passages->items[i].text);
	}
	put_text(ret, joined.data);
	ret->failed |= joined.failed;
	buf_done(&joined);
}

static int print_csv(const struct reading *reading, bool first, struct buf *ret)
{
	const struct document *document = &reading->document;

	(void)first;
	buf_printf(ret, "%" PRId64, document->id);
	put_text(ret, document->name);
	put_text(ret, document->path);
	put_text(ret, document_state_name(document->state));
	put_text(ret, document->error);
	put_text(ret, document->media_type);
	put_text(ret, document->language);
	put_count(ret, document->bytes);
	put_count(ret, document->pages);
	put_count(ret, document->tokens);
	put_passages(ret, &reading->passages, PASSAGE_TITLE);
	put_passages(ret, &reading->passages, PASSAGE_ABSTRACT);
	put_passages(ret, &reading->passages, PASSAGE_KEY);
	put_text(ret, document->model);
	put_text(ret, document->added_at);
	put_text(ret, document->finished_at);
	buf_puts(ret, "\n");
	return buf_status(ret);
}

static const struct format FORMATS[] = {
	{ "jsonl", "", print_json_line },
	{ "md", "", print_markdown },
	{ "csv", CSV_HEAD, print_csv },
};

/* --- the command */

static const struct format *find_format(const char *word)
{
	for (size_t i = 0; i < sizeof(FORMATS) / sizeof(FORMATS[0]); i++) {
		if (strcmp(word, FORMATS[i].word) == 0)
			return &FORMATS[i];
	}
	return NULL;
}

static const struct option OPTIONS[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "output", required_argument, NULL, 'o' },
	{ "config", required_argument, NULL, 'c' },
	{ NULL, 0, NULL, 0 },
};

static bool parse(struct export *export, int argc, char **argv)
{
	int option;

	export->format = &FORMATS[0];
	while ((option = getopt_long(argc, argv, "o:c:", OPTIONS, NULL)) != -1) {
		if (option == 'f')
			export->format = find_format(optarg);
		else if (option == 'o')
			export->path = optarg;
		else if (option == 'c')
			export->config_path = optarg;
		else
			return false;
	}
	return export->format != NULL;
}

static int export_one(struct export *export, int64_t id, struct err *err)
{
	struct reading reading = { 0 };
	struct buf text = { 0 };
	int r = docstore_load(export->store, id, &reading, err);

	if (r < 0)
		return r;
	if (export->format->print(&reading, export->n == 0, &text) < 0)
		r = err_set(err, -ENOMEM, "'%s': no memory to export it", reading.document.name);
	else if (fwrite(text.data, 1, text.n, export->out) < text.n)
		r = err_set(err, -EIO, "%s: %s", export->path == NULL ? "standard output" : export->path,
		            strerror(errno));
	export->n++;
	buf_done(&text);
	reading_done(&reading);
	return r;
}

static int export_named(struct export *export, char **words, int n, struct err *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < n; i++) {
		int64_t id;

		r = docstore_resolve(export->store, words[i], &id, err);
		if (r == 0)
			r = export_one(export, id, err);
	}
	return r;
}

static int export_all(struct export *export, struct err *err)
{
	struct document document = { 0 };
	int64_t id = 0;
	int r;

	while ((r = docstore_next(export->store, id, &document, err)) == 0) {
		id = document.id;
		document_done(&document);
		r = export_one(export, id, err);
		if (r < 0 && r != -ENOENT) /* forgotten just now */
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

static int export_to(struct export *export, FILE *out, char **words, int n, struct err *err)
{
	int r;

	export->out = out;
	fputs(export->format->head, out);
	r = n > 0 ? export_named(export, words, n, err) : export_all(export, err);
	if (r == 0 && fflush(out) != 0)
		r = err_set(err, -errno, "%s: %s", export->path == NULL ? "standard output" : export->path,
		            strerror(errno));
	return r;
}

/* Whole or not at all, as what is there may be an earlier export. */
static int export_to_file(struct export *export, char **words, int n, struct err *err)
{
	char temporary[FILE_TEMPORARY_MAX];
	int fd, r = file_make_temporary(export->path, temporary, &fd, err);
	FILE *out;

	if (r < 0)
		return r;
	out = fdopen(fd, "w");
	if (out == NULL) {
		close(fd);
		r = err_set(err, -ENOMEM, "%s: no memory to write it", export->path);
	} else {
		r = export_to(export, out, words, n, err);
		if (r == 0 &&
		    (fchmod(fd, FILE_MODE) < 0 || fsync(fd) < 0 || rename(temporary, export->path) < 0))
			r = err_set(err, -errno, "%s: cannot be written: %s", export->path, strerror(errno));
		fclose(out);
	}
	if (r < 0)
		unlink(temporary);
	return r;
}

int skimctl_export(int argc, char **argv)
{
	struct export export = { 0 };
	struct err err = { "" };
	int r;

	if (!parse(&export, argc, argv))
		return skimctl_usage(SKIMCTL_EXPORT_USAGE);
	r = skimctl_open_store(export.config_path, &export.store, &err);
	if (r == 0)
		r = export.path != NULL ? export_to_file(&export, argv + optind, argc - optind, &err)
		                        : export_to(&export, stdout, argv + optind, argc - optind, &err);
	docstore_close(export.store);
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}
