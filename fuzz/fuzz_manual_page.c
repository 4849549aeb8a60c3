/* A manual page, of man(7) or mdoc(7). */
#include "fuzz/parser.h"
#include "pipeline/formats/manual_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	parser_check(&FORMAT_MANUAL_PAGE, "a.1", bytes, n);
	return 0;
}
