/* Numbers of Excel sheets as people see them: dates, times and percents by the format of their cell, else as many digits as
 * the number has. What a format says of currencies, colours and thousands is not looked at. */
#ifndef SKIMD_PIPELINE_FORMATS_XLSX_NUMBER_H
#define SKIMD_PIPELINE_FORMATS_XLSX_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

#define XLSX_NUMBER_MAX 64 /* bytes of one that is shown */

struct xlsx_format {
	enum { XLSX_PLAIN, XLSX_PERCENT, XLSX_DATE, XLSX_TIME, XLSX_DATE_TIME } kind;
	unsigned n_decimals; /* of a percent */
};

/* The format that a code describes: "yyyy-mm-dd", "0.0%". */
struct xlsx_format xlsx_format_of_code(const char *code, size_t n);
/* The one that Excel has under a number from 0 to 163. */
struct xlsx_format xlsx_format_of_id(unsigned id);

/* Show value, a number with n characters, in ret; what is none, or no date, stays as it is. Dates are days since the end of
 * 1899, or of 1903. Returns its length. */
size_t xlsx_number_show(const char *value, size_t n, struct xlsx_format format, bool since_1904,
                        char ret[XLSX_NUMBER_MAX]);

#endif
