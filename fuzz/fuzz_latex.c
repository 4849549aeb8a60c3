/* LaTeX source. */
#include "fuzz/parser.h"
#include "pipeline/formats/latex.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	parser_check(&FORMAT_LATEX, "a.tex", bytes, n);
	return 0;
}
