#include "pipeline/title.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "pipeline/words.h"

#define MAX_TITLE_BYTES 100
#define OPENING 400 /* bytes of a text that speak of all of it */

bool title_says_nothing(const char *title, size_t n)
{
	static const char *const WORDS[] = { "abstract", "contents", "description",      "introduction",
		                             "name",     "overview", "preamble",         "preface",
		                             "summary",  "synopsis", "table of contents" };

	while (n > 0 && (isdigit((unsigned char)*title) != 0 || *title == '.' || *title == ' ')) {
		title++;
		n--;
	}
	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
		if (strlen(WORDS[i]) == n && strncasecmp(title, WORDS[i], n) == 0)
			return true;
	}
	return n == 0;
}

static bool is_name(const struct view *view, const struct heading *heading)
{
	return heading->end - heading->title == strlen("name") &&
	       strncasecmp(view->text + heading->title, "name", strlen("name")) == 0;
}

/* "NAME", or what stands below "SKIMD(8)": that of a manual page. NULL: it is none. */
static const struct heading *find_name(const struct view *view)
{
	const struct heading *first = view->headings;

	if (view->n_headings > 0 && is_name(view, first))
		return first;
	if (view->n_headings > 1 && view->text[first->end - 1] == ')' && is_name(view, first + 1) &&
	    first[1].start == first->end + strspn(view->text + first->end, " \n"))
		return first + 1;
	return NULL;
}

/* The line that follows a heading, if it is short enough to be a title. */
static bool find_line_below(const struct view *view, const struct heading *heading, struct title_place *ret)
{
	ret->start = heading->end + strspn(view->text + heading->end, " \n");
	ret->end = ret->start + strcspn(view->text + ret->start, "\n");
	return ret->end > ret->start && ret->end - ret->start <= MAX_TITLE_BYTES;
}

/* Words, and no sentence, item or field. */
static bool looks_like_a_title(const char *line, size_t n)
{
	size_t n_letters = 0, n_words = 0;

	for (size_t i = 0; i < n; i++) {
		n_letters += isalpha((unsigned char)line[i]) != 0 || (unsigned char)line[i] >= 0x80;
		n_words += line[i] != ' ' && (i == 0 || line[i - 1] == ' ');
	}
	return n_words >= 2 && n_letters * 4 >= n * 3 && isupper((unsigned char)line[0]) != 0 &&
	       strchr(".,;:!?", line[n - 1]) == NULL && memchr(line, ':', n) == NULL;
}

/* A line of pictures that lead somewhere: "[![build](a.svg)](b) ![licence](c.svg)". */
static bool is_badges(const char *line, size_t n)
{
	return n > 2 && (memcmp(line, "![", 2) == 0 || memcmp(line, "[!", 2) == 0) &&
	       strchr(")]", line[n - 1]) != NULL;
}

/* Where the text begins to say something: behind front matter, HTML, and lines of pictures. */
static size_t skip_decoration(const struct view *view)
{
	size_t at = strspn(view->text, " \n"), n;

	while (at < view->n) {
		n = strcspn(view->text + at, "\n");
		if (!view_is_code(view, at) && !is_badges(view->text + at, n))
			break;
		at += n + strspn(view->text + at + n, " \n");
	}
	return at;
}

bool title_of_heading(const struct view *view, struct title_place *ret)
{
	const struct heading *first = view->headings, *name = find_name(view);

	if (name != NULL)
		return find_line_below(view, name, ret);
	if (view->n_headings == 0 || first->start > skip_decoration(view))
		return false;
	*ret = (struct title_place){ first->title, first->end };
	return !title_says_nothing(view->text + ret->start, ret->end - ret->start) ||
	       (find_line_below(view, first, ret) &&
	        looks_like_a_title(view->text + ret->start, ret->end - ret->start));
}

bool title_of_first_line(const struct view *view, struct title_place *ret)
{
	ret->start = strspn(view->text, " \n");
	ret->end = ret->start + strcspn(view->text + ret->start, "\n");
	return view->text[ret->end] == '\n' && ret->end > ret->start &&
	       ret->end - ret->start <= MAX_TITLE_BYTES &&
	       looks_like_a_title(view->text + ret->start, ret->end - ret->start) &&
	       !title_says_nothing(view->text + ret->start, ret->end - ret->start);
}

static bool repeats_a_word(const char *title)
{
	size_t n = strlen(title), at = 0;
	struct word word, other;

	while (word_next(title, n, &at, &word)) {
		size_t behind = at;

		while (word.content && word_next(title, n, &behind, &other)) {
			if (other.end - other.start == word.end - word.start &&
			    strncasecmp(title + other.start, title + word.start, word.end - word.start) == 0)
				return true;
		}
	}
	return false;
}

bool title_is_stray(const char *title, const char *text, size_t n)
{
	char opening[OPENING + 1];

	snprintf(opening, sizeof(opening), "%.*s", (int)(n < OPENING ? n : OPENING), text);
	return repeats_a_word(title) || (strpbrk(title, " -") == NULL && strcasestr(opening, title) == NULL);
}
