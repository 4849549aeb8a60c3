/* Excel workbooks, made by hand, and how their numbers are shown. */
#include "pipeline/formats/xlsx_number.h"
#include "tests/packages.h"

#define XLSX "spreadsheetml.sheet"
#define SPACES                                                               \
	"xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main' " \
	"xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships'"
#define SHEET(rows) XML "<worksheet " SPACES "><sheetData>" rows "</sheetData></worksheet>"

static void add_book(struct made *made, const char *properties, const char *strings)
{
	static const char *const relations[] = { "r1", "worksheet",     "worksheets/sheet1.xml",
		                                 "r2", "worksheet",     "worksheets/sheet2.xml",
		                                 "r3", "styles",        "styles.xml",
		                                 "r4", "sharedStrings", "sharedStrings.xml",
		                                 NULL };
	struct buf text = { 0 };

	made_add_office(made, XLSX ".main+xml", "xl/workbook.xml");
	buf_printf(&text,
	           XML "<workbook " SPACES
	               ">%s<sheets><sheet name='Ships &amp; flags' r:id='r2'/><sheet name='Lists' "
	               "state='hidden' r:id='r1'/></sheets></workbook>",
	           properties);
	made_add(made, "xl/workbook.xml", text.data);
	made_add_relations(made, "xl/_rels/workbook.xml.rels", relations);
	made_add(made, "xl/worksheets/sheet1.xml", SHEET("<row><c t='str'><v>hid</v></c></row>"));
	text.n = 0;
	buf_printf(&text, XML "<sst " SPACES ">%s</sst>", strings);
	made_add_packed(made, "xl/sharedStrings.xml", text.data, text.n);
	buf_done(&text);
	made_add(made, "xl/styles.xml",
	         XML "<styleSheet " SPACES
	             "><numFmts><numFmt numFmtId='164' formatCode='yyyy\\-mm\\-dd hh:mm'/></numFmts>"
	             "<cellStyleXfs><xf numFmtId='9'/></cellStyleXfs><cellXfs><xf numFmtId='0'/><xf "
	             "numFmtId='14'/>"
	             "<xf numFmtId='10'/><xf numFmtId='164'/></cellXfs></styleSheet>");
}

static void cells_are_shown_by_their_types_and_formats(void **state)
{
	struct made made = { 0 };

	(void)state;
	add_book(&made, "",
	         "<si><t>plain</t></si><si><r><t>ri</t></r><r><t>ch</t></r><rPh><t>ruby</t></rPh></si>");
	made_add(&made, "xl/worksheets/sheet2.xml",
	         SHEET("<row r='1'><c r='A1' t='s'><v>0</v></c><c r='B1' t='s'><v>1</v></c><c r='C1' "
	               "t='s'><v>9</v></c>"
	               "<c r='D1' t='inlineStr'><is><t>in</t><r><t>line</t></r></is></c><c r='E1' "
	               "t='b'><v>1</v></c>"
	               "<c r='F1' t='e'><v>#DIV/0!</v></c></row><row r='2'/>"
	               "<row r='9'><c r='B9'><f>1+1</f><v>2</v></c><c r='D9' s='1'><v>44927</v></c><c r='E9' "
	               "s='2'>"
	               "<v>0.125</v></c><c r='F9' s='3'><v>44927.75</v></c><c "
	               "r='G9'><v>0.30000000000000004</v></c>"
	               "<c r='XFD9'><v>1</v></c></row>"));
	assert_made_reads(
		&made, XLSX,
		"[Ships & flags]R|plain\trich\t\tinline\tTRUE\t#DIV/0!\n"
		"R|\t2\t\t2023-01-01\t12.50%\t2023-01-01 18:00\t0.3"
		"\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t"
		"\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t1\n[Lists]Ra|hid\n");
}

