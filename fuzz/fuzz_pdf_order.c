/* A document as pdftotext writes it in its two orders: the pages stay as many as they were, and each is the laid-out one as it
 * was, or has what the raw one has and as many letters as before. The first two bytes are how much of the rest is laid out. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "pipeline/formats/pdf_order.h"

/* What is left of a text. */
struct rest {
	const char *text;
	size_t n;
};

/* The page at its start, without the form feed, which is passed. */
static struct rest take_page(struct rest *rest)
{
	const char *end = rest->n == 0 ? NULL : memchr(rest->text, '\f', rest->n);
	struct rest page = { rest->text, end == NULL ? rest->n : (size_t)(end - rest->text) };
	size_t n = page.n + (end != NULL);

	rest->text += n;
	rest->n -= n;
	return page;
}

static bool is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

static bool is_blank(struct rest page)
{
	while (page.n > 0 && is_white(page.text[page.n - 1]))
		page.n--;
	return page.n == 0;
}

static bool is_same(struct rest a, struct rest b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.text, b.text, a.n) == 0);
}

/* But for white space. */
static bool has_same_words(struct rest a, struct rest b)
{
	for (;;) {
		for (; a.n > 0 && is_white(*a.text); a.n--)
			a.text++;
		for (; b.n > 0 && is_white(*b.text); b.n--)
			b.text++;
		if (a.n == 0 || b.n == 0 || *a.text != *b.text)
			return a.n == b.n;
		a.text++, a.n--;
		b.text++, b.n--;
	}
}

static size_t count_letters(struct rest page)
{
	size_t n_letters = 0;

	for (size_t i = 0; i < page.n; i++)
		n_letters += isalnum((unsigned char)page.text[i]) || (unsigned char)page.text[i] >= 0x80;
	return n_letters;
}

static void check_pages(struct rest laid_out, struct rest raw, struct rest mended)
{
	while (laid_out.n > 0) {
		struct rest before = take_page(&laid_out), other = take_page(&raw), after;

		after = take_page(&mended);
		REQUIRE(is_same(before, after) || (!is_blank(other) && has_same_words(other, after) &&
		                                   count_letters(before) == count_letters(after)));
	}
	REQUIRE(mended.n == 0);
}

static size_t count_ends(struct rest text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.text[i] == '\f';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input input = { bytes, n };
	size_t n_laid_out = input_u8(&input) | (size_t)input_u8(&input) << 8;
	char *texts[2];
	struct rest laid_out, raw, mended;
	struct buf ret = { 0 };

	n_laid_out = n_laid_out < input.n ? n_laid_out : input.n;
	texts[0] = copy_bytes(input.bytes, n_laid_out);
	texts[1] = copy_bytes(input.bytes + n_laid_out, input.n - n_laid_out);
	laid_out = (struct rest){ texts[0], n_laid_out };
	raw = (struct rest){ texts[1], input.n - n_laid_out };
	REQUIRE(!pdf_order_is_doubtful(laid_out.text, 0));
	pdf_order_is_doubtful(laid_out.text, laid_out.n);
	pdf_order_mend(laid_out.text, laid_out.n, raw.text, raw.n, &ret);
	REQUIRE(buf_status(&ret) == 0);
	mended = (struct rest){ ret.data == NULL ? "" : ret.data, ret.n };
	REQUIRE(count_ends(mended) == count_ends(laid_out));
	check_pages(laid_out, raw, mended);
	buf_done(&ret);
	free(texts[0]);
	free(texts[1]);
	return 0;
}
