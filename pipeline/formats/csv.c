#include "pipeline/formats/csv.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define N_LOOKED_AT ((size_t)64 << 10) /* bytes */
#define MAX_RECORDS 200 /* looked at */
#define MIN_RECORDS 5 /* without a name that says it */
#define MIN_NAMED_RECORDS 2
#define MIN_CELLS 3
#define MIN_NAMED_CELLS 2
#define MAX_LINE_CELLS 256

/* A table that is read cell by cell. */
struct table {
	const char *at, *end;
	char separator;
	bool unended; /* the last cell's closing quote is missing */
};

struct cell {
	const char *start, *end; /* quoted: between the quotes, with inner ones still doubled */
	bool quoted, last; /* last: of its record */
};

static bool is_end_of_line(char c)
{
	return c == '\n' || c == '\r';
}

/* To behind the closing quote. */
static void take_quoted(struct table *table, struct cell *cell)
{
	cell->quoted = true;
	cell->start = ++table->at;
	for (;;) {
		const char *quote = memchr(table->at, '"', (size_t)(table->end - table->at));

		if (quote == NULL) {
			cell->end = table->at = table->end;
			table->unended = true;
			return;
		}
		table->at = quote + 1;
		if (table->at == table->end || *table->at != '"') {
			cell->end = quote;
			return;
		}
		table->at++;
	}
}

/* false: the table is at its end. */
static bool next_cell(struct table *table, struct cell *ret)
{
	if (table->at == table->end)
		return false;
	*ret = (struct cell){ .start = table->at };
	if (*table->at == '"')
		take_quoted(table, ret);
	while (table->at < table->end && *table->at != table->separator && !is_end_of_line(*table->at))
		table->at++;
	if (!ret->quoted)
		ret->end = table->at;
	ret->last = table->at == table->end || *table->at != table->separator;
	if (table->at < table->end && *table->at == '\r' && table->at + 1 < table->end &&
	    table->at[1] == '\n')
		table->at++;
	if (table->at < table->end)
		table->at++;
	return true;
}

struct tally {
	size_t n_records, n_same; /* that have as many cells as the first */
	size_t n_cells; /* of the first */
	size_t n_prose; /* cells that begin with a blank, as a sentence goes on behind a comma, or are as long as one */
	size_t n_all;
};

static void count_record(struct tally *tally, size_t n_cells)
{
	if (tally->n_records++ == 0)
		tally->n_cells = n_cells;
	tally->n_same += n_cells == tally->n_cells;
}

/* The last record may be cut by the end of what is looked at, and does not count then. */
static struct tally count(const char *bytes, size_t n, size_t n_looked_at, char separator)
{
	struct table table = { bytes, bytes + n_looked_at, separator, false };
	struct tally tally = { 0, 0, 0, 0, 0 };
	struct cell cell;
	size_t n_cells = 0;

	while (tally.n_records < MAX_RECORDS && next_cell(&table, &cell)) {
		n_cells++;
		tally.n_all++;
		tally.n_prose += !cell.quoted && n_cells > 1 && cell.start < cell.end && *cell.start == ' ';
		tally.n_prose += !cell.quoted && cell.end - cell.start > MAX_LINE_CELLS;
		if (!cell.last || (table.at == table.end && n_looked_at < n))
			continue;
		if (n_cells > 1 || cell.end > cell.start) /* an empty line is none */
			count_record(&tally, n_cells);
		n_cells = 0;
	}
	return tally;
}

static bool is_table(const struct tally *tally, bool is_named)
{
	if (tally->n_records < (is_named ? MIN_NAMED_RECORDS : MIN_RECORDS) ||
	    tally->n_cells < (is_named ? MIN_NAMED_CELLS : MIN_CELLS))
		return false;
	if (is_named)
		return tally->n_same * 10 >= tally->n_records * 8;
	return tally->n_same == tally->n_records && tally->n_prose * 20 <= tally->n_all;
}

static const char *skip_mark(const struct format_input *input)
{
	return input->bytes + (input->n >= 3 && memcmp(input->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
}

/* "sep=;", which spreadsheets put in front. Returns the table's start, behind it. */
static const char *take_separator(const struct format_input *input, char *ret)
{
	const char *start = skip_mark(input), *end = input->bytes + input->n;

	if (end - start < 6 || strncasecmp(start, "sep=", 4) != 0 || !is_end_of_line(start[5]))
		return start;
	*ret = start[4];
	start += 6;
	return start + (start < end && *start == '\n');
}

/* The separator that makes the most of it; 0: none makes a table. *ret_start: where the table begins. */
static char find_separator(const struct format_input *input, bool is_named, const char **ret_start)
{
	char separator = 0;
	size_t n, n_best = 0;

	*ret_start = take_separator(input, &separator);
	if (separator != 0)
		return separator;
	n = input->n - (size_t)(*ret_start - input->bytes);
	for (const char *each = "\t;,|"; *each != '\0'; each++) {
		struct tally tally = count(*ret_start, n, n < N_LOOKED_AT ? n : N_LOOKED_AT, *each);
		size_t worth = tally.n_same * tally.n_cells;

		if (is_table(&tally, is_named) && worth > n_best) {
			n_best = worth;
			separator = *each;
		}
	}
	return separator;
}

static bool is_named(const struct format_input *input)
{
	const char *ending = strrchr(input->name, '.');

	return ending != NULL && (strcasecmp(ending, ".csv") == 0 || strcasecmp(ending, ".tsv") == 0 ||
	                          strcasecmp(ending, ".tab") == 0);
}

/* Records of JSON, one a line, have as many commas each. */
static bool is_data_of_another_kind(const char *start)
{
	return *start == '{' || *start == '[' || *start == '<';
}

static bool csv_is(const struct format_input *input)
{
	const char *start = skip_mark(input);

	if (!is_named(input) && is_data_of_another_kind(start))
		return false;
	return find_separator(input, is_named(input), &start) != 0;
}

/* Two quotes within are one. */
static int put_cell(struct sink *sink, const struct cell *cell)
{
	const char *at = cell->start, *quote;

	while (cell->quoted && (quote = memchr(at, '"', (size_t)(cell->end - at))) != NULL) {
		sink_text(sink, at, (size_t)(quote + 1 - at));
		at = quote + 1 + (quote + 1 < cell->end && quote[1] == '"');
	}
	return sink_text(sink, at, (size_t)(cell->end - at));
}

static int csv_parse(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct table table = { NULL, input->bytes + input->n, 0, false };
	struct cell cell;
	bool open = false;
	int r = 0;

	table.separator = find_separator(input, is_named(input), &table.at);
	while (r == 0 && next_cell(&table, &cell)) {
		if (open)
			sink_cell(sink);
		else
			sink_begin(sink, SINK_ROW, 0);
		r = put_cell(sink, &cell);
		open = !cell.last;
		if (!open && r == 0)
			r = sink_end(sink);
	}
	if (r == 0)
		r = sink_end(sink);
	if (table.unended)
		sink_truncated(sink, "a quoted cell is not closed");
	return r == 0 ? 0 : err_set(err, r, "the table could not be read: %s", strerror(-r));
}

const struct format FORMAT_CSV = { "text/csv", "a table (CSV)", true, csv_is, csv_parse };
