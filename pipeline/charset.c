#include "pipeline/charset.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

#define REPLACEMENT 0xfffdu
#define N_GUESS 4096 /* bytes at the start that tell UTF-16 without a mark */
#define DAMAGE_RATIO 8 /* good multi-byte characters for each wrong byte */
#define MAX_CONTROL_SHARE 100 /* one control character in this many bytes is still text */
#define MIN_ASCII_PERCENT 70 /* below, an 8-bit text is in an alphabet that we do not know */

/* Where windows-1252 differs from Latin-1: 0x80 to 0x9f. 0: no character. */
static const uint16_t WINDOWS_1252[32] = {
	0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
	0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

uint32_t charset_windows_1252(unsigned char byte)
{
	return byte >= 0x80 && byte < 0xa0 ? WINDOWS_1252[byte - 0x80] : byte;
}

/* Takes one character from bytes[0, n), n > 0. Returns the bytes taken; 0: there is no character here. */
typedef size_t decoder(const unsigned char *bytes, size_t n, uint32_t *ret);

static size_t join_surrogates(uint32_t high, uint32_t low, uint32_t *ret)
{
	if (high >= 0xdc00 || low < 0xdc00 || low > 0xdfff)
		return 0;
	*ret = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	return 4;
}

static size_t decode_utf16(const unsigned char *bytes, size_t n, size_t high, uint32_t *ret)
{
	uint32_t unit;

	if (n < 2)
		return 0;
	unit = (uint32_t)bytes[high] << 8 | bytes[1 - high];
	if (unit >= 0xd800 && unit <= 0xdfff)
		return n < 4 ? 0
		             : join_surrogates(unit, (uint32_t)bytes[2 + high] << 8 | bytes[3 - high], ret);
	*ret = unit;
	return 2;
}

static size_t decode_utf16le(const unsigned char *bytes, size_t n, uint32_t *ret)
{
	return decode_utf16(bytes, n, 1, ret);
}

static size_t decode_utf16be(const unsigned char *bytes, size_t n, uint32_t *ret)
{
	return decode_utf16(bytes, n, 0, ret);
}

static size_t check_utf32(uint32_t character, uint32_t *ret)
{
	*ret = character;
	return character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff) ? 0 : 4;
}

static size_t decode_utf32le(const unsigned char *b, size_t n, uint32_t *ret)
{
	return n < 4 ? 0
	             : check_utf32((uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0],
	                           ret);
}

static size_t decode_utf32be(const unsigned char *b, size_t n, uint32_t *ret)
{
	return n < 4 ? 0
	             : check_utf32((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3],
	                           ret);
}

static size_t decode_windows_1252(const unsigned char *bytes, size_t n, uint32_t *ret)
{
	(void)n;
	*ret = charset_windows_1252(bytes[0]);
	return 1;
}

/* A wrong byte becomes the replacement character. */
static size_t repair_utf8(const unsigned char *bytes, size_t n, uint32_t *ret)
{
	size_t n_taken = text_decode_utf8(bytes, n, ret);

	if (n_taken > 0)
		return n_taken;
	*ret = REPLACEMENT;
	return 1;
}

static void append_utf8(struct buf *buf, uint32_t character)
{
	char bytes[4];

	buf_append(buf, bytes, text_encode_utf8(character, bytes));
}

/* A character that no text has. */
static bool is_foreign(uint32_t character)
{
	return character == 0 || character == 0xfffe || character == 0xffff;
}

/* Replace the bytes from *skip on by what they decode to. */
static int transcode(struct buf *bytes, size_t skip, decoder *decode, size_t max_bytes, const char *name,
                     struct err *err)
{
	struct buf text = { 0 };

	for (size_t i = skip; i < bytes->n;) {
		uint32_t character = 0;
		size_t n = decode((const unsigned char *)bytes->data + i, bytes->n - i, &character);

		if (n == 0 || is_foreign(character)) {
			buf_done(&text);
			return err_set(err, -ENOTSUP, "not text: starts like %s, but byte %zu is wrong", name,
			               i);
		}
		append_utf8(&text, character);
		i += n;
		if (text.n > max_bytes) {
			buf_done(&text);
			return err_set(err, -EFBIG, "its text is larger than the limit of %zu bytes",
			               max_bytes);
		}
	}
	if (buf_status(&text) < 0) {
		buf_done(&text);
		return err_set(err, -ENOMEM, "no memory for its text");
	}
	buf_done(bytes);
	*bytes = text;
	return 0;
}

struct tally {
	size_t n_multi, n_wrong; /* UTF-8 characters of several bytes; bytes that belong to none */
	size_t n_nul, n_control; /* control characters that text does not have */
	size_t n_c1; /* bytes 0x80 to 0x9f */
	size_t n_undefined; /* of those, without a meaning in windows-1252 */
	size_t n_high, n_solid; /* bytes from 0x80; bytes that are not white space */
};

