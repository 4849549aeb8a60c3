#include "pipeline/extract_frames.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "base/text.h"

/* In this order, behind the text; or FAILURE behind the first, or the first two, and END. Little-endian lengths of four
 * bytes. */
enum frame_kind {
	FRAME_HELLO = 'H', /* what speaks, and which version of this */
	FRAME_MISSING = 'N', /* pages without text, four bytes each; may be left out */
	FRAME_FAILURE = 'F', /* a code of four bytes, and words */
	FRAME_MEDIA_TYPE = 'T',
	FRAME_CHARSET = 'C',
	FRAME_PAGES = 'P', /* four bytes */
	FRAME_TRUNCATED = 'R', /* the reason; empty: it is whole */
	FRAME_MARKS = 'M',
	FRAME_END = 'E', /* four bytes: of text, which stands in front of all frames */
};

#define HELLO "skimd-extract 2"
#define HEADER_BYTES 5
#define NUMBER_BYTES 4
#define END_BYTES (HEADER_BYTES + NUMBER_BYTES)
#define MAX_NAME 127 /* Microsoft's media types have 73 bytes */

static const int CODES[] = { ENOTSUP, ENODATA, EFBIG, EBADMSG, EACCES, ENOPKG, ENOMEM, EIO, ETIME };

/* Text may be all rows of a byte each; names of places are bounded by their number. */
size_t frames_max_bytes(size_t max_text_bytes)
{
	size_t n_blocks = max_text_bytes < MARKS_MAX_BLOCKS ? max_text_bytes : MARKS_MAX_BLOCKS;

	return 4096 + NUMBER_BYTES * OCR_MAX_LISTED + max_text_bytes + 12 * n_blocks +
	       n_blocks / 8 * (MARKS_MAX_SECTION + 20);
}

static void put_number(char *bytes, uint32_t number)
{
	for (unsigned i = 0; i < NUMBER_BYTES; i++)
		bytes[i] = (char)(number >> 8 * i & 0xff);
}

static uint32_t get_number(const char *bytes)
{
	uint32_t number = 0;

	for (unsigned i = 0; i < NUMBER_BYTES; i++)
		number |= (uint32_t)(unsigned char)bytes[i] << 8 * i;
	return number;
}

/* Nothing more once something could not be written. */
static int put_bytes(struct frames *frames, const char *bytes, size_t n)
{
	if (frames->r == 0)
		frames->r = file_write_all(frames->fd, bytes, n);
	return frames->r;
}

static int put_frame(struct frames *frames, enum frame_kind kind, const void *bytes, size_t n)
{
	char header[HEADER_BYTES] = { (char)kind };
	int r;

	if (n > UINT32_MAX)
		return -EFBIG;
	put_number(header + 1, (uint32_t)n);
	r = put_bytes(frames, header, sizeof(header));
	return r < 0 || n == 0 ? r : put_bytes(frames, bytes, n);
}

/* A parser's words may hold what stands in the file: the reader takes one line of text. */
static void make_plain(char *words)
{
	bool is_text = text_is_utf8(words, strlen(words));

	for (size_t n; *words != '\0'; words += n) {
		n = text_control_length(words);
		memset(words, '?', n);
		n = n > 0 ? n : 1;
		if (!is_text && (unsigned char)*words > 0x7f)
			*words = '?';
	}
}

static int put_string(struct frames *frames, enum frame_kind kind, const char *string)
{
	return put_frame(frames, kind, string, strlen(string));
}

static int put_marks(struct frames *frames, const struct marks *marks)
{
	struct buf bytes = { 0 };
	int r;

	marks_encode(marks, &bytes);
	r = buf_status(&bytes);
	if (r == 0)
		r = put_frame(frames, FRAME_MARKS, bytes.data, bytes.n);
	buf_done(&bytes);
	return r;
}

static int put_missing(struct frames *frames, const struct ocr_pages *missing)
{
	char *bytes = missing->n == 0 ? NULL : array_new(char, missing->n, NUMBER_BYTES);
	int r;

	if (missing->n == 0)
		return 0;
	if (bytes == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < missing->n; i++)
		put_number(bytes + i * NUMBER_BYTES, missing->numbers[i]);
	r = put_frame(frames, FRAME_MISSING, bytes, missing->n * NUMBER_BYTES);
	free(bytes);
	return r;
}

static int put_end(struct frames *frames)
{
	char n_text[NUMBER_BYTES];

	put_number(n_text, (uint32_t)frames->n_text);
	return put_frame(frames, FRAME_END, n_text, sizeof(n_text));
}

void frames_write_text(void *user, const char *bytes, size_t n)
{
	struct frames *frames = user;

	put_bytes(frames, bytes, n);
	frames->n_text += n;
}

