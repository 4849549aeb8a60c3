#include "pipeline/formats/latex_word.h"

#include <stdlib.h>
#include <string.h>

/* By name, for bsearch(3). */
static const struct latex_known WORDS[] = {
	{ "\"", LATEX_ACCENT, 0, "\xcc\x88" },
	{ "#", LATEX_TEXT, 0, "#" },
	{ "$", LATEX_TEXT, 0, "$" },
	{ "%", LATEX_TEXT, 0, "%" },
	{ "&", LATEX_TEXT, 0, "&" },
	{ "'", LATEX_ACCENT, 0, "\xcc\x81" },
	{ ",", LATEX_BLANK, 0, NULL },
	{ "-", LATEX_TEXT, 0, "" },
	{ ".", LATEX_ACCENT, 0, "\xcc\x87" },
	{ "/", LATEX_TEXT, 0, "" },
	{ "AA", LATEX_TEXT, 0, "\xc3\x85" },
	{ "AE", LATEX_TEXT, 0, "\xc3\x86" },
	{ "H", LATEX_ACCENT, 0, "\xcc\x8b" },
	{ "L", LATEX_TEXT, 0, "\xc5\x81" },
	{ "LaTeX", LATEX_TEXT, 0, "LaTeX" },
	{ "O", LATEX_TEXT, 0, "\xc3\x98" },
	{ "OE", LATEX_TEXT, 0, "\xc5\x92" },
	{ "P", LATEX_TEXT, 0, "\xc2\xb6" },
	{ "S", LATEX_TEXT, 0, "\xc2\xa7" },
	{ "TeX", LATEX_TEXT, 0, "TeX" },
	{ "\\", LATEX_BLANK, 1, NULL },
	{ "^", LATEX_ACCENT, 0, "\xcc\x82" },
	{ "_", LATEX_TEXT, 0, "_" },
	{ "`", LATEX_ACCENT, 0, "\xcc\x80" },
	{ "aa", LATEX_TEXT, 0, "\xc3\xa5" },
	{ "addbibresource", LATEX_DROPPED, 1, NULL },
	{ "addcontentsline", LATEX_DROPPED, 3, NULL },
	{ "addtocounter", LATEX_DROPPED, 2, NULL },
	{ "addtolength", LATEX_DROPPED, 2, NULL },
	{ "ae", LATEX_TEXT, 0, "\xc3\xa6" },
	{ "author", LATEX_AUTHOR, 0, NULL },
	{ "begin", LATEX_BEGIN, 0, NULL },
	{ "bibitem", LATEX_ITEM, 1, NULL },
	{ "bibliography", LATEX_DROPPED, 1, NULL },
	{ "bibliographystyle", LATEX_DROPPED, 1, NULL },
	{ "c", LATEX_ACCENT, 0, "\xcc\xa7" },
	{ "caption", LATEX_CAPTION, 0, NULL },
	{ "chapter", LATEX_HEADING, 2, NULL },
	{ "cite", LATEX_DROPPED, 1, NULL },
	{ "citep", LATEX_DROPPED, 1, NULL },
	{ "citet", LATEX_DROPPED, 1, NULL },
	{ "cline", LATEX_DROPPED, 1, NULL },
	{ "color", LATEX_DROPPED, 1, NULL },
	{ "copyright", LATEX_TEXT, 0, "\xc2\xa9" },
	{ "d", LATEX_ACCENT, 0, "\xcc\xa3" },
	{ "dag", LATEX_TEXT, 0, "\xe2\x80\xa0" },
	{ "date", LATEX_DATE, 0, NULL },
	{ "def", LATEX_DEF, 0, NULL },
	{ "documentclass", LATEX_DROPPED, 1, NULL },
	{ "documentstyle", LATEX_DROPPED, 1, NULL },
	{ "dots", LATEX_TEXT, 0, "\xe2\x80\xa6" },
	{ "end", LATEX_END, 0, NULL },
	{ "eqref", LATEX_DROPPED, 1, NULL },
	{ "euro", LATEX_TEXT, 0, "\xe2\x82\xac" },
	{ "fontsize", LATEX_DROPPED, 2, NULL },
	{ "footnote", LATEX_FOOTNOTE, 0, NULL },
	{ "footnotetext", LATEX_FOOTNOTE, 0, NULL },
	{ "geometry", LATEX_DROPPED, 1, NULL },
	{ "href", LATEX_DROPPED, 1, NULL },
	{ "hspace", LATEX_DROPPED, 1, NULL },
	{ "i", LATEX_TEXT, 0, "\xc4\xb1" },
	{ "include", LATEX_INPUT, 0, NULL },
	{ "includegraphics", LATEX_DROPPED, 1, NULL },
	{ "index", LATEX_DROPPED, 1, NULL },
	{ "input", LATEX_INPUT, 0, NULL },
	{ "item", LATEX_ITEM, 0, NULL },
	{ "k", LATEX_ACCENT, 0, "\xcc\xa8" },
	{ "l", LATEX_TEXT, 0, "\xc5\x82" },
	{ "label", LATEX_DROPPED, 1, NULL },
	{ "ldots", LATEX_TEXT, 0, "\xe2\x80\xa6" },
	{ "linebreak", LATEX_BLANK, 0, NULL },
	{ "lstinline", LATEX_VERB, 0, NULL },
	{ "maketitle", LATEX_MAKETITLE, 0, NULL },
	{ "markboth", LATEX_DROPPED, 2, NULL },
	{ "markright", LATEX_DROPPED, 1, NULL },
	{ "multicolumn", LATEX_CELLS, 2, NULL },
	{ "multirow", LATEX_CELLS, 2, NULL },
	{ "newcommand", LATEX_DROPPED, 2, NULL },
	{ "newcounter", LATEX_DROPPED, 1, NULL },
	{ "newenvironment", LATEX_DROPPED, 3, NULL },
	{ "newline", LATEX_BLANK, 0, NULL },
	{ "newtheorem", LATEX_DROPPED, 2, NULL },
	{ "o", LATEX_TEXT, 0, "\xc3\xb8" },
	{ "oe", LATEX_TEXT, 0, "\xc5\x93" },
	{ "pagenumbering", LATEX_DROPPED, 1, NULL },
	{ "pageref", LATEX_DROPPED, 1, NULL },
	{ "pagestyle", LATEX_DROPPED, 1, NULL },
	{ "par", LATEX_PARAGRAPH, 0, NULL },
	{ "paragraph", LATEX_HEADING, 6, NULL },
	{ "part", LATEX_HEADING, 1, NULL },
	{ "pounds", LATEX_TEXT, 0, "\xc2\xa3" },
	{ "providecommand", LATEX_DROPPED, 2, NULL },
	{ "r", LATEX_ACCENT, 0, "\xcc\x8a" },
	{ "ref", LATEX_DROPPED, 1, NULL },
	{ "renewcommand", LATEX_DROPPED, 2, NULL },
	{ "rule", LATEX_DROPPED, 2, NULL },
	{ "section", LATEX_HEADING, 3, NULL },
	{ "setcounter", LATEX_DROPPED, 2, NULL },
	{ "setlength", LATEX_DROPPED, 2, NULL },
	{ "ss", LATEX_TEXT, 0, "\xc3\x9f" },
	{ "subparagraph", LATEX_HEADING, 7, NULL },
	{ "subsection", LATEX_HEADING, 4, NULL },
	{ "subsubsection", LATEX_HEADING, 5, NULL },
	{ "textasciitilde", LATEX_TEXT, 0, "~" },
	{ "textbackslash", LATEX_TEXT, 0, "\\" },
	{ "textbar", LATEX_TEXT, 0, "|" },
	{ "textcolor", LATEX_DROPPED, 1, NULL },
	{ "textdegree", LATEX_TEXT, 0, "\xc2\xb0" },
	{ "textellipsis", LATEX_TEXT, 0, "\xe2\x80\xa6" },
	{ "texteuro", LATEX_TEXT, 0, "\xe2\x82\xac" },
	{ "textgreater", LATEX_TEXT, 0, ">" },
	{ "textless", LATEX_TEXT, 0, "<" },
	{ "textquotesingle", LATEX_TEXT, 0, "'" },
	{ "textregistered", LATEX_TEXT, 0, "\xc2\xae" },
	{ "texttrademark", LATEX_TEXT, 0, "\xe2\x84\xa2" },
	{ "thispagestyle", LATEX_DROPPED, 1, NULL },
	{ "title", LATEX_TITLE, 0, NULL },
	{ "u", LATEX_ACCENT, 0, "\xcc\x86" },
	{ "usepackage", LATEX_DROPPED, 1, NULL },
	{ "v", LATEX_ACCENT, 0, "\xcc\x8c" },
	{ "verb", LATEX_VERB, 0, NULL },
	{ "vspace", LATEX_DROPPED, 1, NULL },
	{ "{", LATEX_TEXT, 0, "{" },
	{ "}", LATEX_TEXT, 0, "}" },
	{ "~", LATEX_ACCENT, 0, "\xcc\x83" },
};