static void count_byte(struct tally *tally, unsigned char byte)
{
	tally->n_nul += byte == 0;
	tally->n_control += byte == 0x7f || (byte < 0x20 && strchr("\t\n\v\f\r\b\x1b", byte) == NULL);
	tally->n_c1 += byte >= 0x80 && byte < 0xa0;
	tally->n_undefined += byte >= 0x80 && byte < 0xa0 && WINDOWS_1252[byte - 0x80] == 0;
	tally->n_high += byte >= 0x80;
	tally->n_solid += byte > 0x20;
}

static struct tally count(const struct buf *bytes)
{
	struct tally tally = { 0 };
	const unsigned char *data = (const unsigned char *)bytes->data;

	for (size_t i = 0; i < bytes->n;) {
		uint32_t character;
		size_t n = text_decode_utf8(data + i, bytes->n - i, &character);

		tally.n_multi += n > 1;
		tally.n_wrong += n == 0;
		for (size_t end = i + (n > 0 ? n : 1); i < end; i++)
			count_byte(&tally, data[i]);
	}
	return tally;
}

struct form {
	const char *mark;
	size_t n_mark;
	const char *name;
	decoder *decode;
};

/* UTF-32's little-endian mark begins with UTF-16's, and is asked for first. */
static const struct form FORMS[] = {
	{ "\xff\xfe\0\0", 4, "utf-32le", decode_utf32le },
	{ "\0\0\xfe\xff", 4, "utf-32be", decode_utf32be },
	{ "\xff\xfe", 2, "utf-16le", decode_utf16le },
	{ "\xfe\xff", 2, "utf-16be", decode_utf16be },
};

static const struct form *find_mark(const struct buf *bytes)
{
	for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++)
		if (bytes->n >= FORMS[i].n_mark && memcmp(bytes->data, FORMS[i].mark, FORMS[i].n_mark) == 0)
			return &FORMS[i];
	return NULL;
}

/* European text in UTF-16 has zero in nearly all of its high bytes and in none of the low ones. */
static const struct form *guess_utf16(const struct buf *bytes)
{
	size_t n = bytes->n < N_GUESS ? bytes->n : N_GUESS, n_zeros[2] = { 0 };

	if (n < 8 || bytes->n % 2 != 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		n_zeros[i % 2] += bytes->data[i] == 0;
	if (n_zeros[0] == 0 && n_zeros[1] * 10 >= n / 2 * 8)
		return &FORMS[2];
	return n_zeros[1] == 0 && n_zeros[0] * 10 >= n / 2 * 8 ? &FORMS[3] : NULL;
}

static int check_text(const struct tally *tally, size_t n, struct err *err)
{
	if (tally->n_nul > 0)
		return err_set(err, -ENOTSUP, "not text: holds zero bytes");
	if (tally->n_control > n / MAX_CONTROL_SHARE)
		return err_set(err, -ENOTSUP, "not text: %zu of its %zu bytes are control characters",
		               tally->n_control, n);
	return 0;
}

static int decode_8bit(struct buf *bytes, const struct tally *tally, size_t max_bytes, const char **ret_name,
                       struct err *err)
{
	const char *name = tally->n_c1 > 0 ? "windows-1252" : "iso-8859-1";

	if (tally->n_multi >= tally->n_wrong * DAMAGE_RATIO) {
		*ret_name = "utf-8-damaged";
		return transcode(bytes, 0, repair_utf8, max_bytes, *ret_name, err);
	}
	if (tally->n_undefined > 0 ||
	    (tally->n_solid - tally->n_high) * 100 < tally->n_solid * MIN_ASCII_PERCENT)
		return err_set(err, -ENOTSUP,
		               "its text is in an unknown character set: neither Unicode nor Latin");
	*ret_name = name;
	return transcode(bytes, 0, decode_windows_1252, max_bytes, name, err);
}

int charset_decode(struct buf *bytes, size_t max_bytes, const char **ret_name, struct err *err)
{
	const struct form *form = find_mark(bytes);
	size_t skip = form != NULL ? form->n_mark : 0;
	struct tally tally;
	int r;

	if (form == NULL)
		form = guess_utf16(bytes);
	if (form != NULL) {
		if ((r = transcode(bytes, skip, form->decode, max_bytes, form->name, err)) < 0)
			return r;
		*ret_name = form->name;
	}
	tally = count(bytes);
	if ((r = check_text(&tally, bytes->n, err)) < 0)
		return r;
	if (bytes->n > max_bytes)
		return err_set(err, -EFBIG, "its text is larger than the limit of %zu bytes", max_bytes);
	if (form != NULL)
		return 0;
	if (tally.n_wrong > 0)
		return decode_8bit(bytes, &tally, max_bytes, ret_name, err);
	*ret_name = "utf-8";
	return 0;
}
