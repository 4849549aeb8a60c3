#include "pipeline/answer_kind.h"

#include <ctype.h>
#include <string.h>

#include "pipeline/words.h"

/* "how many", "how far" */
static const char *const MEASURES[] = { "big",   "deep", "fast", "far",  "heavy", "high",
	                                "large", "many", "much", "tall", "wide",  NULL };

/* "how long", which may be an hour or five miles */
static const char *const SPANS[] = { "long", "often", "old", NULL };

/* "what year", "which day" */
static const char *const DATES[] = { "century", "date", "day", "decade", "month", "time", "year", NULL };

static const char *const NUMBERS[] = {
	"all",      "billion",  "both",      "double",   "dozen",     "dozens",  "eight",    "eighteen",
	"eighty",   "eleven",   "few",       "fifteen",  "fifty",     "five",    "forty",    "four",
	"fourteen", "half",     "hundred",   "hundreds", "little",    "million", "millions", "nine",
	"nineteen", "ninety",   "no",        "none",     "once",      "one",     "quarter",  "rarely",
	"several",  "seven",    "seventeen", "seventy",  "single",    "six",     "sixteen",  "sixty",
	"ten",      "thirteen", "thirty",    "thousand", "thousands", "three",   "twelve",   "twenty",
	"twice",    "two",      "zero",      NULL
};

static const char *const TIMES[] = {
	"after",     "afternoon", "always",    "annually",  "april",     "august",  "autumn",   "before",
	"beginning", "boot",      "centuries", "century",   "christmas", "daily",   "day",      "days",
	"decade",    "december",  "during",    "early",     "easter",    "end",     "evening",  "every",
	"fall",      "february",  "first",     "forever",   "friday",    "hour",    "hourly",   "hours",
	"if",        "january",   "july",      "june",      "late",      "later",   "march",    "may",
	"midnight",  "minute",    "minutes",   "monday",    "month",     "monthly", "months",   "morning",
	"never",     "night",     "noon",      "november",  "now",       "october", "on",       "once",
	"saturday",  "second",    "seldom",    "september", "since",     "spring",  "start",    "startup",
	"summer",    "sunday",    "third",     "thursday",  "time",      "today",   "tomorrow", "tuesday",
	"until",     "upon",      "wednesday", "week",      "weekly",    "weeks",   "when",     "while",
	"winter",    "year",      "yearly",    "years",     "yesterday", NULL
};

static bool next_is_among(const char *text, size_t *at, const char *const *list)
{
	struct word word;

	return word_next(text, strlen(text), at, &word) &&
	       word_is_among(text + word.start, word.end - word.start, list);
}

static bool has_one_of(const char *words, size_t n, const char *const *list)
{
	size_t at = 0;
	struct word word;

	while (word_next(words, n, &at, &word)) {
		if (isdigit((unsigned char)words[word.start]) != 0 ||
		    word_is_among(words + word.start, word.end - word.start, list))
			return true;
	}
	return false;
}

/* The list that has what a question asks for; NULL: any words may be it. "When" in front of a clause asks for nothing, but
 * such a question goes on behind a comma. */
static const char *const *expected(const char *question)
{
	static const char *const HOW[] = { "how", NULL }, *const WHEN[] = { "when", NULL },
				 *const WHICH[] = { "what", "which", NULL };
	size_t at = 0, first;
	struct word word;

	if (strchr(question, ',') != NULL)
		return NULL;
	for (;;) {
		first = at;
		if (next_is_among(question, &first, HOW) && next_is_among(question, &first, MEASURES))
			return NUMBERS;
		first = at;
		if (next_is_among(question, &first, HOW) && next_is_among(question, &first, SPANS))
			return TIMES;
		first = at;
		if (at == 0 && next_is_among(question, &first, WHEN))
			return TIMES;
		first = at;
		if (next_is_among(question, &first, WHICH) && next_is_among(question, &first, DATES))
			return TIMES;
		if (!word_next(question, strlen(question), &at, &word))
			return NULL;
	}
}

bool answer_kind_fits(const char *question, const char *words, size_t n)
{
	const char *const *list = expected(question);

	return words_say_something(words, n) && (list == NULL || has_one_of(words, n, list) ||
	                                         (list == TIMES && has_one_of(words, n, NUMBERS)));
}
