#include "store/docstore_text.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

/* Deflate cannot pack tighter than 1032 to 1, so a row that claims more is damaged, and nothing is allocated. */
#define MAX_RATIO 1032

int text_deflate(const char *text, size_t n, unsigned char **ret, size_t *ret_n)
{
	uLongf n_deflated = compressBound(n);
	unsigned char *deflated = malloc(n_deflated);

	if (deflated == NULL || compress(deflated, &n_deflated, (const Bytef *)text, n) != Z_OK) {
		free(deflated);
		return -ENOMEM;
	}
	*ret = deflated;
	*ret_n = n_deflated;
	return 0;
}

int text_inflate(const void *deflated, size_t n, size_t n_text, char **ret)
{
	uLongf n_inflated = n_text;
	char *text;
	int code;

	if (n_text / MAX_RATIO > n)
		return -EBADMSG;
	text = malloc(n_text + 1);
	if (text == NULL)
		return -ENOMEM;
	code = uncompress((Bytef *)text, &n_inflated, deflated, n);
	if (code != Z_OK || n_inflated != n_text) {
		free(text);
		return code == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
	}
	text[n_text] = '\0';
	*ret = text;
	return 0;
}
