/* A table. */
#include "fuzz/parser.h"
#include "pipeline/formats/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	parser_check(&FORMAT_CSV, "a.csv", bytes, n);
	return 0;
}
