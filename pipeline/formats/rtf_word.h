/* The control words of RTF that matter to a reader of text; all others are lay-out. */
#ifndef SKIMD_PIPELINE_FORMATS_RTF_WORD_H
#define SKIMD_PIPELINE_FORMATS_RTF_WORD_H

#include <stddef.h>

enum rtf_word {
	RTF_UNKNOWN,
	/* of the document's character sets */
	RTF_ANSICPG,
	RTF_MAC,
	RTF_PC,
	RTF_PCA,
	RTF_FONT,
	RTF_CHARSET,
	RTF_UC,
	RTF_UNICODE,
	RTF_BINARY,
	/* groups: not the document's text, or a part of it of its own */
	RTF_SKIPPED,
	RTF_FONTTBL,
	RTF_STYLESHEET,
	RTF_FOOTNOTE,
	RTF_HEADER,
	RTF_LIST_TEXT,
	RTF_SHAPE_TEXT,
	/* what a paragraph is */
	RTF_PARD,
	RTF_STYLE,
	RTF_OUTLINE,
	RTF_LIST,
	RTF_LIST_LEVEL,
	RTF_IN_TABLE,
	/* how characters are */
	RTF_PLAIN,
	RTF_HIDDEN,
	RTF_DELETED,
	/* what ends something */
	RTF_PARAGRAPH,
	RTF_BREAK,
	RTF_CELL,
	RTF_ROW,
	RTF_SPACE,
	RTF_NOTE_NUMBER,
	/* one character, by its number */
	RTF_CHARACTER,
};

struct rtf_known {
	const char *name;
	enum rtf_word word;
	unsigned value; /* the character of RTF_CHARACTER */
};

/* name is n letters. Never NULL: an unknown word is one of RTF_UNKNOWN. */
const struct rtf_known *rtf_word_find(const char *name, size_t n);

#endif
