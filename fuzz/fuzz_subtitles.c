/* Subtitles of either kind; the parser is the same. */
#include "fuzz/parser.h"
#include "pipeline/formats/subtitles.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	parser_check(&FORMAT_SUBRIP, "a.srt", bytes, n);
	return 0;
}