int frames_write(struct frames *frames, const struct ocr_pages *missing, const struct parsed *parsed)
{
	const struct sink_result *result = &parsed->result;
	char n_pages[NUMBER_BYTES], truncated[SINK_REASON_MAX];
	int r;

	if (result->n > UINT32_MAX - frames->n_text)
		return -EFBIG;
	frames_write_text(frames, result->text, result->n);
	snprintf(truncated, sizeof(truncated), "%s", result->truncated);
	make_plain(truncated);
	put_number(n_pages, result->n_pages);
	if ((r = put_string(frames, FRAME_HELLO, HELLO)) < 0 || (r = put_missing(frames, missing)) < 0 ||
	    (r = put_string(frames, FRAME_MEDIA_TYPE, parsed->media_type)) < 0 ||
	    (r = put_string(frames, FRAME_CHARSET, parsed->charset)) < 0 ||
	    (r = put_frame(frames, FRAME_PAGES, n_pages, sizeof(n_pages))) < 0 ||
	    (r = put_string(frames, FRAME_TRUNCATED, truncated)) < 0 ||
	    (r = put_marks(frames, &result->marks)) < 0)
		return r;
	return put_end(frames);
}

int frames_write_failure(struct frames *frames, const struct ocr_pages *missing, int code, const char *words)
{
	char bytes[NUMBER_BYTES + sizeof(((struct err *)NULL)->text)];
	int r = put_string(frames, FRAME_HELLO, HELLO);

	put_number(bytes, (uint32_t)-code);
	snprintf(bytes + NUMBER_BYTES, sizeof(bytes) - NUMBER_BYTES, "%s", words);
	make_plain(bytes + NUMBER_BYTES);
	if (r == 0)
		r = put_missing(frames, missing);
	if (r == 0)
		r = put_frame(frames, FRAME_FAILURE, bytes, NUMBER_BYTES + strlen(bytes + NUMBER_BYTES));
	return r < 0 ? r : put_end(frames);
}

/* What is left to be read. */
struct source {
	const char *bytes;
	size_t n;
};

struct frame {
	const char *bytes;
	size_t n;
};

static bool is_next(const struct source *source, enum frame_kind kind)
{
	return source->n > 0 && source->bytes[0] == (char)kind;
}

static int take_frame(struct source *source, enum frame_kind kind, size_t most, struct frame *ret)
{
	size_t n;

	if (!is_next(source, kind) || source->n < HEADER_BYTES)
		return -EPROTO;
	n = get_number(source->bytes + 1);
	if (n > most || n > source->n - HEADER_BYTES)
		return -EPROTO;
	*ret = (struct frame){ source->bytes + HEADER_BYTES, n };
	source->bytes += HEADER_BYTES + n;
	source->n -= HEADER_BYTES + n;
	return 0;
}

static bool is_plain(const char *words, size_t n)
{
	if (memchr(words, '\0', n) != NULL || !text_is_utf8(words, n))
		return false;
	for (size_t i = 0; i < n; i++) /* a control character of two bytes is whole, as all are */
		if (text_control_length(words + i) > 0)
			return false;
	return true;
}

/* One line for people, of at most most - 1 bytes. */
static int take_line(struct source *source, enum frame_kind kind, char *ret, size_t most)
{
	struct frame frame;
	int r = take_frame(source, kind, most - 1, &frame);

	if (r < 0)
		return r;
	if (!is_plain(frame.bytes, frame.n))
		return -EPROTO;
	memcpy(ret, frame.bytes, frame.n);
	ret[frame.n] = '\0';
	return 0;
}

static int take_hello(struct source *source)
{
	char hello[MAX_NAME + 1];
	int r = take_line(source, FRAME_HELLO, hello, sizeof(hello));

	return r < 0 || strcmp(hello, HELLO) != 0 ? -EPROTO : 0;
}

/* The extractor's reason becomes ours, if it is one that parsers have: others would say something about the file, such as
 * that it is gone, which is not for the extractor to say. */
static int take_failure(struct source *source, struct err *err)
{
	struct frame frame;
	int code = 0;

	if (take_frame(source, FRAME_FAILURE, NUMBER_BYTES + sizeof(err->text) - 1, &frame) < 0 ||
	    frame.n <= NUMBER_BYTES || source->n > 0 ||
	    !is_plain(frame.bytes + NUMBER_BYTES, frame.n - NUMBER_BYTES))
		return -EPROTO;
	for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++)
		if (get_number(frame.bytes) == (uint32_t)CODES[i])
			code = -CODES[i];
	if (code == 0)
		return -EPROTO;
	return err_set(err, code, "%.*s", (int)(frame.n - NUMBER_BYTES), frame.bytes + NUMBER_BYTES);
}

