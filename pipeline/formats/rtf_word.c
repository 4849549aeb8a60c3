#include "pipeline/formats/rtf_word.h"

#include <stdlib.h>
#include <string.h>

/* By name, for bsearch(3). */
static const struct rtf_known WORDS[] = {
	{ "ansicpg", RTF_ANSICPG, 0 },
	{ "atnauthor", RTF_SKIPPED, 0 },
	{ "atnid", RTF_SKIPPED, 0 },
	{ "bin", RTF_BINARY, 0 },
	{ "bullet", RTF_CHARACTER, 0x2022 },
	{ "cell", RTF_CELL, 0 },
	{ "chftn", RTF_NOTE_NUMBER, 0 },
	{ "colortbl", RTF_SKIPPED, 0 },
	{ "column", RTF_BREAK, 0 },
	{ "deleted", RTF_DELETED, 0 },
	{ "emdash", RTF_CHARACTER, 0x2014 },
	{ "emspace", RTF_SPACE, 0 },
	{ "endash", RTF_CHARACTER, 0x2013 },
	{ "enspace", RTF_SPACE, 0 },
	{ "f", RTF_FONT, 0 },
	{ "fcharset", RTF_CHARSET, 0 },
	{ "filetbl", RTF_SKIPPED, 0 },
	{ "fldinst", RTF_SKIPPED, 0 },
	{ "fonttbl", RTF_FONTTBL, 0 },
	{ "footer", RTF_HEADER, 0 },
	{ "footerf", RTF_HEADER, 0 },
	{ "footerl", RTF_HEADER, 0 },
	{ "footerr", RTF_HEADER, 0 },
	{ "footnote", RTF_FOOTNOTE, 0 },
	{ "header", RTF_HEADER, 0 },
	{ "headerf", RTF_HEADER, 0 },
	{ "headerl", RTF_HEADER, 0 },
	{ "headerr", RTF_HEADER, 0 },
	{ "ilvl", RTF_LIST_LEVEL, 0 },
	{ "info", RTF_SKIPPED, 0 },
	{ "intbl", RTF_IN_TABLE, 0 },
	{ "ldblquote", RTF_CHARACTER, 0x201c },
	{ "line", RTF_BREAK, 0 },
	{ "listtable", RTF_SKIPPED, 0 },
	{ "listtext", RTF_LIST_TEXT, 0 },
	{ "lquote", RTF_CHARACTER, 0x2018 },
	{ "ls", RTF_LIST, 0 },
	{ "mac", RTF_MAC, 0 },
	{ "nestcell", RTF_CELL, 0 },
	{ "nestrow", RTF_ROW, 0 },
	{ "nonesttables", RTF_SKIPPED, 0 },
	{ "objdata", RTF_SKIPPED, 0 },
	{ "outlinelevel", RTF_OUTLINE, 0 },
	{ "page", RTF_PARAGRAPH, 0 },
	{ "par", RTF_PARAGRAPH, 0 },
	{ "pard", RTF_PARD, 0 },
	{ "pc", RTF_PC, 0 },
	{ "pca", RTF_PCA, 0 },
	{ "pict", RTF_SKIPPED, 0 },
	{ "plain", RTF_PLAIN, 0 },
	{ "pntext", RTF_LIST_TEXT, 0 },
	{ "qmspace", RTF_SPACE, 0 },
	{ "rdblquote", RTF_CHARACTER, 0x201d },
	{ "revtbl", RTF_SKIPPED, 0 },
	{ "row", RTF_ROW, 0 },
	{ "rquote", RTF_CHARACTER, 0x2019 },
	{ "s", RTF_STYLE, 0 },
	{ "sect", RTF_PARAGRAPH, 0 },
	{ "shptxt", RTF_SHAPE_TEXT, 0 },
	{ "stylesheet", RTF_STYLESHEET, 0 },
	{ "tab", RTF_SPACE, 0 },
	{ "tc", RTF_SKIPPED, 0 },
	{ "themedata", RTF_SKIPPED, 0 },
	{ "txe", RTF_SKIPPED, 0 },
	{ "u", RTF_UNICODE, 0 },
	{ "uc", RTF_UC, 0 },
	{ "v", RTF_HIDDEN, 0 },
	{ "xe", RTF_SKIPPED, 0 },
};

struct name {
	const char *letters;
	size_t n;
};

static int compare(const void *key, const void *element)
{
	const struct name *name = key;
	const struct rtf_known *known = element;
	int order = strncmp(name->letters, known->name, name->n);

	return order != 0 ? order : known->name[name->n] == '\0' ? 0 : -1;
}

const struct rtf_known *rtf_word_find(const char *letters, size_t n)
{
	static const struct rtf_known UNKNOWN = { "", RTF_UNKNOWN, 0 };
	const struct name name = { letters, n };
	const struct rtf_known *known =
		bsearch(&name, WORDS, sizeof(WORDS) / sizeof(WORDS[0]), sizeof(WORDS[0]), compare);

	return known != NULL ? known : &UNKNOWN;
}
