#include "pipeline/formats/subtitles.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define PAUSE_MS 3000 /* of silence that ends a paragraph */
#define MAX_TAG ((size_t)200) /* bytes */
#define LONG_PARAGRAPH 400 /* bytes from which on a sentence's end is a paragraph's */

struct span {
	const char *at, *end;
};

struct subtitles {
	struct sink *sink;
	struct span rest;
	bool open;
	size_t n_paragraph; /* bytes of it so far */
	char last; /* character that is not blank */
	int64_t ended_ms; /* when the last cue did */
	struct buf last_line; /* rolling captions repeat the line above: said once */
	int r;
};

static bool next_line(struct span *text, struct span *ret)
{
	const char *end;

	if (text->at == text->end)
		return false;
	end = memchr(text->at, '\n', (size_t)(text->end - text->at));
	*ret = (struct span){ text->at, end == NULL ? text->end : end };
	text->at = end == NULL ? text->end : end + 1;
	while (ret->end > ret->at && isspace((unsigned char)ret->end[-1]))
		ret->end--;
	while (ret->at < ret->end && isspace((unsigned char)*ret->at))
		ret->at++;
	return true;
}

static bool is_empty(const struct span *line)
{
	return line->at == line->end;
}

/* "01:02:03,456", "02:03.456". Returns where it ends; NULL: no time. */
static const char *take_time(struct span line, int64_t *ret_ms)
{
	int64_t parts[3] = { 0, 0, 0 }, part = 0;
	int n_parts = 0, n_digits = 0;
	const char *at = line.at;

	for (; at < line.end; at++) {
		if (isdigit((unsigned char)*at) && n_digits < 6) {
			part = part * 10 + (*at - '0');
			n_digits++;
		} else if (*at == ':' && n_digits > 0 && n_parts < 2) {
			parts[n_parts++] = part;
			part = n_digits = 0;
		} else {
			break;
		}
	}
	if (n_parts == 0 || n_digits == 0)
		return NULL;
	*ret_ms = (n_parts == 2 ? parts[0] * 3600 + parts[1] * 60 : parts[0] * 60) * 1000 + part * 1000;
	if (at < line.end && (*at == ',' || *at == '.'))
		for (int scale = 100; ++at < line.end && isdigit((unsigned char)*at); scale /= 10)
			*ret_ms += (*at - '0') * scale;
	return at;
}

/* "TIME --> TIME settings" */
static bool take_times(struct span line, int64_t *ret_start, int64_t *ret_end)
{
	const char *at = take_time(line, ret_start);

	if (at == NULL)
		return false;
	while (at < line.end && *at == ' ')
		at++;
	if (line.end - at < 4 || memcmp(at, "-->", 3) != 0)
		return false;
	for (at += 3; at < line.end && *at == ' ';)
		at++;
	return take_time((struct span){ at, line.end }, ret_end) != NULL;
}

static void put(struct subtitles *subtitles, const char *bytes, size_t n)
{
	if (n == 0)
		return;
	subtitles->r = sink_text(subtitles->sink, bytes, n);
	subtitles->n_paragraph += n;
	if (!isspace((unsigned char)bytes[n - 1]))
		subtitles->last = bytes[n - 1];
}

static const struct {
	const char *name, *text;
} ENTITIES[] = { { "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" },
	         { "&lrm;", "" },  { "&rlm;", "" }, { "&nbsp;", " " } };

static size_t put_entity(struct subtitles *subtitles, struct span text)
{
	for (size_t i = 0; i < sizeof(ENTITIES) / sizeof(ENTITIES[0]); i++) {
		size_t n = strlen(ENTITIES[i].name);

		if ((size_t)(text.end - text.at) >= n && memcmp(text.at, ENTITIES[i].name, n) == 0) {
			put(subtitles, ENTITIES[i].text, strlen(ENTITIES[i].text));
			return n;
		}
	}
	put(subtitles, text.at, 1);
	return 1;
}

/* "<v Ann>" names who speaks; all other tags, and "{\an8}", are lay-out. Returns where it ends. */
static const char *take_tag(struct subtitles *subtitles, struct span text)
{
	char closing = *text.at == '<' ? '>' : '}';
	size_t n = (size_t)(text.end - text.at);
	const char *end = memchr(text.at, closing, n < MAX_TAG ? n : MAX_TAG);

	if (end == NULL || (closing == '}' && text.at[1] != '\\')) {
		put(subtitles, text.at, 1);
		return text.at + 1;
	}
	if (end - text.at > 3 && memcmp(text.at, "<v", 2) == 0 && (text.at[2] == ' ' || text.at[2] == '.')) {
		const char *name = memchr(text.at, ' ', (size_t)(end - text.at));

		if (name != NULL) {
			put(subtitles, name + 1, (size_t)(end - name - 1));
			put(subtitles, ": ", 2);
		}
	}
	return end + 1;
}

