/* What the head of an RTF document says of its fonts and styles: the character set of the one, the rank of the other. */
#ifndef SKIMD_PIPELINE_FORMATS_RTF_STYLE_H
#define SKIMD_PIPELINE_FORMATS_RTF_STYLE_H

#include <stddef.h>

#define RTF_N_FONTS 1024
#define RTF_N_STYLES 1024
#define RTF_NO_LEVEL 0

struct rtf_styles {
	short charsets[RTF_N_FONTS]; /* of font N, a code page; 0: the document's */
	unsigned char
		levels[RTF_N_STYLES]; /* of style N as a heading, from 1; RTF_NO_LEVEL: of a paragraph */
};

/* The code page of \fcharsetN; 0: the document's. */
short rtf_charset_codepage(long charset);

/* What a style of that name is as a heading: "heading 2", in the languages that write it so, "Title"; else RTF_NO_LEVEL. */
unsigned char rtf_style_level(const char *name, size_t n);

void rtf_set_charset(struct rtf_styles *styles, long font, long charset);
short rtf_font_codepage(const struct rtf_styles *styles, long font);
void rtf_set_level(struct rtf_styles *styles, long style, unsigned char level);
unsigned char rtf_level(const struct rtf_styles *styles, long style);

#endif
