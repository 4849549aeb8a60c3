#include "pipeline/formats/xlsx_number.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_SECONDS 86400
#define MAX_DAYS 2958466 /* the year 10000, where Excel's dates end */
#define DAYS_1904 1462 /* between the two beginnings */
#define MAX_DECIMALS 9

/* Past what stands for itself: quoted, escaped, a colour or condition, a blank as wide as a character. */
static size_t skip_literal(const char *code, size_t n, size_t at)
{
	const char *end;
	char close = code[at] == '"' ? '"' : ']';

	if (code[at] == '\\' || code[at] == '_' || code[at] == '*')
		return at + 2;
	if (code[at] != '"' && code[at] != '[')
		return at;
	end = memchr(code + at + 1, close, n - at - 1);
	return end == NULL ? n : (size_t)(end - code) + 1;
}

static bool is_elapsed(const char *code, size_t n, size_t at)
{
	return code[at] == '[' && n - at > 2 && strchr("hHmMsS", code[at + 1]) != NULL &&
	       code[at + 1] != '\0' && (code[at + 2] == ']' || code[at + 2] == code[at + 1]);
}

struct xlsx_format xlsx_format_of_code(const char *code, size_t n)
{
	bool has_day = false, has_time = false, has_month = false, has_percent = false;
	unsigned n_decimals = 0;
	bool in_decimals = false;

	for (size_t i = 0; i < n && code[i] != ';';) {
		size_t next = skip_literal(code, n, i);

		has_time = has_time || is_elapsed(code, n, i);
		if (next != i) {
			i = next;
			continue;
		}
		has_day = has_day || strchr("yYdD", code[i]) != NULL;
		has_time = has_time || strchr("hHsS", code[i]) != NULL;
		has_month = has_month || code[i] == 'm' || code[i] == 'M';
		has_percent = has_percent || code[i] == '%';
		n_decimals += in_decimals && code[i] == '0' && n_decimals < MAX_DECIMALS;
		in_decimals = code[i] == '.' || (in_decimals && code[i] == '0');
		i++;
	}
	if (has_time)
		return (struct xlsx_format){ has_day ? XLSX_DATE_TIME : XLSX_TIME, 0 };
	if (has_day || has_month)
		return (struct xlsx_format){ XLSX_DATE, 0 };
	return (struct xlsx_format){ has_percent ? XLSX_PERCENT : XLSX_PLAIN, n_decimals };
}

struct xlsx_format xlsx_format_of_id(unsigned id)
{
	struct xlsx_format format = { XLSX_PLAIN, 0 };

	if (id == 9 || id == 10)
		format = (struct xlsx_format){ XLSX_PERCENT, id == 10 ? 2 : 0 };
	else if ((id >= 14 && id <= 17) || (id >= 27 && id <= 31) || (id >= 50 && id <= 58))
		format.kind = XLSX_DATE;
	else if ((id >= 18 && id <= 21) || (id >= 32 && id <= 36) || (id >= 45 && id <= 47))
		format.kind = XLSX_TIME;
	else if (id == 22)
		format.kind = XLSX_DATE_TIME;
	return format;
}

/* Year, month and day, of a count of days since 1970-01-01, in the calendar of today. */
static void civil(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
	int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t shifted = (5 * of_year + 2) / 153; /* months since March */

	*day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
	*month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static int show_date(int64_t days, bool since_1904, char *ret)
{
	int year, month, day;

	if (since_1904)
		days += DAYS_1904;
	if (days < 60) /* Excel's 1900 has a 29th of February, as Lotus's had */
		days++;
	civil(days - 25569, &year, &month, &day);
	return snprintf(ret, XLSX_NUMBER_MAX, "%04d-%02d-%02d", year, month, day);
}

static int show_time(int64_t seconds, char *ret, size_t n_ret)
{
	int hours = (int)(seconds / 3600), minutes = (int)(seconds / 60 % 60), rest = (int)(seconds % 60);

	if (rest == 0)
		return snprintf(ret, n_ret, "%02d:%02d", hours, minutes);
	return snprintf(ret, n_ret, "%02d:%02d:%02d", hours, minutes, rest);
}

static int show_day(double number, struct xlsx_format format, bool since_1904, char *ret)
{
	int64_t seconds = (int64_t)(number * DAY_SECONDS + 0.5), days = seconds / DAY_SECONDS;
	int n;

	if (format.kind == XLSX_TIME)
		return show_time(seconds, ret, XLSX_NUMBER_MAX);
	n = show_date(days, since_1904, ret);
	if (format.kind == XLSX_DATE_TIME) {
		ret[n++] = ' ';
		n += show_time(seconds % DAY_SECONDS, ret + n, XLSX_NUMBER_MAX - (size_t)n);
	}
	return n;
}

size_t xlsx_number_show(const char *value, size_t n, struct xlsx_format format, bool since_1904,
                        char ret[XLSX_NUMBER_MAX])
{
	char text[XLSX_NUMBER_MAX], *end;
	size_t n_text = n < sizeof(text) ? n : sizeof(text) - 1;
	double number;
	int n_shown;

	memcpy(text, value, n_text);
	text[n_text] = '\0';
	number = strtod(text, &end);
	if (end == text || *end != '\0' || n_text < n || !isfinite(number))
		n_shown = snprintf(ret, XLSX_NUMBER_MAX, "%s", text);
	else if (format.kind == XLSX_PERCENT)
		n_shown = snprintf(ret, XLSX_NUMBER_MAX, "%.*f%%", (int)format.n_decimals, number * 100);
	else if (format.kind == XLSX_PLAIN || number < 0 || number >= MAX_DAYS)
		n_shown = snprintf(ret, XLSX_NUMBER_MAX, "%.15g", number);
	else
		n_shown = show_day(number, format, since_1904, ret);
	return n_shown < XLSX_NUMBER_MAX ? (size_t)n_shown : XLSX_NUMBER_MAX - 1;
}
