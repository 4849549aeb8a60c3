/* An Info file. */
#include "fuzz/parser.h"
#include "pipeline/formats/info_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	parser_check(&FORMAT_INFO, "a.info", bytes, n);
	return 0;
}
