/* The formats that are text with words between the words: RTF, mail, tables, LaTeX, manual pages, subtitles, programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>

#include "tests/shown.h"

static void assert_reads(const char *name, const char *file, size_t n, const char *type, const char *shown)
{
	const char *media_type = "";
	struct err err = { "" };
	char *got;
	int r;

	got = shown_parse(name, file, n, &media_type, &r, &err);
	if (got == NULL)
		fail_msg("%d: %s", r, err.text);
	assert_string_equal(got, shown);
	assert_string_equal(media_type, type);
	free(got);
}

#define ASSERT_READS(name, file, type, shown) assert_reads(name, file, sizeof(file) - 1, type, shown)

static void assert_rtf(const char *body, const char *shown)
{
	char file[2048];

	snprintf(file, sizeof(file),
	         "{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0 Arial;}{\\f1\\fcharset204 "
	         "Times;}{\\f2\\fcharset128 M;}}"
	         "{\\stylesheet{\\s0 Normal;}{\\s1\\outlinelevel0 First;}{\\s2 heading 2;}}{\\info{\\title "
	         "No}}%s}",
	         body);
	assert_reads("a", file, strlen(file), "application/rtf", shown);
}

static void rtf_gives_paragraphs_and_headings(void **state)
{
	(void)state;
	assert_rtf("\\pard\\s1 One\\par\\pard Two \\b bold\\b0  words\\line here\\par\\pard\\s2 Three\\par"
	           "\\pard\\outlinelevel3 Four\\par\\pard Five\\par",
	           "H1|One\nP|Two bold words\nhere\nH2|Three\nH4|Four\nP|Five\n");
}

static void rtf_is_read_in_its_character_sets(void **state)
{
	(void)state;
	assert_rtf("caf\\'e9 \\u8364?uro \\uc2\\u228\\'61\\'62! \\uc1\\u-10179?\\u-8704? {\\f1 \\'cf\\'f0} "
	           "{\\f2 \\'93\\'fa}"
	           "\\emdash\\~x\\par",
	           "P|caf\xc3\xa9 \xe2\x82\xacuro \xc3\xa4! \xf0\x9f\x98\x80 \xd0\x9f\xd1\x80 "
	           "\xe6\x97\xa5\xe2\x80\x94 x\n");
}

static void rtf_rows_items_and_notes_are_marked(void **state)
{
	(void)state;
	assert_rtf("\\pard\\intbl a\\cell b\\cell\\row\\pard\\intbl\\cell c\\cell\\cell\\row"
	           "\\pard\\ls1\\ilvl1{\\listtext 2.\\tab}item\\par"
	           "\\pard Text\\chftn{\\footnote\\pard\\chftn The note.} goes on.\\par",
	           "R|a\tb\nR|\tc\nI2|2. item\nP|Text[1] goes on.\nP|[1]The note.\n");
}

static void rtf_without_what_is_no_text(void **state)
{
	(void)state;
	assert_rtf("{\\header Head}a {\\v hidden}{\\pict 00ff}{\\*\\new word}{\\deleted gone}\\bin3 {}}b "
	           "{\\field{\\*\\fldinst HYPERLINK x}{\\fldrslt link}}{\\object{\\*\\objdata 00}{\\result "
	           "shown}}\\par",
	           "Pa|Head\nP|a b linkshown\n");
}

static void rtf_that_is_cut_or_deep_is_read_as_far_as_it_goes(void **state)
{
	static char deep[200000];

	(void)state;
	ASSERT_READS("a", "{\\rtf1 {\\b Text that is", "application/rtf",
	             "P|Text that is\n... the RTF data is cut short\n");
	memset(deep, '{', sizeof(deep));
	memcpy(deep, "{\\rtf1 word\\par", 15);
	assert_reads("a", deep, sizeof(deep), "application/rtf",
	             "P|word\n... its groups are nested too deeply\n");
}

#define HEAD "From: a@example.org\nTo: b@example.org\nSubject: One\n"
#define SHOWN_HEAD "H1|One\nP|From: a@example.org\nP|To: b@example.org\n"

static void mail_gives_subject_people_and_text(void **state)
{
	(void)state;
	ASSERT_READS("a", HEAD "Date: today\n\nHello\nyou.\n\n- an item\n- another\n-- \nMe\n",
	             "message/rfc822",
	             SHOWN_HEAD "P|Date: today\nP|Hello\nyou.\nI1|- an item\nI1|- another\nPa|Me\n");
}

static void mail_is_decoded(void **state)
{
	(void)state;
	ASSERT_READS("a",
	             "From: =?utf-8?q?J=C3=B6rg_M=2E?= <j@x>\nTo: b\nSubject: =?utf-8?B?SGVsbG8gd8O2?=\n "
	             "=?utf-8?b?cmxk?= !\n"
	             "Content-Type: text/plain; charset=\"koi8-r\"\nContent-Transfer-Encoding: "
	             "base64\n\n8NLJ18XU\n",
	             "message/rfc822",
	             "H1|Hello w\xc3\xb6rld !\nP|From: J\xc3\xb6rg M. <j@x>\nP|To: b\n"
	             "P|\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82\n");
	ASSERT_READS("a",
	             HEAD "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: "
	                  "quoted-printable\n\n"
	                  "Caf=E9 so=\nft =3D x=ZZ\n",
	             "message/rfc822", SHOWN_HEAD "P|Caf\xc3\xa9 soft = x=ZZ\n");
}

static void mail_lines_are_joined_where_a_program_broke_them(void **state)
{
	(void)state;
	ASSERT_READS(
		"a",
		HEAD
		"\nThis is a line that a program has broken because the next words\n"
		"did not fit any more, and this is its end.\n\n> quoted\n>> twice\n\n    code\n      more\n",
		"message/rfc822",
		SHOWN_HEAD "W|This is a line that a program has broken because the next words\n"
			   "did not fit any more, and this is its end.\nP|> quoted\nP|>> twice\n"
			   "F|    code\n      more\n");
	ASSERT_READS("a",
	             HEAD "Content-Type: text/plain; format=flowed\n\nOne \ntwo\n> three \n> four\n-- \nme\n",
	             "message/rfc822", SHOWN_HEAD "P|One two\nP|> three four\nPa|me\n");
}

static void mail_takes_one_of_several_forms_and_names_attachments(void **state)
{
	(void)state;
	ASSERT_READS(
		"a",
		HEAD
		"Content-Type: multipart/mixed; boundary=\"x y\"\n\npreamble\n--x y\n"
		"Content-Type: multipart/alternative; boundary=z\n\n--z\nContent-Type: "
		"text/html\n\n<p>html</p>\n"
		"--z\n\nplain\n--z--\n--x y\nContent-Type: application/pdf\n"
		"Content-Disposition: attachment; filename*0*=utf-8''gr%C3%B6; filename*1=sse.pdf\n\nxx\n"
		"--x y\nContent-Type: text/html\n\n<h2>Title</h2><p>more</p>\n--x y--\nepilogue\n",
		"message/rfc822",
		SHOWN_HEAD "P|plain\nP|Attachment: gr\xc3\xb6sse.pdf (application/pdf)\nH2|Title\nP|more\n");
}

static void mail_within_mail_is_read(void **state)
{
	(void)state;
	ASSERT_READS("a",
	             HEAD "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: Inner\nFrom: "
	                  "c\n\nWords\n--b--\n",
	             "message/rfc822", SHOWN_HEAD "H3|Inner\nP|From: c\nP|Words\n");
}

static void encrypted_mail_fails_with_that_reason(void **state)
{
	static const char FILE[] = HEAD "Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n";
	const char *type;
	struct err err = { "" };
	int r;

	(void)state;
	assert_null(shown_parse("a", FILE, sizeof(FILE) - 1, &type, &r, &err));
	assert_int_equal(r, -EACCES);
	assert_string_equal(err.text, "an encrypted mail");
}

static void a_mailbox_has_a_section_for_each_mail(void **state)
{
	(void)state;
	ASSERT_READS("a",
	             "From a@b Thu Jan  1 00:00:00 2026\nSubject: One\n\nFirst\n\nFrom here on: text\n\n"
	             "From c@d Thu Jan  1 00:00:00 2026\nFrom: c\n\nSecond\n",
	             "application/mbox",
	             "[One]H1|One\nP|First\nP|From here on: text\n[message 2]P|From: c\nP|Second\n");
}

static void mails_nested_a_thousand_deep_end(void **state)
{
	struct buf file = { 0 };
	const char *type;
	struct err err = { "" };
	char *shown;
	int r;

	(void)state;
	buf_puts(&file, HEAD);
	for (int i = 0; i < 1000; i++)
		buf_printf(&file, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
	buf_puts(&file, "\nwords\n");
	shown = shown_parse("a", file.data, file.n, &type, &r, &err);
	assert_string_equal(shown, SHOWN_HEAD "... its parts are nested too deeply\n");
	free(shown);
	buf_done(&file);
}

static void tables_are_rows(void **state)
{
	(void)state;
	ASSERT_READS("a.csv", "a,b\n\"x, \"\"y\"\"\",\"1\r\n2\"\r\n,last\n", "text/csv",
	             "R|a\tb\nR|x, \"y\"\t1 2\nR|\tlast\n");
	ASSERT_READS("a.csv", "sep=|\na|b\n", "text/csv", "R|a\tb\n");
	ASSERT_READS("a", "n;v;w\n1;2,5;3\n1;2,5;3\n1;2,5;3\n1;2,5;3\n", "text/csv",
	             "R|n\tv\tw\nR|1\t2,5\t3\nR|1\t2,5\t3\nR|1\t2,5\t3\nR|1\t2,5\t3\n");
	ASSERT_READS("a.csv", "a,b\n1,\"open\nd,e\n", "text/csv",
	             "R|a\tb\nR|1\topen d,e\n... a quoted cell is not closed\n");
}

static void prose_is_no_table(void **state)
{
	static const char PROSE[] = "One, two, three.\nOne, two, three.\nOne, two, three.\nOne, two, three.\n"
				    "One, two, three.\nOne, two, three.\n";

	(void)state;
	ASSERT_READS("a.txt", PROSE, "text/plain", PROSE);
	ASSERT_READS("a", "[1,2,3]\n[1,2,3]\n[1,2,3]\n[1,2,3]\n[1,2,3]\n", "text/plain",
	             "[1,2,3]\n[1,2,3]\n[1,2,3]\n[1,2,3]\n[1,2,3]\n");
	ASSERT_READS("a", "How to begin:\n\\documentclass{article}\n", "text/plain",
	             "How to begin:\n\\documentclass{article}\n");
}

#define LATEX \
	"\\documentclass{article}\\newcommand{\\x}{hidden}\n\\title{The \\emph{Title}}\\begin{document}\n"

static void latex_gives_its_structure(void **state)
{
	(void)state;
	ASSERT_READS(
		"a.tex",
		LATEX
		"\\maketitle\\section*{One \\& two}\\label{a}Text % gone\nof it.\\footnote{A "
		"\\textbf{note}.} End.\n\n"
		"Next \\unknown[o]{kept} \\cite{k}.\n\\begin{itemize}\\item a \\item[b] c\\end{itemize}\n"
		"\\begin{tabular}{ll}a & b\\\\ \\hline "
		"\\multicolumn{2}{c}{d}\\\\\\end{tabular}\\end{document} no",
		"application/x-tex",
		"H1|The Title\nH3|One & two\nP|Text of it. End.\nP|A note.\nP|Next kept .\nI1|a\nI1|b "
		"c\nR|a\tb\nR|d\n");
}

static void latex_accents_quotes_and_formulas_are_kept(void **state)
{
	(void)state;
	ASSERT_READS("a.tex",
	             LATEX
	             "caf\\'e na\\\"{\\i}ve \\v{s} ``q'' a--b~c $x_1 % y$ \\(z\\)\n\\verb|a{b|\n"
	             "\\begin{verbatim}\n a \\x % kept\n\\end{verbatim}\\begin{equation}E=1\\end{equation}",
	             "application/x-tex",
	             "P|caf\xc3\xa9 na\xc3\xafve \xc5\xa1 \xe2\x80\x9cq\xe2\x80\x9d a\xe2\x80\x93"
	             "b c $x_1 % y$ \\(z\\) a{b\nF| a \\x % kept\nF|E=1\n");
	ASSERT_READS("a.tex", LATEX "Text \\input{other}", "application/x-tex",
	             "P|Text\n... files that it includes by \\input are not read\n");
}

static void manual_pages_of_man_are_read(void **state)
{
	(void)state;
	ASSERT_READS(
		"ls.1",
		".\\\" c\n.TH LS 1 today\n.SH NAME\nls \\- list\n.SH \"SEE ALSO\"\n.TP\n.BR \\-a \", \" "
		"\\-\\-all\nshow\n"
		"\\fIall\\fP.\n.IP \\(bu 2\none\n.PP\nPara \\(lqq\\(rq\n.BR cp (1).\n.nf\n  x\n    y\n.fi\n"
		".if t no\n.ie n yes\n.el no\n.de X\nno\n..\n.TS\ntab(|);\nl "
		"l.\na|T{\nb\nc\nT}\n_\nd|e\n.TE\n",
		"text/troff",
		"H1|LS(1)\nH2|NAME\nP|ls - list\nH2|SEE ALSO\nI1|-a, --all\nshow all.\nI1|\xe2\x80\xa2 one\n"
		"P|Para \xe2\x80\x9cq\xe2\x80\x9d cp(1).\nF|  x\n    y\nP|yes\nR|a\tb c\nR|d\te\n");
}

static void manual_pages_of_mdoc_are_read(void **state)
{
	(void)state;
	ASSERT_READS("a.8",
	             ".Dd today\n.Dt TOOL 8\n.Os\n.Sh NAME\n.Nm tool\n.Nd do it\n.Sh SYNOPSIS\n.Nm\n.Op Fl "
	             "ab | Fl Fl long Ns = Ns Ar n\n"
	             ".Ar\n.Nm tool\n.Sh DESCRIPTION\nSee\n.Xr ls 1 ,\n.Pq Dq x .\n.Bl -tag\n.It Fl v , Fl "
	             "-verbose\nSay.\n.El\n"
	             ".Bl -enum\n.It\nOne\n.El\n.Bl -column a b\n.It a Ta b\n.El\n.Bd -literal\n  "
	             "code\n.Ed\n.Fn f \"int a\" b ;\n",
	             "text/troff",
	             "H1|TOOL(8)\nH2|NAME\nP|tool \xe2\x80\x93 do it\nH2|SYNOPSIS\nP|tool [-ab | --long=n] "
	             "file ...\ntool\n"
	             "H2|DESCRIPTION\nP|See ls(1), (\xe2\x80\x9cx\xe2\x80\x9d).\nI1|-v, "
	             "--verbose\nSay.\nI1|1. One\nR|a\tb\n"
	             "F|  code\nP|f(int a, b);\n");
}

static void info_files_are_read_by_nodes(void **state)
{
	static const char FILE[] =
		"This is a.info, produced by makeinfo version 6.8 from a.texi.\n\nabout\n\x1f\n"
		"File: a.info,  Node: Top,  Next: One,  Up: (dir)\n\nThe Title\n*********\n\nText "
		"\0\b[index\0\b]here.\n\n"
		"* Menu:\n\n* One::  First.\n\x1f\nFile: a.info,  Node: One,  Prev: Top\n\n1 One\n=====\n\n  "
		"   code\n\x1f\n"
		"Tag Table:\nNode: Top\x7f"
		"12\n\x1f\nEnd Tag Table\n";

	(void)state;
	assert_reads("a.info", FILE, sizeof(FILE) - 1, "application/x-info",
	             "[Top]H1|The Title\nP|Text here.\nI1a|* One:: First.\n[One]H2|1 One\nF|     code\n");
}

static void subtitles_are_what_is_said(void **state)
{
	(void)state;
	ASSERT_READS("a",
	             "1\r\n00:00:01,000 --> 00:00:02,000\r\nHello <i>there</i>,\r\n\r\n2\r\n00:00:02,100 --> "
	             "00:00:03,000\r\n"
	             "my {\\an8}friend.\r\n- Me?\r\n\r\n3\r\n01:02:03,000 --> 01:02:04,000\r\nLater.\r\n",
	             "application/x-subrip",
	             "[00:00:01]P|Hello there, my friend.\n- Me?\n[01:02:03]P|Later.\n");
	ASSERT_READS("a",
	             "WEBVTT\n\nNOTE no\n\nSTYLE\n::cue {}\n\nname\n00:01.000 --> 00:02.000 align:start\n<v "
	             "Ann>Yes &amp; no\n\n"
	             "00:02.100 --> 00:03.000\nYes &amp; no\n",
	             "text/vtt", "[00:00:01]P|Ann: Yes & no Yes & no\n");
}

static void programs_are_their_own_bytes(void **state)
{
	static const char C[] = "/* What it does. */\nint main(void)\n{\n\treturn 0;\n}\n";
	static const char PYTHON[] = "#!/usr/bin/env python3\nprint('x')\n";

	(void)state;
	ASSERT_READS("a.c", C, "text/x-c", C);
	ASSERT_READS("a", PYTHON, "text/x-python", PYTHON);
	ASSERT_READS("notes.c", "A note to the third chapter, nothing more\nthan that and what follows\n",
	             "text/plain", "A note to the third chapter, nothing more\nthan that and what follows\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rtf_gives_paragraphs_and_headings),
		cmocka_unit_test(rtf_is_read_in_its_character_sets),
		cmocka_unit_test(rtf_rows_items_and_notes_are_marked),
		cmocka_unit_test(rtf_without_what_is_no_text),
		cmocka_unit_test(rtf_that_is_cut_or_deep_is_read_as_far_as_it_goes),
		cmocka_unit_test(mail_gives_subject_people_and_text),
		cmocka_unit_test(mail_is_decoded),
		cmocka_unit_test(mail_lines_are_joined_where_a_program_broke_them),
		cmocka_unit_test(mail_takes_one_of_several_forms_and_names_attachments),
		cmocka_unit_test(mail_within_mail_is_read),
		cmocka_unit_test(encrypted_mail_fails_with_that_reason),
		cmocka_unit_test(a_mailbox_has_a_section_for_each_mail),
		cmocka_unit_test(mails_nested_a_thousand_deep_end),
		cmocka_unit_test(tables_are_rows),
		cmocka_unit_test(prose_is_no_table),
		cmocka_unit_test(latex_gives_its_structure),
		cmocka_unit_test(latex_accents_quotes_and_formulas_are_kept),
		cmocka_unit_test(manual_pages_of_man_are_read),
		cmocka_unit_test(manual_pages_of_mdoc_are_read),
		cmocka_unit_test(info_files_are_read_by_nodes),
		cmocka_unit_test(subtitles_are_what_is_said),
		cmocka_unit_test(programs_are_their_own_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