static int take_missing(struct source *source, struct ocr_pages *ret)
{
	struct frame frame;
	int r;

	if (!is_next(source, FRAME_MISSING))
		return 0;
	if (ret == NULL || take_frame(source, FRAME_MISSING, NUMBER_BYTES * OCR_MAX_LISTED, &frame) < 0 ||
	    frame.n % NUMBER_BYTES != 0)
		return -EPROTO;
	for (size_t i = 0; i < frame.n; i += NUMBER_BYTES) {
		uint32_t number = get_number(frame.bytes + i);

		if (number == 0 || number > INT32_MAX || (ret->n > 0 && number <= ret->numbers[ret->n - 1]))
			return -EPROTO;
		if ((r = ocr_pages_add(ret, number)) < 0)
			return r;
	}
	return 0;
}

static int take_names(struct source *source, struct parsed *ret)
{
	char media_type[MAX_NAME + 1];
	int r;

	if ((r = take_line(source, FRAME_MEDIA_TYPE, media_type, sizeof(media_type))) < 0 ||
	    (r = take_line(source, FRAME_CHARSET, ret->charset, sizeof(ret->charset))) < 0)
		return r;
	ret->media_type = formats_media_type(media_type);
	return ret->media_type == NULL ? -EPROTO : 0;
}

static bool is_text(const struct frame *text, size_t max_text_bytes)
{
	return text->n > 0 && text->n <= max_text_bytes && memchr(text->bytes, '\0', text->n) == NULL &&
	       text_is_utf8(text->bytes, text->n);
}

static int take_marks(struct source *source, const struct frame *text, struct sink_result *ret)
{
	struct marks marks = { 0 };
	struct frame frame;
	int r = take_frame(source, FRAME_MARKS, SIZE_MAX, &frame);

	if (r == 0)
		r = marks_decode(frame.bytes, frame.n, text->bytes, text->n, &marks, NULL);
	if (r == 0)
		ret->marks = marks;
	return r == 0 || r == -ENOMEM ? r : -EPROTO;
}

static int take_result(struct source *source, const struct frame *text, size_t max_text_bytes,
                       struct parsed *ret)
{
	struct frame frame;
	int r;

	if ((r = take_names(source, ret)) < 0 ||
	    (r = take_frame(source, FRAME_PAGES, NUMBER_BYTES, &frame)) < 0)
		return r;
	if (frame.n != NUMBER_BYTES || get_number(frame.bytes) > INT32_MAX)
		return -EPROTO;
	ret->result.n_pages = get_number(frame.bytes);
	r = take_line(source, FRAME_TRUNCATED, ret->result.truncated, SINK_REASON_MAX);
	if (r == 0 && !is_text(text, max_text_bytes))
		r = -EPROTO;
	if (r == 0)
		r = take_marks(source, text, &ret->result);
	return r == 0 && source->n > 0 ? -EPROTO : r;
}

/* What there is, by the last frame: the text, and the other frames. */
static int part(const struct buf *bytes, struct frame *ret_text, struct source *ret)
{
	struct source end;
	struct frame number;

	if (bytes->n < END_BYTES)
		return -EPROTO;
	end = (struct source){ bytes->data + bytes->n - END_BYTES, END_BYTES };
	if (take_frame(&end, FRAME_END, NUMBER_BYTES, &number) < 0 || number.n != NUMBER_BYTES ||
	    get_number(number.bytes) > bytes->n - END_BYTES)
		return -EPROTO;
	*ret_text = (struct frame){ bytes->data, get_number(number.bytes) };
	*ret = (struct source){ bytes->data + ret_text->n, bytes->n - END_BYTES - ret_text->n };
	return 0;
}

/* The text stays in the memory that it came in. */
static void keep_text(struct buf *bytes, const struct frame *text, struct sink_result *ret)
{
	bytes->data[text->n] = '\0';
	ret->n = text->n;
	ret->text = buf_take(bytes);
}

int frames_read(struct buf *bytes, size_t max_text_bytes, struct parsed *ret, struct ocr_pages *ret_missing,
                struct err *err)
{
	struct source source = { 0 };
	struct parsed parsed = { .charset = "" };
	struct frame text = { 0 };
	struct err why = { "" };
	int r = part(bytes, &text, &source);

	if (r == 0)
		r = take_hello(&source);
	if (r == 0)
		r = take_missing(&source, ret_missing);
	if (r == 0 && is_next(&source, FRAME_FAILURE))
		r = take_failure(&source, &why);
	else if (r == 0)
		r = take_result(&source, &text, max_text_bytes, &parsed);
	if (r == 0) {
		keep_text(bytes, &text, &parsed.result);
		*ret = parsed;
		return 0;
	}
	parsed_done(&parsed);
	buf_done(bytes);
	if (r == -ENOMEM && why.text[0] == '\0')
		return err_set(err, r, "no memory for its text");
	return err_set(err, r, "%s", r == -EPROTO ? "the extractor ended without a result" : why.text);
}
