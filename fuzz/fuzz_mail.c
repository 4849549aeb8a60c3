/* A mail, or a mailbox of several, as the first byte chooses. */
#include "fuzz/parser.h"
#include "pipeline/formats/mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input input = { bytes, n };
	const struct format *format = input_u8(&input) % 2 == 0 ? &FORMAT_MAIL : &FORMAT_MBOX;

	parser_check(format, "a.eml", input.bytes, input.n);
	return 0;
}
