#include "bench/made_files.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/file.h"

#define N_LINES 60
#define WORDS_A_LINE 13
#define XML_PER_PACKED 5.96 /* bytes of what is made below to one of the package; measured */

struct words {
	uint64_t state;
};

/* Of one to nine letters, which deflate finds as hard as it finds prose. */
static void put_word(struct words *words, struct buf *ret)
{
	static const char SYLLABLES[][4] = { "ba",  "ke",  "li", "mo", "nu", "ras", "ten", "vor",
		                             "sil", "dun", "an", "er", "in", "o",   "ul",  "tha" };
	unsigned n;

	words->state = words->state * 6364136223846793005u + 1442695040888963407u;
	n = 1 + (unsigned)(words->state >> 60) % 3;
	for (unsigned i = 0; i < n; i++)
		buf_puts(ret, SYLLABLES[words->state >> (33 + 4 * i) & 15]);
}

static void put_words(struct words *words, unsigned n, struct buf *ret)
{
	for (unsigned i = 0; i < n; i++) {
		put_word(words, ret);
		buf_puts(ret, i + 1 < n ? " " : ".");
	}
}

static void put_page(struct words *words, unsigned number, struct buf *ret)
{
	buf_printf(ret, "BT /F1 9 Tf 72 800 Td (Annals of the Northern Light) Tj ET\n"
	                "BT /F1 10 Tf 12 TL 72 770 Td\n");
	for (unsigned i = 0; i < N_LINES; i++) {
		buf_puts(ret, i % 20 == 0 ? "() ' /F2 10 Tf (" : i % 20 == 1 ? "/F1 10 Tf (" : "(");
		put_words(words, i % 20 == 0 ? 4 : WORDS_A_LINE, ret);
		buf_puts(ret, ") '\n");
	}
	buf_printf(ret, "ET\nBT /F1 9 Tf 290 20 Td (%u) Tj ET\n", number);
}

/* An object's number and place; the table of these stands at the end. */
static void begin_object(struct buf *pdf, size_t *offsets, unsigned number)
{
	offsets[number] = pdf->n;
	buf_printf(pdf, "%u 0 obj\n", number);
}

static void put_font(struct buf *pdf, size_t *offsets, unsigned number, const char *name)
{
	begin_object(pdf, offsets, number);
	buf_printf(pdf, "<</Type/Font/Subtype/Type1/BaseFont/%s/Encoding/WinAnsiEncoding>>\nendobj\n", name);
}

static int put_stream(struct buf *pdf, const struct buf *content)
{
	uLongf n = compressBound(content->n);
	char *room;

	buf_reserve(pdf, n + 128);
	buf_printf(pdf, "<</Filter/FlateDecode/Length %10d>>\nstream\n", 0);
	room = buf_reserve(pdf, n);
	if (room == NULL || compress((Bytef *)room, &n, (const Bytef *)content->data, content->n) != Z_OK)
		return -ENOMEM;
	snprintf(room - strlen("0000000000>>\nstream\n"), 11, "%10lu", n);
	room[-(int)strlen(">>\nstream\n")] = '>';
	pdf->n += n;
	buf_puts(pdf, "\nendstream\nendobj\n");
	return buf_status(pdf);
}

static int put_pages(struct buf *pdf, size_t *offsets, unsigned n_pages)
{
	struct words words = { 1 };
	int r = 0;

	for (unsigned i = 0; r == 0 && i < n_pages; i++) {
		struct buf content = { 0 };

		begin_object(pdf, offsets, 5 + 2 * i);
		buf_printf(pdf,
		           "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R/F2 4 "
		           "0 R>>>>"
		           "/Contents %u 0 R>>\nendobj\n",
		           6 + 2 * i);
		begin_object(pdf, offsets, 6 + 2 * i);
		put_page(&words, i + 1, &content);
		r = buf_status(&content) < 0 ? -ENOMEM : put_stream(pdf, &content);
		buf_done(&content);
	}
	return r;
}

static void put_end(struct buf *pdf, const size_t *offsets, unsigned n_objects)
{
	size_t table = pdf->n;

	buf_printf(pdf, "xref\n0 %u\n0000000000 65535 f \n", n_objects + 1);
	for (unsigned i = 1; i <= n_objects; i++)
		buf_printf(pdf, "%010zu 00000 n \n", offsets[i]);
	buf_printf(pdf, "trailer<</Size %u/Root 1 0 R>>\nstartxref\n%zu\n%%%%EOF\n", n_objects + 1, table);
}

