/* A skimd.db, damaged or made up, read as skimctl reads it: no call crashes or hangs, and what can be loaded can be shown. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fuzz/target.h"
#include "pipeline/output.h"
#include "store/docstore.h"

#define TEXT "The river rose. The bridge held. Nobody was hurt."
#define HEX64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct docstore *open_store(enum docstore_mode mode, struct err *err)
{
	struct docstore_settings settings = { .mode = mode };
	struct docstore *store = NULL;
	char path[PATH_MAX];

	scratch_path("skimd.db", path);
	settings.path = path;
	return docstore_open(&settings, &store, err) < 0 ? NULL : store;
}

static void add_quote(struct passages *passages, enum passage_kind kind)
{
	struct passage *passage = passages_add(passages, kind);
	struct evidence *evidence = passage_add_evidence(passage);

	passage->text = strdup("The bridge held.");
	evidence->quote = strdup("The bridge held.");
	evidence->section = strdup("Floods");
	evidence->byte_start = 16;
	evidence->byte_end = 32;
}

static void put_document(struct docstore *store, const char *path)
{
	struct document_file file = { .path = path, .output = "/out/it", .size = 3 };
	struct document document = { .sha256 = (char *)(uintptr_t)HEX64,
		                     .media_type = (char *)(uintptr_t) "text/plain",
		                     .model = (char *)(uintptr_t) "nano",
		                     .fingerprint = (char *)(uintptr_t)HEX64 };
	struct document_chunk chunk = { .byte_end = (int64_t)strlen(TEXT), .key = strdup(HEX64) };
	int64_t id;

	add_quote(&chunk.passages, PASSAGE_KEY);
	REQUIRE(docstore_add(store, &file, &id, NULL, NULL) == 0 && docstore_start(store, id, NULL) == 0);
	REQUIRE(docstore_put_text(store, id, &document, TEXT, strlen(TEXT), NULL) == 0);
	REQUIRE(docstore_put_chunk(store, id, &chunk, TEXT, strlen(TEXT), NULL) == 0);
	REQUIRE(docstore_finish(store, id, &document, &chunk.passages, 1, NULL) == 0);
	document_chunk_done(&chunk);
}

static void remove_files(void)
{
	scratch_remove("skimd.db");
	scratch_remove("skimd.db-wal");
	scratch_remove("skimd.db-shm");
}

static struct image make_image(void)
{
	struct docstore *store = open_store(DOCSTORE_WRITE, NULL);

	REQUIRE(store != NULL);
	put_document(store, "/in/a.txt");
	put_document(store, "/in/b.txt");
	docstore_close(store);
	return image_load("skimd.db");
}

static void show(struct docstore *store, int64_t id)
{
	struct reading reading = { 0 };
	struct buf text = { 0 };
	struct err err = { "" };
	char *stored;
	size_t n;

	if (docstore_load(store, id, &reading, &err) == 0) {
		output_markdown(&reading, &text);
		output_json(&reading, &text);
		buf_done(&text);
		reading_done(&reading);
	}
	if (docstore_get_text(store, id, &stored, &n, &err) == 0) {
		REQUIRE(stored[n] == '\0');
		free(stored);
	}
}

static int see(void *user, const struct document *document)
{
	size_t *n = user;

	REQUIRE(document->path != NULL && document->name != NULL);
	document_state_name(document->state);
	return ++*n < 100 ? 0 : -ECANCELED;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct image image;
	struct err err = { "" };
	struct docstore *store;
	size_t n_seen = 0;
	int64_t id = 0;

	if (image.n == 0)
		image = make_image();
	remove_files();
	image_write_damaged(&image, (struct input){ bytes, n }, "skimd.db");
	store = open_store(DOCSTORE_READ, &err);
	if (store == NULL) {
		REQUIRE(err.text[0] != '\0');
		return 0;
	}
	docstore_each(store, see, &n_seen, &err);
	if (docstore_resolve(store, "a.txt", &id, &err) == 0)
		show(store, id);
	show(store, 1);
	show(store, 2);
	docstore_count(store, DOCUMENT_DONE, &id, &err);
	docstore_close(store);
	return 0;
}