static const struct {
	const char *name;
	enum latex_environment environment;
	unsigned n_arguments;
} ENVIRONMENTS[] = {
	{ "document", LATEX_DOCUMENT, 0 },    { "itemize", LATEX_LIST, 0 },
	{ "enumerate", LATEX_LIST, 0 },       { "description", LATEX_LIST, 0 },
	{ "thebibliography", LATEX_LIST, 1 }, { "compactitem", LATEX_LIST, 0 },
	{ "verbatim", LATEX_VERBATIM, 0 },    { "Verbatim", LATEX_VERBATIM, 0 },
	{ "lstlisting", LATEX_VERBATIM, 0 },  { "alltt", LATEX_VERBATIM, 0 },
	{ "minted", LATEX_VERBATIM, 1 },      { "comment", LATEX_COMMENT, 0 },
	{ "tikzpicture", LATEX_COMMENT, 0 },  { "equation", LATEX_MATH, 0 },
	{ "displaymath", LATEX_MATH, 0 },     { "align", LATEX_MATH, 0 },
	{ "eqnarray", LATEX_MATH, 0 },        { "gather", LATEX_MATH, 0 },
	{ "multline", LATEX_MATH, 0 },        { "math", LATEX_MATH, 0 },
	{ "tabular", LATEX_TABLE, 1 },        { "tabularx", LATEX_TABLE, 2 },
	{ "longtable", LATEX_TABLE, 1 },      { "supertabular", LATEX_TABLE, 1 },
	{ "minipage", LATEX_PLAIN, 1 },       { "multicols", LATEX_PLAIN, 1 },
};

