/* An RTF document. */
#include "fuzz/parser.h"
#include "pipeline/formats/rtf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	parser_check(&FORMAT_RTF, "a.rtf", bytes, n);
	return 0;
}
