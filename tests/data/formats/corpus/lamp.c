/* Switches the lamp of a lighthouse, as its threshold says. */
#include <stdio.h>

int main(void)
{
	return puts("on") < 0;
}
