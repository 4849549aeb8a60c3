#include "pipeline/magic.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct magic {
	size_t at, n;
	const char *bytes, *name;
};

#define MAGIC(at, bytes, name)                     \
	{                                          \
		at, sizeof(bytes) - 1, bytes, name \
	}

/* The more special stand before what they are a case of. */
static const struct magic MAGICS[] = {
	MAGIC(0, "%PDF-", "a PDF file"),
	MAGIC(30, "mimetypeapplication/epub", "an EPUB book"),
	MAGIC(30, "mimetypeapplication/vnd.oasis", "an OpenDocument file"),
	MAGIC(30, "[Content_Types].xml", "an Office document"),
	MAGIC(0, "PK\x03\x04", "a ZIP file"),
	MAGIC(0, "PK\x05\x06", "a ZIP file"),
	MAGIC(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
	MAGIC(0, "{\\rtf", "an RTF document"),
	MAGIC(0, "%!PS", "a PostScript file"),
	MAGIC(0, "AT&TFORM", "a DjVu document"),
	MAGIC(0,
	      "\x7f"
	      "ELF",
	      "a program (ELF)"),
	MAGIC(0, "MZ\x90", "a program (Windows)"),
	MAGIC(0, "\x89PNG", "a PNG image"),
	MAGIC(0, "\xff\xd8\xff", "a JPEG image"),
	MAGIC(0, "GIF87a", "a GIF image"),
	MAGIC(0, "GIF89a", "a GIF image"),
	MAGIC(8, "WEBP", "a WebP image"),
	MAGIC(0, "II*\0", "a TIFF image"),
	MAGIC(0, "MM\0*", "a TIFF image"),
	MAGIC(0, "ID3", "an MP3 recording"),
	MAGIC(0, "OggS", "an Ogg recording"),
	MAGIC(0, "fLaC", "a FLAC recording"),
	MAGIC(8, "WAVE", "a WAV recording"),
	MAGIC(4, "ftyp", "an MPEG-4 file"),
	MAGIC(0, "\x1a\x45\xdf\xa3", "a Matroska video"),
	MAGIC(0, "SQLite format 3", "an SQLite database"),
	MAGIC(0,
	      "\xfd"
	      "7zXZ",
	      "an xz file"),
	MAGIC(0, "\x28\xb5\x2f\xfd", "a Zstandard file"),
	MAGIC(0, "BZh", "a bzip2 file"),
	MAGIC(0, "7z\xbc\xaf\x27\x1c", "a 7-Zip file"),
	MAGIC(0, "Rar!\x1a", "a RAR file"),
	MAGIC(0, "\x1f\x9d", "a compress (.Z) file"),
	MAGIC(0, "\x1f\x8b", "a gzip file"),
	MAGIC(0, "!<arch>\n", "an ar archive"),
	MAGIC(257, "ustar", "a tar archive"),
};

/* Words that are text as well: only what follows tells. */
static bool is_plain_word(const struct magic *magic, const char *bytes, size_t n)
{
	size_t end = magic->at + magic->n;

	return (strcmp(magic->bytes, "BZh") == 0 && (n <= end || !isdigit((unsigned char)bytes[end]))) ||
	       (strcmp(magic->bytes, "ID3") == 0 && (n <= end || bytes[end] > 4)) ||
	       (strcmp(magic->bytes, "ftyp") == 0 && bytes[0] != 0) ||
	       (magic->at == 8 && memcmp(bytes, "RIFF", 4) != 0);
}

static bool is_html(const char *bytes, size_t n)
{
	static const char *const starts[] = { "<!doctype html", "<html" };
	size_t i = 0;

	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		i = 3;
	while (i < n && isspace((unsigned char)bytes[i]))
		i++;
	for (size_t k = 0; k < sizeof(starts) / sizeof(starts[0]); k++)
		if (n - i > strlen(starts[k]) && strncasecmp(bytes + i, starts[k], strlen(starts[k])) == 0)
			return true;
	return false;
}

const char *magic_name(const char *bytes, size_t n)
{
	for (size_t i = 0; i < sizeof(MAGICS) / sizeof(MAGICS[0]); i++) {
		const struct magic *magic = &MAGICS[i];

		if (n >= magic->at + magic->n && memcmp(bytes + magic->at, magic->bytes, magic->n) == 0 &&
		    !is_plain_word(magic, bytes, n))
			return magic->name;
	}
	return is_html(bytes, n) ? "an HTML file" : NULL;
}
