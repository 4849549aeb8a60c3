/* Stands in for pdftotext, pdftoppm and tesseract, by the name that it is called by, so that test_extract_ocr has them do
 * what it wants, behind the walls of the real ones. Its documents are lines: the first is a PDF's, each further one a page:
 *
 *   text WORDS          has these words for pdftotext
 *   scan WORDS          is a picture, which tesseract reads so; a bar is a line break
 *   PROGRAM TRICK       is a picture on which that program does one of TRICKS */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)1 << 16)

static void give_up(void)
{
	exit(3);
}

static void crash(void)
{
	abort();
}

/* As the kernel does where memory is short; kill(2) it may not. */
static void be_killed(void)
{
	raise(SIGKILL);
}

static void spin(void)
{
	for (volatile unsigned i = 0;; i++)
		;
}

static void hang(void)
{
	poll(NULL, 0, -1);
}

/* What pdftoppm says where a page's picture has no room in memory. */
static void draw_too_much(void)
{
	fputs("Bogus memory allocation size\n", stderr);
}

static void babble(void)
{
	static const char rubbish[] = "\377\376\0\033[2J \tdark \302\n\001words\n\f more\f";

	fwrite(rubbish, 1, sizeof(rubbish) - 1, stdout);
}

static void flood(void)
{
	while (puts("words and more words") >= 0)
		;
}

static const struct trick {
	const char *name;
	void (*play)(void);
} TRICKS[] = {
	{ "gives up", give_up }, { "crashes", crash }, { "is killed", be_killed },
	{ "spins", spin },       { "hangs", hang },    { "draws too much", draw_too_much },
	{ "babbles", babble },   { "floods", flood },
};

static bool begins(const char *line, const char *word)
{
	return strncmp(line, word, strlen(word)) == 0 && line[strlen(word)] == ' ';
}

/* Whether the line has a trick for this program, which then is played. */
static bool play(const char *line, const char *program)
{
	if (!begins(line, program))
		return false;
	for (size_t i = 0; i < sizeof(TRICKS) / sizeof(TRICKS[0]); i++)
		if (strcmp(line + strlen(program) + 1, TRICKS[i].name) == 0)
			TRICKS[i].play();
	return true;
}

/* The next one that is not empty; NULL: there is none. */
static const char *next_line(char **rest)
{
	const char *line;

	do
		line = strsep(rest, "\n");
	while (line != NULL && *line == '\0');
	return line;
}

static void write_pages(char *bytes)
{
	next_line(&bytes);
	for (const char *line = next_line(&bytes); line != NULL; line = next_line(&bytes))
		printf("%s\f", begins(line, "text") ? line + strlen("text ") : "");
}

static unsigned page_wanted(char **arguments)
{
	for (; *arguments != NULL; arguments++)
		if (strcmp(*arguments, "-f") == 0 && arguments[1] != NULL)
			return (unsigned)strtoul(arguments[1], NULL, 10);
	return 0;
}

/* The picture is the line. */
static void draw(char *bytes, unsigned page)
{
	const char *line = next_line(&bytes);

	while (line != NULL && page-- > 0)
		line = next_line(&bytes);
	if (line != NULL && !play(line, "pdftoppm"))
		fputs(line, stdout);
}

static void read_picture(char *line)
{
	if (play(line, "tesseract") || !begins(line, "scan"))
		return;
	for (char *at = line; *at != '\0'; at++)
		if (*at == '|')
			*at = '\n';
	printf("%s\f", line + strlen("scan "));
}

int main(int argc, char **argv)
{
	static char bytes[MAX_BYTES];

	(void)argc;
	bytes[fread(bytes, 1, sizeof(bytes) - 1, stdin)] = '\0';
	if (strcmp(argv[0], "pdftotext") == 0)
		write_pages(bytes);
	else if (strcmp(argv[0], "pdftoppm") == 0)
		draw(bytes, page_wanted(argv + 1));
	else
		read_picture(bytes);
	return 0;
}
