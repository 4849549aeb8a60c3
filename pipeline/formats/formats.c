#include "pipeline/formats/formats.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pipeline/charset.h"
#include "pipeline/formats/csv.h"
#include "pipeline/formats/docx.h"
#include "pipeline/formats/epub.h"
#include "pipeline/formats/html.h"
#include "pipeline/formats/info_file.h"
#include "pipeline/formats/latex.h"
#include "pipeline/formats/mail.h"
#include "pipeline/formats/manual_page.h"
#include "pipeline/formats/odf.h"
#include "pipeline/formats/ods.h"
#include "pipeline/formats/packing.h"
#include "pipeline/formats/pdf.h"
#include "pipeline/formats/pptx.h"
#include "pipeline/formats/refused.h"
#include "pipeline/formats/rtf.h"
#include "pipeline/formats/source_code.h"
#include "pipeline/formats/subtitles.h"
#include "pipeline/formats/xlsx.h"
#include "pipeline/gunzip.h"
#include "pipeline/magic.h"
#include "pipeline/markdown.h"
#ifdef HAVE_LZMA
#include "pipeline/unxz.h"
#endif
#ifdef HAVE_ZSTD
#include "pipeline/unzstd.h"
#endif
#ifdef HAVE_BZIP2
#include "pipeline/bunzip2.h"
#endif

static const struct packing PACKINGS[] = {
	{ "gzip", ".gz", gunzip_is, gunzip },
#ifdef HAVE_LZMA
	{ "xz", ".xz", unxz_is, unxz },
#endif
#ifdef HAVE_ZSTD
	{ "Zstandard", ".zst", unzstd_is, unzstd },
#endif
#ifdef HAVE_BZIP2
	{ "bzip2", ".bz2", bunzip2_is, bunzip2 },
#endif
};

/* In this order; the more special stand before what they are a case of. */
static const struct format *const FORMATS[] = {
	&FORMAT_PDF,
	/* packages */
	&FORMAT_DOCX,
	&FORMAT_XLSX,
	&FORMAT_PPTX,
	&FORMAT_ODT,
	&FORMAT_ODS,
	&FORMAT_ODP,
	&FORMAT_EPUB,
	&FORMAT_ZIP,
	&FORMAT_OLD_OFFICE,
	&FORMAT_HTML,
	&FORMAT_RTF,
	&FORMAT_MBOX,
	&FORMAT_MAIL,
	&FORMAT_INFO,
	/* texts */
	&FORMAT_WEBVTT,
	&FORMAT_SUBRIP,
	&FORMAT_MANUAL_PAGE,
	&FORMAT_LATEX,
	&FORMAT_CSV,
	NULL,
};

static const char PLAIN[] = "text/plain", MARKDOWN[] = "text/markdown";

#define N_PACKINGS (sizeof(PACKINGS) / sizeof(PACKINGS[0]))

static const struct packing *find_packing(const struct buf *bytes)
{
	for (size_t i = 0; i < N_PACKINGS; i++)
		if (PACKINGS[i].is(bytes->data, bytes->n))
			return &PACKINGS[i];
	return NULL;
}

/* The packing that the bytes were in goes to *ret; NULL: none. */
static int unpack(struct buf *bytes, uint64_t max_bytes, const struct packing **ret, struct err *err)
{
	const struct packing *packing = find_packing(bytes);
	struct buf unpacked = { 0 };
	int r;

	*ret = packing;
	if (packing == NULL)
		return 0;
	r = packing->unpack(bytes->data, bytes->n, max_bytes, &unpacked, err);
	if (r == 0 && find_packing(&unpacked) != NULL)
		r = err_set(err, -ENOTSUP, "a %s file within a %s file: only one layer is unpacked",
		            find_packing(&unpacked)->name, packing->name);
	if (r == 0 && unpacked.n == 0)
		r = err_set(err, -ENODATA, "the file holds no text");
	buf_done(bytes);
	*bytes = unpacked;
	return r;
}

static bool ends_with(const char *string, size_t n, const char *ending)
{
	return n > strlen(ending) && strncasecmp(string + n - strlen(ending), ending, strlen(ending)) == 0;
}

/* The name that the file had before it was packed, without folders. */
static char *name_of(const char *name, const struct packing *packing)
{
	const char *slash = strrchr(name, '/'), *start = slash == NULL ? name : slash + 1;
	size_t n = strlen(start);

	if (packing != NULL && ends_with(start, n, packing->ending))
		n -= strlen(packing->ending);
	return strndup(start, n);
}

static int check_words(const struct buf *text, struct err *err)
{
	size_t i = text->n >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	for (; i < text->n; i++)
		if (!isspace((unsigned char)text->data[i]))
			return 0;
	return err_set(err, -ENODATA, "the file holds no text");
}

static bool is_named_markdown(const char *name)
{
	return ends_with(name, strlen(name), ".md") || ends_with(name, strlen(name), ".markdown");
}