static const struct {
	char accent, letter;
	const char *composed;
} COMPOSED[] = {
	{ '\'', 'a', "\xc3\xa1" },     { '\'', 'e', "\xc3\xa9" }, { '\'', 'i', "\xc3\xad" },
	{ '\'', 'o', "\xc3\xb3" },     { '\'', 'u', "\xc3\xba" }, { '\'', 'y', "\xc3\xbd" },
	{ '\'', 'A', "\xc3\x81" },     { '\'', 'E', "\xc3\x89" }, { '\'', 'I', "\xc3\x8d" },
	{ '\'', 'O', "\xc3\x93" },     { '\'', 'U', "\xc3\x9a" }, { '\'', 'Y', "\xc3\x9d" },
	{ '\'', 'c', "\xc4\x87" },     { '\'', 'C', "\xc4\x86" }, { '\'', 'n', "\xc5\x84" },
	{ '\'', 'N', "\xc5\x83" },     { '\'', 's', "\xc5\x9b" }, { '\'', 'S', "\xc5\x9a" },
	{ '\'', 'z', "\xc5\xba" },     { '\'', 'Z', "\xc5\xb9" }, { '\'', 'r', "\xc5\x95" },
	{ '\'', 'l', "\xc4\xba" },     { '\'', 'L', "\xc4\xb9" }, { '\'', 'g', "\xc7\xb5" },
	{ '\'', 'k', "\xe1\xb8\xb1" }, { '`', 'a', "\xc3\xa0" },  { '`', 'e', "\xc3\xa8" },
	{ '`', 'i', "\xc3\xac" },      { '`', 'o', "\xc3\xb2" },  { '`', 'u', "\xc3\xb9" },
	{ '`', 'A', "\xc3\x80" },      { '`', 'E', "\xc3\x88" },  { '`', 'I', "\xc3\x8c" },
	{ '`', 'O', "\xc3\x92" },      { '`', 'U', "\xc3\x99" },  { '^', 'a', "\xc3\xa2" },
	{ '^', 'e', "\xc3\xaa" },      { '^', 'i', "\xc3\xae" },  { '^', 'o', "\xc3\xb4" },
	{ '^', 'u', "\xc3\xbb" },      { '^', 'A', "\xc3\x82" },  { '^', 'E', "\xc3\x8a" },
	{ '^', 'I', "\xc3\x8e" },      { '^', 'O', "\xc3\x94" },  { '^', 'U', "\xc3\x9b" },
	{ '^', 'c', "\xc4\x89" },      { '^', 'g', "\xc4\x9d" },  { '^', 'h', "\xc4\xa5" },
	{ '^', 'j', "\xc4\xb5" },      { '^', 's', "\xc5\x9d" },  { '^', 'w', "\xc5\xb5" },
	{ '^', 'y', "\xc5\xb7" },      { '"', 'a', "\xc3\xa4" },  { '"', 'e', "\xc3\xab" },
	{ '"', 'i', "\xc3\xaf" },      { '"', 'o', "\xc3\xb6" },  { '"', 'u', "\xc3\xbc" },
	{ '"', 'y', "\xc3\xbf" },      { '"', 'A', "\xc3\x84" },  { '"', 'E', "\xc3\x8b" },
	{ '"', 'I', "\xc3\x8f" },      { '"', 'O', "\xc3\x96" },  { '"', 'U', "\xc3\x9c" },
	{ '~', 'a', "\xc3\xa3" },      { '~', 'n', "\xc3\xb1" },  { '~', 'o', "\xc3\xb5" },
	{ '~', 'A', "\xc3\x83" },      { '~', 'N', "\xc3\x91" },  { '~', 'O', "\xc3\x95" },
	{ '~', 'i', "\xc4\xa9" },      { '~', 'u', "\xc5\xa9" },  { 'c', 'c', "\xc3\xa7" },
	{ 'c', 's', "\xc5\x9f" },      { 'c', 'C', "\xc3\x87" },  { 'c', 'S', "\xc5\x9e" },
	{ 'c', 't', "\xc5\xa3" },      { 'c', 'e', "\xc8\xa9" },  { 'c', 'g', "\xc4\xa3" },
	{ 'v', 'c', "\xc4\x8d" },      { 'v', 'd', "\xc4\x8f" },  { 'v', 'e', "\xc4\x9b" },
	{ 'v', 'n', "\xc5\x88" },      { 'v', 'r', "\xc5\x99" },  { 'v', 's', "\xc5\xa1" },
	{ 'v', 't', "\xc5\xa5" },      { 'v', 'z', "\xc5\xbe" },  { 'v', 'C', "\xc4\x8c" },
	{ 'v', 'D', "\xc4\x8e" },      { 'v', 'E', "\xc4\x9a" },  { 'v', 'N', "\xc5\x87" },
	{ 'v', 'R', "\xc5\x98" },      { 'v', 'S', "\xc5\xa0" },  { 'v', 'T', "\xc5\xa4" },
	{ 'v', 'Z', "\xc5\xbd" },      { 'r', 'a', "\xc3\xa5" },  { 'r', 'u', "\xc5\xaf" },
	{ 'r', 'A', "\xc3\x85" },      { 'r', 'U', "\xc5\xae" },  { 'k', 'a', "\xc4\x85" },
	{ 'k', 'e', "\xc4\x99" },      { 'k', 'A', "\xc4\x84" },  { 'k', 'E', "\xc4\x98" },
	{ 'k', 'i', "\xc4\xaf" },      { 'k', 'u', "\xc5\xb3" },  { '.', 'z', "\xc5\xbc" },
	{ '.', 'Z', "\xc5\xbb" },      { '.', 'e', "\xc4\x97" },  { '.', 'I', "\xc4\xb0" },
	{ '.', 'c', "\xc4\x8b" },      { '.', 'g', "\xc4\xa1" },  { 'H', 'o', "\xc5\x91" },
	{ 'H', 'u', "\xc5\xb1" },      { 'H', 'O', "\xc5\x90" },  { 'H', 'U', "\xc5\xb0" },
	{ 'u', 'a', "\xc4\x83" },      { 'u', 'g', "\xc4\x9f" },  { 'u', 'A', "\xc4\x82" },
	{ 'u', 'G', "\xc4\x9e" },      { 'u', 'e', "\xc4\x95" },  { 'u', 'i', "\xc4\xad" },
	{ 'u', 'o', "\xc5\x8f" },      { 'u', 'u', "\xc5\xad" },
};

