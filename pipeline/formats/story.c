#include "pipeline/formats/story.h"

#include <errno.h>
#include <string.h>

int story_paragraph(struct story *story, enum sink_block block, unsigned level, bool aside)
{
	int r = story_end_paragraph(story);

	if (story->n_rows == 0 && story->n_boxes == 0) {
		story->block = block;
		story->level = level;
		story->paragraph_aside = aside;
	}
	return r;
}

static int open_paragraph(struct story *story)
{
	bool goes_on = story->in_program && story->block == SINK_PREFORMATTED;
	int r = goes_on ? sink_break(story->sink) : sink_begin(story->sink, story->block, story->level);

	story->is_open = true;
	story->in_program = false;
	if (story->aside || story->paragraph_aside)
		r = sink_aside(story->sink);
	return r;
}

static bool is_blank(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strchr(" \t\r\n", text[i]) == NULL || text[i] == '\0')
			return false;
	return true;
}

int story_text(struct story *story, const char *text, size_t n)
{
	if (story->n_boxes > 0) {
		buf_append(&story->behind, text, n);
		return buf_status(&story->behind);
	}
	if (!story->has_text && !story->aside && !story->paragraph_aside)
		story->has_text = !is_blank(text, n);
	if (!story->is_open && story->n_rows == 0)
		open_paragraph(story);
	return sink_text(story->sink, text, n);
}

int story_break(struct story *story)
{
	if (story->n_boxes > 0)
		return story_text(story, "\n", 1);
	return story->n_rows > 0 || !story->is_open ? story_text(story, " ", 1) : sink_break(story->sink);
}

/* Each line as a paragraph. What is behind a paragraph that is an aside is one as well. */
static int flush_behind(struct story *story)
{
	struct buf behind = story->behind;
	int r = 0;

	if (behind.n == 0 || story->n_rows > 0 || story->n_boxes > 0)
		return 0;
	story->behind = (struct buf){ 0 };
	story->in_program = false;
	story->block = SINK_PARAGRAPH;
	story->level = 0;
	for (size_t at = 0, n; r == 0 && at < behind.n; at += n + 1) {
		const char *end = memchr(behind.data + at, '\n', behind.n - at);

		n = end == NULL ? behind.n - at : (size_t)(end - behind.data) - at;
		r = n > 0 ? story_text(story, behind.data + at, n) : 0;
		sink_end(story->sink);
		story->is_open = false;
	}
	buf_done(&behind);
	return r;
}

int story_end_paragraph(struct story *story)
{
	int r = 0;

	if (story->n_boxes > 0)
		return story_text(story, "\n", 1);
	if (story->n_rows > 0)
		return story->has_cell ? sink_text(story->sink, " ", 1) : 0;
	if (story->is_open && story->block == SINK_PREFORMATTED)
		story->in_program = true;
	else if (story->is_open)
		r = sink_end(story->sink);
	story->is_open = false;
	return r < 0 ? r : flush_behind(story);
}

int story_row(struct story *story)
{
	int r = story_end_paragraph(story);

	if (story->n_boxes > 0 || story->n_rows++ > 0)
		return r;
	story->has_cell = story->in_program = false;
	story->paragraph_aside = false;
	r = sink_begin(story->sink, SINK_ROW, 0);
	return story->aside ? sink_aside(story->sink) : r;
}

int story_cell(struct story *story)
{
	bool is_first = !story->has_cell;

	if (story->n_boxes > 0 || story->n_rows != 1)
		return story_text(story, " ", 1);
	story->has_cell = true;
	return is_first ? 0 : sink_cell(story->sink);
}

int story_end_row(struct story *story)
{
	int r;

	if (story->n_boxes > 0)
		return story_text(story, "\n", 1);
	if (story->n_rows == 0 || --story->n_rows > 0)
		return 0;
	r = sink_end(story->sink);
	return r < 0 ? r : flush_behind(story);
}

void story_box(struct story *story)
{
	story->n_boxes++;
}

int story_end_box(struct story *story)
{
	if (story->n_boxes > 0)
		story->n_boxes--;
	buf_append(&story->behind, "\n", 1);
	return buf_status(&story->behind);
}

int story_note(struct story *story, const char *text)
{
	buf_puts(&story->behind, text);
	buf_append(&story->behind, "\n", 1);
	return buf_status(&story->behind);
}

/* What was open when reading stopped, in the midst of the document or at its end. */
static int end_all(struct story *story)
{
	bool in_row = story->n_rows > 0;

	story->n_boxes = 0;
	story->n_rows = in_row;
	return in_row ? story_end_row(story) : story_end_paragraph(story);
}

static const char *words_of(int r, const struct err *words)
{
	if (words->text[0] != '\0')
		return words->text;
	switch (r) {
	case -EFBIG:
		return "its text is larger than the limit";
	case -ENOMEM:
		return "no memory to read it";
	default:
		return strerror(-r);
	}
}

int story_finish(struct story *story, int r, const struct err *words, struct err *err)
{
	int ended = end_all(story);

	if (r == 0)
		r = ended;
	if (r == 0)
		return story->has_text ? 0 : err_set(err, -ENODATA, "the file holds no text");
	if (r == -ENOENT) /* of a part, not of the file */
		r = -EBADMSG;
	if (!story->has_text || (r != -EFBIG && r != -EBADMSG))
		return err_set(err, r, "%s", words_of(r, words));
	sink_truncated(story->sink, words_of(r, words));
	return 0;
}

void story_done(struct story *story)
{
	buf_done(&story->behind);
}