static void put_line(struct subtitles *subtitles, struct span line)
{
	const char *start = line.at;

	while (line.at < line.end && subtitles->r == 0) {
		if (*line.at != '<' && *line.at != '{' && *line.at != '&') {
			line.at++;
			continue;
		}
		put(subtitles, start, (size_t)(line.at - start));
		line.at = *line.at == '&' ? line.at + put_entity(subtitles, line) : take_tag(subtitles, line);
		start = line.at;
	}
	put(subtitles, start, (size_t)(line.at - start));
	put(subtitles, " ", 1);
}

static void begin_paragraph(struct subtitles *subtitles, int64_t start_ms)
{
	char time[32];
	int64_t seconds = start_ms / 1000;

	snprintf(time, sizeof(time), "%02lld:%02lld:%02lld", (long long)(seconds / 3600),
	         (long long)(seconds / 60 % 60), (long long)(seconds % 60));
	sink_section(subtitles->sink, time, strlen(time));
	subtitles->r = sink_begin(subtitles->sink, SINK_PARAGRAPH, 0);
	subtitles->open = true;
	subtitles->n_paragraph = 0;
}

static bool ends_paragraph(const struct subtitles *subtitles, int64_t start_ms)
{
	bool sentence = strchr(".?!\"", subtitles->last) != NULL;

	return !subtitles->open || start_ms < subtitles->ended_ms - PAUSE_MS ||
	       start_ms > subtitles->ended_ms + PAUSE_MS ||
	       (sentence && subtitles->n_paragraph >= LONG_PARAGRAPH);
}

static bool is_repeated(struct subtitles *subtitles, struct span line)
{
	size_t n = (size_t)(line.end - line.at);
	struct buf *last = &subtitles->last_line;
	bool ret = last->n == n && n > 0 && memcmp(last->data, line.at, n) == 0;

	last->n = 0;
	buf_append(last, line.at, n);
	return ret;
}

/* "- Yes." - the other one speaks. */
static bool is_reply(struct span line)
{
	return line.end - line.at > 1 && line.at[0] == '-' && line.at[1] != '-';
}

static void read_cue(struct subtitles *subtitles, int64_t start_ms, int64_t end_ms)
{
	struct span line;

	if (ends_paragraph(subtitles, start_ms))
		begin_paragraph(subtitles, start_ms);
	while (subtitles->r == 0 && next_line(&subtitles->rest, &line) && !is_empty(&line)) {
		if (is_repeated(subtitles, line))
			continue;
		if (is_reply(line))
			sink_break(subtitles->sink);
		put_line(subtitles, line);
	}
	subtitles->ended_ms = end_ms;
}

/* Cues' names and numbers, notes and styles stand where no times do. */
static void read_all(struct subtitles *subtitles)
{
	struct span line;
	int64_t start_ms, end_ms;

	while (subtitles->r == 0 && next_line(&subtitles->rest, &line))
		if (take_times(line, &start_ms, &end_ms))
			read_cue(subtitles, start_ms, end_ms);
	if (subtitles->r == 0)
		subtitles->r = sink_end(subtitles->sink);
}

static int parse(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct subtitles subtitles = { .sink = sink, .rest = { input->bytes, input->bytes + input->n } };

	read_all(&subtitles);
	buf_done(&subtitles.last_line);
	return subtitles.r == 0 ? 0
	                        : err_set(err, subtitles.r, "the subtitles could not be read: %s",
	                                  strerror(-subtitles.r));
}

static struct span behind_mark(const struct format_input *input)
{
	bool mark = input->n >= 3 && memcmp(input->bytes, "\xef\xbb\xbf", 3) == 0;

	return (struct span){ input->bytes + (mark ? 3 : 0), input->bytes + input->n };
}

static bool is_webvtt(const struct format_input *input)
{
	struct span rest = behind_mark(input), line;

	return next_line(&rest, &line) && line.end - line.at >= 6 && memcmp(line.at, "WEBVTT", 6) == 0 &&
	       (line.end - line.at == 6 || isspace((unsigned char)line.at[6]));
}

/* A number, and times below it. */
static bool is_subrip(const struct format_input *input)
{
	struct span rest = behind_mark(input), line = { NULL, NULL };
	int64_t start_ms, end_ms;

	while (next_line(&rest, &line) && is_empty(&line))
		;
	if (is_empty(&line))
		return false;
	for (const char *at = line.at; at < line.end; at++)
		if (!isdigit((unsigned char)*at))
			return false;
	return next_line(&rest, &line) && take_times(line, &start_ms, &end_ms);
}

const struct format FORMAT_SUBRIP = { "application/x-subrip", "subtitles (SubRip)", true, is_subrip, parse };
const struct format FORMAT_WEBVTT = { "text/vtt", "subtitles (WebVTT)", true, is_webvtt, parse };