struct name {
	const char *letters;
	size_t n;
};

static int compare(const void *key, const void *element)
{
	const struct name *name = key;
	const struct latex_known *known = element;
	int order = strncmp(name->letters, known->name, name->n);

	return order != 0 ? order : known->name[name->n] == '\0' ? 0 : -1;
}

const struct latex_known *latex_word_find(const char *letters, size_t n)
{
	static const struct latex_known UNKNOWN = { "", LATEX_UNKNOWN, 0, NULL };
	const struct name name = { letters, n };
	const struct latex_known *known =
		bsearch(&name, WORDS, sizeof(WORDS) / sizeof(WORDS[0]), sizeof(WORDS[0]), compare);

	return known != NULL ? known : &UNKNOWN;
}

const char *latex_composed(char accent, const char *letter, size_t n)
{
	for (size_t i = 0; n == 1 && i < sizeof(COMPOSED) / sizeof(COMPOSED[0]); i++)
		if (COMPOSED[i].accent == accent && COMPOSED[i].letter == *letter)
			return COMPOSED[i].composed;
	return NULL;
}

enum latex_environment latex_environment_find(const char *name, size_t n, unsigned *ret_n_arguments)
{
	*ret_n_arguments = 0;
	n -= n > 0 && name[n - 1] == '*';
	for (size_t i = 0; i < sizeof(ENVIRONMENTS) / sizeof(ENVIRONMENTS[0]); i++) {
		if (strlen(ENVIRONMENTS[i].name) != n || memcmp(ENVIRONMENTS[i].name, name, n) != 0)
			continue;
		*ret_n_arguments = ENVIRONMENTS[i].n_arguments;
		return ENVIRONMENTS[i].environment;
	}
	return LATEX_PLAIN;
}
