#include "pipeline/formats/codepage.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <strings.h>

#include "base/text.h"
#include "pipeline/charset.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define NO_TABLE ((iconv_t)-1)

enum kind { ASCII, UTF_8, WINDOWS_1252, BY_ICONV };

struct codepage {
	enum kind kind;
	iconv_t table;
};

/* What is called Latin-1 or ASCII is windows-1252 more often than not, which has both within. */
static const struct {
	const char *name, *table;
} SETS[] = {
	{ "utf-8", NULL },
	{ "utf8", NULL },
	{ "us-ascii", "" },
	{ "ascii", "" },
	{ "iso-8859-1", "" },
	{ "latin1", "" },
	{ "windows-1252", "" },
	{ "cp1252", "" },
	{ "iso-8859-2", "ISO-8859-2" },
	{ "iso-8859-3", "ISO-8859-3" },
	{ "iso-8859-4", "ISO-8859-4" },
	{ "iso-8859-5", "ISO-8859-5" },
	{ "iso-8859-6", "ISO-8859-6" },
	{ "iso-8859-7", "ISO-8859-7" },
	{ "iso-8859-8", "ISO-8859-8" },
	{ "iso-8859-8-i", "ISO-8859-8" },
	{ "iso-8859-9", "ISO-8859-9" },
	{ "iso-8859-10", "ISO-8859-10" },
	{ "iso-8859-13", "ISO-8859-13" },
	{ "iso-8859-14", "ISO-8859-14" },
	{ "iso-8859-15", "ISO-8859-15" },
	{ "iso-8859-16", "ISO-8859-16" },
	{ "windows-1250", "CP1250" },
	{ "windows-1251", "CP1251" },
	{ "windows-1253", "CP1253" },
	{ "windows-1254", "CP1254" },
	{ "windows-1255", "CP1255" },
	{ "windows-1256", "CP1256" },
	{ "windows-1257", "CP1257" },
	{ "windows-1258", "CP1258" },
	{ "windows-874", "CP874" },
	{ "tis-620", "CP874" },
	{ "cp437", "CP437" },
	{ "cp850", "CP850" },
	{ "cp852", "CP852" },
	{ "cp862", "CP862" },
	{ "cp866", "CP866" },
	{ "cp874", "CP874" },
	{ "cp932", "CP932" },
	{ "cp936", "CP936" },
	{ "cp949", "CP949" },
	{ "cp950", "CP950" },
	{ "cp1250", "CP1250" },
	{ "cp1251", "CP1251" },
	{ "cp1253", "CP1253" },
	{ "cp1254", "CP1254" },
	{ "cp1255", "CP1255" },
	{ "cp1256", "CP1256" },
	{ "cp1257", "CP1257" },
	{ "cp1258", "CP1258" },
	{ "cp1361", "JOHAB" },
	{ "cp10000", "MACINTOSH" },
	{ "macintosh", "MACINTOSH" },
	{ "koi8-r", "KOI8-R" },
	{ "koi8-u", "KOI8-U" },
	{ "gb2312", "CP936" },
	{ "gbk", "CP936" },
	{ "gb18030", "GB18030" },
	{ "big5", "CP950" },
	{ "shift_jis", "CP932" },
	{ "euc-jp", "EUC-JP" },
	{ "iso-2022-jp", "ISO-2022-JP" },
	{ "euc-kr", "CP949" },
	{ "ks_c_5601-1987", "CP949" },
	{ "utf-16", "UTF-16" },
	{ "utf-16le", "UTF-16LE" },
	{ "utf-16be", "UTF-16BE" },
	{ "utf-7", "UTF-7" },
};

static void choose(struct codepage *codepage, const char *name)
{
	for (size_t i = 0; i < sizeof(SETS) / sizeof(SETS[0]); i++) {
		if (strcasecmp(SETS[i].name, name) != 0)
			continue;
		if (SETS[i].table == NULL) {
			codepage->kind = UTF_8;
		} else if (*SETS[i].table == '\0') {
			codepage->kind = WINDOWS_1252;
		} else {
			codepage->table = iconv_open("UTF-8", SETS[i].table);
			codepage->kind = codepage->table == NO_TABLE ? ASCII : BY_ICONV;
		}
		return;
	}
}

struct codepage *codepage_open(const char *name)
{
	struct codepage *codepage = calloc(1, sizeof(*codepage));

	if (codepage == NULL)
		return NULL;
	codepage->table = NO_TABLE;
	choose(codepage, name);
	return codepage;
}

void codepage_close(struct codepage *codepage)
{
	if (codepage != NULL && codepage->table != NO_TABLE)
		iconv_close(codepage->table);
	free(codepage);
}

/* One byte of a set that has no tables, or of windows-1252. */
static void append_byte(const struct codepage *codepage, unsigned char byte, struct buf *ret)
{
	uint32_t character = byte < 0x80 || codepage->kind == WINDOWS_1252 ? charset_windows_1252(byte) : 0;
	char utf8[4];

	if (character == 0)
		buf_puts(ret, REPLACEMENT);
	else
		buf_append(ret, utf8, text_encode_utf8(character, utf8));
}

/* As many characters as there are. What iconv does not take is passed over byte by byte. */
static void append_by_table(iconv_t table, const char *bytes, size_t n, struct buf *ret)
{
	char *in = (char *)(size_t)bytes; /* iconv(3) does not write there, whatever its prototype says */

	iconv(table, NULL, NULL, NULL, NULL);
	while (n > 0) {
		size_t room = n * 4 < 4096 ? 64 + n * 4 : 4096, n_left = room;
		char *out = buf_reserve(ret, room);
		size_t r;

		if (out == NULL)
			return;
		r = iconv(table, &in, &n, &out, &n_left);
		ret->n += room - n_left;
		if (r == (size_t)-1 && errno != E2BIG) {
			buf_puts(ret, REPLACEMENT);
			in++;
			n--;
		}
	}
}

void codepage_append(struct codepage *codepage, const char *bytes, size_t n, struct buf *ret)
{
	if (codepage->kind == UTF_8)
		buf_append(ret, bytes, n);
	else if (codepage->kind == BY_ICONV)
		append_by_table(codepage->table, bytes, n, ret);
	else
		for (size_t i = 0; i < n; i++)
			append_byte(codepage, (unsigned char)bytes[i], ret);
}
