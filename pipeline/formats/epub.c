#include "pipeline/formats/epub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/formats/html.h"
#include "pipeline/formats/idmap.h"
#include "pipeline/formats/package.h"
#include "pipeline/formats/story.h"
#include "pipeline/formats/xml.h"

static const char *const CONTAINER_SPACE[] = { "urn:oasis:names:tc:opendocument:xmlns:container", NULL };
static const char *const BOOK_SPACE[] = { "http://www.idpf.org/2007/opf", NULL };
static const char *const ENCRYPTION_SPACE[] = { "http://www.w3.org/2001/04/xmlenc#", NULL };

struct reader {
	struct story story;
	struct package *package;
	const struct format_input *input;
	char *book; /* the member that lists the chapters */
	struct idmap chapters; /* members, by id */
	unsigned n_chapters;
	bool is_protected;
	struct err *err;
};

/* META-INF/container.xml names the book, the first of them if there are several. */
static int start_root(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value path = xml_attribute(xml, NULL, "full-path");

	if (path.text == NULL || reader->book != NULL)
		return 0;
	reader->book = strndup(path.text, path.n);
	return reader->book == NULL ? -ENOMEM : 0;
}

static const struct xml_tag CONTAINER_TAGS[] = { { CONTAINER_SPACE, "rootfile", false, start_root, NULL } };
static const struct xml_dialect CONTAINER = { CONTAINER_TAGS, 1, NULL };

/* Fonts are scrambled in books that everybody may read. */
static int start_method(struct xml *xml, void *user)
{
	static const char *const fonts[] = { "http://www.idpf.org/2008/embedding",
		                             "http://ns.adobe.com/pdf/enc#RC" };
	struct reader *reader = user;
	struct xml_value algorithm = xml_attribute(xml, NULL, "Algorithm");

	if (!xml_value_is(algorithm, fonts[0]) && !xml_value_is(algorithm, fonts[1]))
		reader->is_protected = true;
	return 0;
}

/* The method of a key is that of something else. */
static int pass_over(struct xml *xml, void *user)
{
	(void)xml, (void)user;
	return XML_SKIP;
}

static const struct xml_tag ENCRYPTION_TAGS[] = {
	{ ENCRYPTION_SPACE, "EncryptionMethod", false, start_method, NULL },
	{ ENCRYPTION_SPACE, "EncryptedKey", false, pass_over, NULL },
};
static const struct xml_dialect ENCRYPTION = { ENCRYPTION_TAGS,
	                                       sizeof(ENCRYPTION_TAGS) / sizeof(ENCRYPTION_TAGS[0]), NULL };

static int start_item(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value id = xml_attribute(xml, NULL, "id"), href = xml_attribute(xml, NULL, "href");
	char *name = href.text == NULL ? NULL : package_resolve(reader->book, href.text, href.n);
	int r;

	if (name == NULL)
		return href.text == NULL ? 0 : -ENOMEM;
	r = idmap_add(&reader->chapters, id.text, id.n, name, strlen(name));
	free(name);
	return r;
}

/* A chapter that is damaged or not there leaves a book that is not whole. */
static int read_chapter(struct reader *reader, const char *name)
{
	const char *slash = strrchr(name, '/');
	struct buf bytes = { 0 };
	struct err words = { "" };
	int r = package_read(reader->package, name, &bytes, &words);

	if (r == -EBADMSG || r == -ENOENT)
		sink_truncated(reader->story.sink, words.text);
	if (bytes.n > 0 && (r == 0 || r == -EBADMSG)) {
		struct html_page page = { .bytes = bytes.data,
			                  .n = bytes.n,
			                  .name = slash == NULL ? name : slash + 1,
			                  .max_depth = reader->input->max_depth,
			                  .is_chapter = true };

		r = html_read(&page, reader->story.sink, &reader->story.has_text, &words);
	}
	buf_done(&bytes);
	if (r == -EBADMSG || r == -ENOENT)
		return 0;
	return r < 0 ? err_set(reader->err, r, "%s", words.text) : 0;
}

static int start_reference(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value id = xml_attribute(xml, NULL, "idref");
	const char *name = idmap_find(&reader->chapters, id.text, id.n);
	char words[64];
	int r;

	if (name == NULL)
		return 0;
	if (reader->n_chapters++ == reader->input->max_pages) {
		snprintf(words, sizeof(words), "only the first %u chapters", reader->input->max_pages);
		sink_truncated(reader->story.sink, words);
	}
	if (reader->n_chapters > reader->input->max_pages)
		return 0;
	r = sink_section(reader->story.sink, "", 0);
	return r == 0 ? read_chapter(reader, name) : r;
}

/* The manifest stands in front of the spine. */
static const struct xml_tag BOOK_TAGS[] = {
	{ BOOK_SPACE, "item", false, start_item, NULL },
	{ BOOK_SPACE, "itemref", false, start_reference, NULL },
};
static const struct xml_dialect BOOK = { BOOK_TAGS, sizeof(BOOK_TAGS) / sizeof(BOOK_TAGS[0]), NULL };

static int check_protection(struct reader *reader, struct err *err)
{
	static const char name[] = "META-INF/encryption.xml";
	int r = 0;

	if (package_has(reader->package, name))
		r = xml_read_member(reader->package, name, reader->input->max_depth, &ENCRYPTION, reader,
		                    err);
	if (r == 0 && reader->is_protected)
		return err_set(err, -EACCES, "the book is encrypted (digital rights management)");
	return r;
}

static int read_book(struct reader *reader, struct err *err)
{
	int r = xml_read_member(reader->package, "META-INF/container.xml", reader->input->max_depth,
	                        &CONTAINER, reader, err);

	if (r == -ENOENT || (r == 0 && reader->book == NULL))
		return err_set(err, -EBADMSG, "it does not say where its chapters are listed");
	if (r == 0)
		r = check_protection(reader, err);
	if (r == 0)
		r = xml_read_member(reader->package, reader->book, reader->input->max_depth, &BOOK, reader,
		                    err);
	return r == -ENOENT ? -EBADMSG : r;
}

static int parse_epub(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct err words = { "" };
	struct reader reader = { .story = { .sink = sink }, .input = input, .err = &words };
	int r = package_open(input, &reader.package, &words);

	if (r == 0)
		r = read_book(&reader, &words);
	r = story_finish(&reader.story, r, &words, err);
	story_done(&reader.story);
	idmap_done(&reader.chapters);
	free(reader.book);
	package_close(reader.package);
	return r;
}

static bool is_epub(const struct format_input *input)
{
	struct package *package;
	struct buf type = { 0 };
	bool is;

	if (!package_is(input) || package_open(input, &package, NULL) < 0)
		return false;
	is = (package_read(package, "mimetype", &type, NULL) == 0 && type.n >= 20 &&
	      memcmp(type.data, "application/epub+zip", 20) == 0) ||
	     (type.n == 0 && package_has(package, "META-INF/container.xml"));
	buf_done(&type);
	package_close(package);
	return is;
}

const struct format FORMAT_EPUB = {
	.media_type = "application/epub+zip",
	.name = "an e-book (EPUB)",
	.is = is_epub,
	.parse = parse_epub,
};
