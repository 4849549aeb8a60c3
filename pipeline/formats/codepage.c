#include "pipeline/formats/codepage.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdlib.h>
#include <strings.h>

#include "base/text.h"
#include "pipeline/charset.h"
#include "pipeline/formats/codepage_tables.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define NO_TABLE ((iconv_t)-1)

#define N_ICONV (sizeof(ICONV_SETS) / sizeof(ICONV_SETS[0]))

enum kind { ASCII, UTF_8, ONE_BYTE, BY_ICONV };

struct codepage {
	enum kind kind;
	const uint16_t *high; /* ONE_BYTE: the characters from 0x80 on; NULL: windows-1252 */
	iconv_t table;
	bool is_shared; /* a preloaded one, not ours to close */
};

static const struct {
	const char *name, *table;
} ICONV_SETS[] = {
	{ "cp932", "CP932" },          { "shift_jis", "CP932" },
	{ "euc-jp", "EUC-JP" },        { "iso-2022-jp", "ISO-2022-JP" },
	{ "cp936", "GB18030" },        { "gb2312", "GB18030" },
	{ "gbk", "GB18030" },          { "gb18030", "GB18030" },
	{ "cp950", "CP950" },          { "big5", "CP950" },
	{ "cp949", "CP949" },          { "euc-kr", "CP949" },
	{ "ks_c_5601-1987", "CP949" }, { "utf-7", "UTF-7" },
	{ "utf-16", "UTF-16" },        { "utf-16le", "UTF-16LE" },
	{ "utf-16be", "UTF-16BE" },
};

/* What is called Latin-1 or ASCII is windows-1252 more often than not, which has both within. */
static const char *const WINDOWS_1252[] = { "us-ascii", "ascii",        "iso-8859-1", "latin1",
	                                    "latin-1",  "windows-1252", "cp1252",     "iso_8859-1" };

/* Of each set's name, as far as it is loaded. */
static iconv_t preloaded[N_ICONV];
static bool is_preloaded;

static bool is_windows_1252(const char *name)
{
	for (size_t i = 0; i < sizeof(WINDOWS_1252) / sizeof(WINDOWS_1252[0]); i++)
		if (strcasecmp(WINDOWS_1252[i], name) == 0)
			return true;
	return false;
}

static void choose_iconv(struct codepage *codepage, const char *name)
{
	for (size_t i = 0; i < N_ICONV; i++) {
		if (strcasecmp(ICONV_SETS[i].name, name) != 0)
			continue;
		codepage->is_shared = is_preloaded;
		codepage->table = is_preloaded ? preloaded[i] : iconv_open("UTF-8", ICONV_SETS[i].table);
		codepage->kind = codepage->table == NO_TABLE ? ASCII : BY_ICONV;
		return;
	}
}

static void choose(struct codepage *codepage, const char *name)
{
	if (strcasecmp(name, "utf-8") == 0 || strcasecmp(name, "utf8") == 0) {
		codepage->kind = UTF_8;
	} else if (is_windows_1252(name)) {
		codepage->kind = ONE_BYTE;
	} else {
		codepage->high = codepage_table(name);
		if (codepage->high != NULL)
			codepage->kind = ONE_BYTE;
		else
			choose_iconv(codepage, name);
	}
}

void codepage_preload(void)
{
	for (size_t i = 0; i < N_ICONV && !is_preloaded; i++)
		preloaded[i] = iconv_open("UTF-8", ICONV_SETS[i].table);
	is_preloaded = true;
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
	if (codepage != NULL && codepage->table != NO_TABLE && !codepage->is_shared)
		iconv_close(codepage->table);
	free(codepage);
}

/* 0: no character. */
static uint32_t decode_high(const struct codepage *codepage, unsigned char byte)
{
	if (codepage->kind != ONE_BYTE)
		return 0;
	return codepage->high != NULL ? codepage->high[byte - 0x80] : charset_windows_1252(byte);
}

static void append_byte(const struct codepage *codepage, char byte, struct buf *ret)
{
	bool is_ascii = (unsigned char)byte < 0x80;
	uint32_t character = is_ascii ? 0 : decode_high(codepage, (unsigned char)byte);
	char utf8[4];

	if (is_ascii)
		buf_append(ret, &byte, 1);
	else if (character == 0)
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
			append_byte(codepage, bytes[i], ret);
}
