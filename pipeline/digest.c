#include "pipeline/digest.h"

#include <nettle/sha2.h>

#include "base/hex.h"

void digest_hex(const void *bytes, size_t n, char ret[DIGEST_HEX])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx context;

	sha256_init(&context);
	sha256_update(&context, n, bytes);
	sha256_digest(&context, sizeof(digest), digest);
	hex_encode(digest, sizeof(digest), ret);
}
