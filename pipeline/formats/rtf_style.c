#include "pipeline/formats/rtf_style.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

short rtf_charset_codepage(long charset)
{
	static const struct {
		long charset;
		short codepage;
	} KNOWN[] = {
		{ 77, 10000 }, { 128, 932 },  { 129, 949 },  { 130, 1361 }, { 134, 936 },  { 136, 950 },
		{ 161, 1253 }, { 162, 1254 }, { 163, 1258 }, { 177, 1255 }, { 178, 1256 }, { 186, 1257 },
		{ 204, 1251 }, { 222, 874 },  { 238, 1250 }, { 254, 437 },  { 255, 850 },
	};

	for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
		if (KNOWN[i].charset == charset)
			return KNOWN[i].codepage;
	return 0;
}

unsigned char rtf_style_level(const char *name, size_t n)
{
	/* The names that Word and LibreOffice write; RTF knows no language-free one. */
	static const char *const NAMES[] = {
		"heading ", "\303\274berschrift ", "titre ", "t\xc3\xadtulo ", "titolo ", "kop ", "rubrik "
	};

	while (n > 0 && isspace((unsigned char)name[0])) {
		name++;
		n--;
	}
	if (n >= 5 && strncasecmp(name, "title", 5) == 0)
		return 1;
	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		size_t n_name = strlen(NAMES[i]);

		if (n > n_name && strncasecmp(name, NAMES[i], n_name) == 0 && name[n_name] >= '1' &&
		    name[n_name] <= '9')
			return (unsigned char)(name[n_name] - '0');
	}
	return RTF_NO_LEVEL;
}

void rtf_set_charset(struct rtf_styles *styles, long font, long charset)
{
	if (font >= 0 && font < RTF_N_FONTS)
		styles->charsets[font] = rtf_charset_codepage(charset);
}

short rtf_font_codepage(const struct rtf_styles *styles, long font)
{
	return font >= 0 && font < RTF_N_FONTS ? styles->charsets[font] : 0;
}

void rtf_set_level(struct rtf_styles *styles, long style, unsigned char level)
{
	if (style >= 0 && style < RTF_N_STYLES)
		styles->levels[style] = level;
}

unsigned char rtf_level(const struct rtf_styles *styles, long style)
{
	return style >= 0 && style < RTF_N_STYLES ? styles->levels[style] : RTF_NO_LEVEL;
}
