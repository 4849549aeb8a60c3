/* A package of any format that is one. The first byte chooses the format; what follows is the package itself, or the parts
 * that matter most in it, each up to a zero byte: what it takes to pack them is not worth finding. A part that is empty is
 * one that can be read. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/parser.h"
#include "pipeline/formats/docx.h"
#include "pipeline/formats/epub.h"
#include "pipeline/formats/odf.h"
#include "pipeline/formats/ods.h"
#include "pipeline/formats/pptx.h"
#include "pipeline/formats/refused.h"
#include "pipeline/formats/xlsx.h"
#include "tests/made.h"

#define N_PARTS 4
#define R "xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships'"
#define SHEETS "xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main' " R
#define SLIDES "xmlns:p='http://schemas.openxmlformats.org/presentationml/2006/main' " R

struct part {
	const char *name, *otherwise; /* what it is where the input has none */
};

struct kind {
	const struct format *format;
	const char *type, *main_part; /* of an Office package; NULL: it is none */
	struct part parts[N_PARTS];
	const char *relations_member, *relations[13];
};

static const struct kind KINDS[] = {
	{ .format = &FORMAT_DOCX,
	  .type = "wordprocessingml.document.main+xml",
	  .main_part = "word/document.xml",
	  .parts = { { "word/document.xml", "" },
	             { "word/styles.xml", "<s/>" },
	             { "word/footnotes.xml", "<s/>" },
	             { "word/header1.xml", "<s/>" } },
	  .relations_member = "word/_rels/document.xml.rels",
	  .relations = { "s", "styles", "styles.xml", "f", "footnotes", "footnotes.xml", "h", "header",
	                 "header1.xml" } },
	{ .format = &FORMAT_XLSX,
	  .type = "spreadsheetml.sheet.main+xml",
	  .main_part = "xl/workbook.xml",
	  .parts = { { "xl/sheet.xml", "" },
	             { "xl/strings.xml", "<s/>" },
	             { "xl/styles.xml", "<s/>" },
	             { "xl/workbook.xml", "<workbook " SHEETS "><sheet name='a' r:id='a'/></workbook>" } },
	  .relations_member = "xl/_rels/workbook.xml.rels",
	  .relations = { "a", "worksheet", "sheet.xml", "b", "sharedStrings", "strings.xml", "c", "styles",
	                 "styles.xml" } },
	{ .format = &FORMAT_PPTX,
	  .type = "presentationml.presentation.main+xml",
	  .main_part = "ppt/presentation.xml",
	  .parts = { { "ppt/slide.xml", "" },
	             { "ppt/notes.xml", "<s/>" },
	             { "ppt/_rels/slide.xml.rels", "" },
	             { "ppt/presentation.xml", "<p:s " SLIDES "><p:sldId r:id='a'/></p:s>" } },
	  .relations_member = "ppt/_rels/presentation.xml.rels",
	  .relations = { "a", "slide", "slide.xml" } },
	{ .format = &FORMAT_ODT, .parts = { { "content.xml", "" }, { "styles.xml", "<s/>" } } },
	{ .format = &FORMAT_ODP, .parts = { { "content.xml", "" }, { "META-INF/manifest.xml", "" } } },
	{ .format = &FORMAT_ODS, .parts = { { "content.xml", "" } } },
	{ .format = &FORMAT_EPUB,
	  .parts = { { "a", "" },
	             { "b", "<package xmlns='http://www.idpf.org/2007/opf'><item id='a' href='a'/><itemref "
	                    "idref='a'/>"
	                    "<itemref idref='a'/></package>" },
	             { "META-INF/encryption.xml", "<s/>" },
	             { "META-INF/container.xml",
	               "<container xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfile "
	               "full-path='b'/>"
	               "</container>" } } },
	{ .format = &FORMAT_ZIP },
	{ .format = &FORMAT_OLD_OFFICE },
};

#define N_KINDS (sizeof(KINDS) / sizeof(KINDS[0]))

/* Up to the next zero byte, or the end. */
static void add_part(struct made *made, const struct part *part, struct input *input)
{
	const uint8_t *end = memchr(input->bytes, 0, input->n);
	size_t n = end == NULL ? input->n : (size_t)(end - input->bytes);
	struct said said = said_of(input->bytes, n);

	if (n > 0)
		made_add_as(made, part->name, input->bytes, n, &said);
	else
		made_add(made, part->name, part->otherwise);
	input->bytes += n + (end != NULL);
	input->n -= n + (end != NULL);
}

static void check_parts(const struct kind *kind, struct input input)
{
	struct made made = { 0 };

	if (kind->type != NULL)
		made_add_office(&made, kind->type, kind->main_part);
	if (kind->relations_member != NULL)
		made_add_relations(&made, kind->relations_member, kind->relations);
	for (size_t i = 0; i < N_PARTS && kind->parts[i].name != NULL; i++)
		add_part(&made, &kind->parts[i], &input);
	made_end(&made);
	parser_check(kind->format, "a", (const uint8_t *)made.bytes.data, made.bytes.n);
	made_done(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input input = { bytes, n };
	uint8_t choice = input_u8(&input);
	const struct kind *kind = &KINDS[choice % 16 % N_KINDS];

	if (choice >= 128 || kind->parts[0].name == NULL)
		parser_check(kind->format, "a", input.bytes, input.n);
	else
		check_parts(kind, input);
	return 0;
}