static void dates_may_begin_in_1904(void **state)
{
	struct made made = { 0 };

	(void)state;
	add_book(&made, "<workbookPr date1904='1'/>", "");
	made_add(&made, "xl/worksheets/sheet2.xml", SHEET("<row><c s='1'><v>0</v></c></row>"));
	assert_made_reads(&made, XLSX, "[Ships & flags]R|1904-01-01\n[Lists]Ra|hid\n");
}

/* 20,000 cells that are 100 kB each would be a row of 2 GB. */
static void a_text_that_many_cells_name_fills_no_memory(void **state)
{
	struct made made = { 0 };
	struct buf text = { 0 };
	const char *media_type;
	struct err err;
	char *shown;
	int r;

	(void)state;
	buf_puts(&text, "<si><t>");
	for (unsigned i = 0; i < 10000; i++)
		buf_puts(&text, "long text ");
	buf_puts(&text, "</t></si>");
	add_book(&made, "", text.data);
	text.n = 0;
	buf_puts(&text, XML "<worksheet " SPACES "><sheetData><row>");
	for (unsigned i = 0; i < 20000; i++)
		buf_puts(&text, "<c t='s'><v>0</v></c>");
	buf_puts(&text, "</row></sheetData></worksheet>");
	made_add_packed(&made, "xl/worksheets/sheet2.xml", text.data, text.n);
	buf_done(&text);
	made_end(&made);
	shown = shown_parse("file", made.bytes.data, made.bytes.n, &media_type, &r, &err);
	assert_non_null(shown);
	assert_non_null(strstr(shown, "... its text is larger than the limit"));
	free(shown);
	made_done(&made);
}

static void assert_shown(const char *value, const char *code, const char *expected)
{
	char shown[XLSX_NUMBER_MAX];
	size_t n =
		xlsx_number_show(value, strlen(value), xlsx_format_of_code(code, strlen(code)), false, shown);

	assert_string_equal(shown, expected);
	assert_int_equal(n, strlen(expected));
}

static void numbers_are_shown_by_the_codes_of_their_formats(void **state)
{
	(void)state;
	assert_shown("1", "yyyy-mm-dd", "1900-01-01");
	assert_shown("59", "d. mmmm yyyy", "1900-02-28");
	assert_shown("61", "mm/dd/yy", "1900-03-01");
	assert_shown("45351", "[$-409]d-mmm-yy;@", "2024-02-29");
	assert_shown("2958465", "yyyy", "9999-12-31");
	assert_shown("0.5", "hh:mm AM/PM", "12:00");
	assert_shown("1.5", "[h]:mm:ss", "36:00");
	assert_shown("0.999988425925926", "h:mm:ss", "23:59:59");
	assert_shown("0.07", "0%", "7%");
	assert_shown("0.12345", "0.0%", "12.3%");
	assert_shown("12", "\"days\" 0", "12");
	assert_shown("12", "[Red]0.00", "12");
	assert_shown("1234.5", "General", "1234.5");
	assert_shown("1E+20", "0", "1e+20");
	assert_shown("-3", "yyyy", "-3");
	assert_shown("99999999999", "yyyy", "99999999999");
	assert_shown("abc", "yyyy", "abc");
	assert_shown("nan", "yyyy", "nan");
	assert_shown("1e999", "0%", "1e999");
}

static void any_code_is_read(void **state)
{
	static const char *const codes[] = {
		"", "\"", "[", "\\", "_", "*", "[h", "[hh", "0.0000000000000000", ";", "%"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		char *code = strdup(codes[i]); /* so that a byte too far is seen */

		xlsx_format_of_code(code, strlen(code));
		free(code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_are_shown_by_their_types_and_formats),
		cmocka_unit_test(dates_may_begin_in_1904),
		cmocka_unit_test(a_text_that_many_cells_name_fills_no_memory),
		cmocka_unit_test(numbers_are_shown_by_the_codes_of_their_formats),
		cmocka_unit_test(any_code_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
