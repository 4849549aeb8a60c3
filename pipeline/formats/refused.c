#include "pipeline/formats/refused.h"

#include <errno.h>
#include <string.h>

#include "pipeline/formats/opc.h"
#include "pipeline/formats/package.h"

#define SECTOR 512 /* at whose multiples the names of streams stand, 128 bytes each */
#define ENTRY 128
#define NAME_MAX_BYTES 64

static const char OLD_OFFICE[] = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

static bool is_old_office(const struct format_input *input)
{
	return input->n >= SECTOR && memcmp(input->bytes, OLD_OFFICE, sizeof(OLD_OFFICE) - 1) == 0;
}

/* A name in UTF-16, up to its zero. */
static bool is_name(const char *entry, const char *name)
{
	size_t n = strlen(name) + 1;

	for (size_t i = 0; i < n; i++)
		if (entry[2 * i] != name[i] || entry[2 * i + 1] != '\0')
			return false;
	return 2 * n <= NAME_MAX_BYTES;
}

/* Whether the container has a stream of this name. Its directory may lie anywhere, but at a sector's start. */
static bool has_stream(const struct format_input *input, const char *name)
{
	for (size_t at = SECTOR; at + ENTRY <= input->n; at += ENTRY)
		if (is_name(input->bytes + at, name))
			return true;
	return false;
}

static int refuse_old_office(const struct format_input *input, struct sink *sink, struct err *err)
{
	static const struct {
		const char *stream, *words;
	} kinds[] = {
		{ "WordDocument", "an old Word document: save it as .docx" },
		{ "Workbook", "an old Excel workbook: save it as .xlsx" },
		{ "Book", "an old Excel workbook: save it as .xlsx" },
		{ "PowerPoint Document", "an old PowerPoint presentation: save it as .pptx" },
		{ "__properties_version1.0", "an Outlook message: save it as .eml" },
		{ "VisioDocument", "a Visio drawing: save it as a PDF file" },
		{ "Quill", "a Publisher document: save it as a PDF file" },
	};

	(void)sink;
	if (has_stream(input, "EncryptedPackage"))
		return err_set(err, -EACCES, "it is encrypted: save it without a password");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (has_stream(input, kinds[i].stream))
			return err_set(err, -ENOTSUP, "%s", kinds[i].words);
	return err_set(err, -ENOTSUP,
	               "an old Office document: save it in a format of today, or as a PDF file");
}

/* Also what package_open() says of a damaged one, which may be of any kind. */
static int refuse_zip(const struct format_input *input, struct sink *sink, struct err *err)
{
	static const char *const binary[] = { "ms-excel.sheet.binary", NULL };
	struct package *package;
	int r = package_open(input, &package, err);

	(void)sink;
	if (r < 0)
		return r;
	package_close(package);
	if (opc_has_content(input, binary))
		return err_set(err, -ENOTSUP, "a binary Excel workbook: save it as .xlsx");
	return err_set(err, -ENOTSUP, "a ZIP archive: unpack it, and give what is in it");
}

const struct format FORMAT_OLD_OFFICE = {
	.media_type = "application/x-ole-storage",
	.name = "an old Office document",
	.is = is_old_office,
	.parse = refuse_old_office,
};

const struct format FORMAT_ZIP = {
	.media_type = "application/zip",
	.name = "a ZIP archive",
	.is = package_is,
	.parse = refuse_zip,
};