static int put_pdf(struct buf *pdf, size_t *offsets, unsigned n_pages)
{
	int r;

	buf_puts(pdf, "%PDF-1.4\n");
	begin_object(pdf, offsets, 1);
	buf_puts(pdf, "<</Type/Catalog/Pages 2 0 R>>\nendobj\n");
	begin_object(pdf, offsets, 2);
	buf_printf(pdf, "<</Type/Pages/Count %u/Kids[", n_pages);
	for (unsigned i = 0; i < n_pages; i++)
		buf_printf(pdf, "%u 0 R ", 5 + 2 * i);
	buf_puts(pdf, "]>>\nendobj\n");
	put_font(pdf, offsets, 3, "Times-Roman");
	put_font(pdf, offsets, 4, "Times-Bold");
	r = put_pages(pdf, offsets, n_pages);
	put_end(pdf, offsets, 4 + 2 * n_pages);
	return r < 0 ? r : buf_status(pdf);
}

int made_pdf(const char *path, unsigned n_pages, struct err *err)
{
	size_t *offsets = array_new(size_t, 5 + 2 * (size_t)n_pages);
	struct buf pdf = { 0 };
	int r = offsets == NULL ? -ENOMEM : put_pdf(&pdf, offsets, n_pages);

	r = r < 0 ? err_set(err, r, "no memory for a PDF file")
	          : file_replace(path, pdf.data, pdf.n, 0600, err);
	buf_done(&pdf);
	free(offsets);
	return r;
}

static void put_paragraph(struct words *words, unsigned number, struct buf *xml)
{
	bool is_heading = number % 20 == 0;

	buf_printf(xml,
	           "<w:p w:rsidR=\"00A77427\" w:rsidRDefault=\"007F1D13\"><w:pPr><w:pStyle w:val=\"%s\"/>"
	           "<w:bidi w:val=\"0\"/><w:spacing w:before=\"86\" w:after=\"86\"/><w:jc "
	           "w:val=\"left\"/></w:pPr>",
	           is_heading ? "Heading1" : "TextBody");
	for (unsigned i = 0; i < (is_heading ? 1 : 3); i++) {
		buf_puts(xml, "<w:r w:rsidRPr=\"00A77427\"><w:rPr><w:rFonts w:cs=\"Arial\"/><w:lang "
		              "w:val=\"en-GB\"/>"
		              "</w:rPr><w:t xml:space=\"preserve\">");
		put_words(words, is_heading ? 4 : 24, xml);
		buf_puts(xml, " </w:t></w:r>");
	}
	buf_puts(xml, "</w:p>");
}

static void put_document(size_t n_bytes, struct buf *xml)
{
	struct words words = { 2 };

	buf_puts(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<w:document xmlns:w=\""
	              "http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>");
	for (unsigned i = 0; xml->n < n_bytes && buf_status(xml) == 0; i++)
		put_paragraph(&words, i, xml);
	buf_puts(xml, "</w:body></w:document>");
}

static const char TYPES[] =
	"<?xml version=\"1.0\"?><Types "
	"xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">"
	"<Default Extension=\"rels\" "
	"ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>"
	"<Override PartName=\"/word/document.xml\" ContentType="
	"\"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml\"/></Types>";
static const char RELATIONS[] = "<?xml version=\"1.0\"?><Relationships "
				"xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">"
				"<Relationship Id=\"rId1\" "
				"Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
				"officeDocument\" Target=\"word/document.xml\"/></Relationships>";

static int add_member(zip_t *zip, const char *name, const void *bytes, size_t n)
{
	zip_source_t *source = zip_source_buffer(zip, bytes, n, 0);

	return source == NULL || zip_file_add(zip, name, source, 0) < 0 ? -EIO : 0;
}

int made_docx(const char *path, size_t n_bytes, struct err *err)
{
	struct buf xml = { 0 };
	zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
	int r;

	if (zip == NULL)
		return err_set(err, -EIO, "'%s' cannot be made", path);
	put_document((size_t)((double)n_bytes * XML_PER_PACKED), &xml);
	if ((r = buf_status(&xml)) < 0 ||
	    (r = add_member(zip, "[Content_Types].xml", TYPES, strlen(TYPES))) < 0 ||
	    (r = add_member(zip, "_rels/.rels", RELATIONS, strlen(RELATIONS))) < 0 ||
	    (r = add_member(zip, "word/document.xml", xml.data, xml.n)) < 0) {
		zip_discard(zip);
		err_set(err, r, "'%s' cannot be made", path);
	} else if (zip_close(zip) < 0) {
		r = err_set(err, -EIO, "'%s': %s", path, zip_strerror(zip));
		zip_discard(zip);
	}
	buf_done(&xml);
	return r;
}

int made_text(const char *path, struct err *err)
{
	return file_replace(path, "A line.\n", strlen("A line.\n"), 0600, err);
}
