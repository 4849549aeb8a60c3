#include "base/text.h"

void text_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

size_t text_control_length(const char *text)
{
	unsigned char first = (unsigned char)text[0];

	if (first < ' ' || first == 0x7f)
		return 1;
	return first == 0xc2 && (unsigned char)text[1] < 0xa0 ? 2 : 0;
}