static int take_plain(struct buf *bytes, const char *media_type, struct parsed *parsed, struct err *err)
{
	parsed->media_type = media_type;
	parsed->result.n = bytes->n;
	parsed->result.text = buf_take(bytes);
	return parsed->result.text == NULL ? err_set(err, -ENOMEM, "no memory for its text") : 0;
}

/* What a parser has put into a sink that is full is as good as all of it. */
static int parse(const struct format *format, const struct format_input *input, size_t max_text_bytes,
                 struct parsed *parsed, struct err *err)
{
	struct sink *sink = NULL;
	int r = sink_new(max_text_bytes, &sink, err);

	if (r < 0)
		return r;
	sink_set_outlet(sink, input->outlet);
	r = format->parse(input, sink, err);
	if (r < 0 && sink_is_full(sink))
		r = 0;
	if (r == 0)
		r = sink_take(sink, &parsed->result, err);
	if (r == 0 && parsed->result.n + parsed->result.n_out == 0)
		r = err_set(err, -ENODATA, "the file holds no text");
	parsed->media_type = format->media_type;
	sink_free(sink);
	return r;
}

static const struct format *find_among(const struct format *const *formats, const struct format_input *input,
                                       bool is_text)
{
	for (; *formats != NULL; formats++)
		if ((*formats)->is_text == is_text && (*formats)->is(input))
			return *formats;
	return NULL;
}

static const struct format *find_format(const struct format_input *input, bool is_text)
{
	const struct format *format = find_among(FORMATS, input, is_text);

	return format != NULL ? format : find_among(FORMATS_SOURCE_CODE, input, is_text);
}

/* PDF alone, which is known by its first bytes. */
bool formats_is_for_programs(const char *beginning, size_t n)
{
	const struct format_input input = { .bytes = beginning, .n = n, .name = "" };

	return FORMAT_PDF.is(&input);
}

static void set_bytes(struct format_input *input, const struct buf *bytes)
{
	input->bytes = bytes->data;
	input->n = bytes->n;
}

static int parse_text(struct buf *bytes, struct format_input *input, size_t max_text_bytes,
                      struct parsed *parsed, struct err *err)
{
	const struct format *format;
	const char *charset;
	int r = charset_decode(bytes, max_text_bytes, &charset, err);

	if (r == 0)
		r = check_words(bytes, err); /* so that there are bytes to look at */
	if (r < 0)
		return r;
	snprintf(parsed->charset, sizeof(parsed->charset), "%s", charset);
	set_bytes(input, bytes);
	format = find_format(input, true);
	if (format != NULL && format->parse != NULL)
		return parse(format, input, max_text_bytes, parsed, err);
	if (format != NULL)
		return take_plain(bytes, format->media_type, parsed, err);
	return take_plain(
		bytes, markdown_is(bytes->data, bytes->n, is_named_markdown(input->name)) ? MARKDOWN : PLAIN,
		parsed, err);
}

static int parse_bytes(struct buf *bytes, struct format_input *input, size_t max_text_bytes,
                       struct parsed *parsed, struct err *err)
{
	const struct format *format;
	const char *name;

	set_bytes(input, bytes);
	format = find_format(input, false);
	if (format != NULL)
		return parse(format, input, max_text_bytes, parsed, err);
	name = magic_name(bytes->data, bytes->n);
	if (name != NULL)
		return err_set(err, -ENOTSUP, "%s, which this version does not read", name);
	return parse_text(bytes, input, max_text_bytes, parsed, err);
}

int formats_parse(struct buf *bytes, const struct format_input *about, size_t max_text_bytes,
                  struct parsed *ret, struct err *err)
{
	struct format_input input = *about;
	struct parsed parsed = { .charset = "" };
	const struct packing *packing;
	char *name = NULL;
	int r = unpack(bytes, about->max_bytes, &packing, err);

	if (r == 0) {
		name = name_of(about->name, packing);
		input.name = name;
		input.is_file = about->is_file && packing == NULL;
		r = name == NULL ? err_set(err, -ENOMEM, "no memory for its name")
		                 : parse_bytes(bytes, &input, max_text_bytes, &parsed, err);
	}
	if (r < 0)
		parsed_done(&parsed);
	else
		*ret = parsed;
	free(name);
	buf_done(bytes);
	return r;
}

void parsed_done(struct parsed *parsed)
{
	sink_result_done(&parsed->result);
	*parsed = (struct parsed){ .charset = "" };
}

const char *formats_media_type(const char *word)
{
	if (strcmp(word, PLAIN) == 0)
		return PLAIN;
	if (strcmp(word, MARKDOWN) == 0)
		return MARKDOWN;
	for (size_t i = 0; FORMATS[i] != NULL; i++)
		if (strcmp(word, FORMATS[i]->media_type) == 0)
			return FORMATS[i]->media_type;
	for (size_t i = 0; FORMATS_SOURCE_CODE[i] != NULL; i++)
		if (strcmp(word, FORMATS_SOURCE_CODE[i]->media_type) == 0)
			return FORMATS_SOURCE_CODE[i]->media_type;
	return NULL;
}
