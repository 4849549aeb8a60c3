#include "pipeline/formats/source_code.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define N_LOOKED_AT ((size_t)32 << 10)
#define MIN_CODE_PERCENT 20 /* lines that no prose has */

struct language {
	const char *endings; /* of names, each between blanks */
	const char *interpreters; /* of "#!" lines, in the same way */
};

static bool is_listed(const char *list, const char *word, size_t n)
{
	while (*list != '\0') {
		size_t n_word;

		list += strspn(list, " ");
		n_word = strcspn(list, " ");
		if (n_word == n && n > 0 && strncasecmp(list, word, n) == 0)
			return true;
		list += n_word;
	}
	return false;
}

/* The program of "#!/usr/bin/env python3 -u" without its version: "python". *ret_n: its length, 0 if there is none. */
static const char *interpreter(const struct format_input *input, size_t *ret_n)
{
	const char *at = input->bytes, *end = memchr(at, '\n', input->n), *start;

	*ret_n = 0;
	if (input->n < 4 || memcmp(at, "#!", 2) != 0)
		return at;
	end = end == NULL ? input->bytes + input->n : end;
	for (at += 2, start = at; at < end && (!isspace((unsigned char)*at) || at == start); at++)
		if (*at == '/' || isspace((unsigned char)*at))
			start = at + 1;
	if (at - start == 3 && memcmp(start, "env", 3) == 0) {
		for (start = at; start < end && isspace((unsigned char)*start);)
			start++;
		for (at = start; at < end && !isspace((unsigned char)*at);)
			at++;
	}
	while (at > start && (isdigit((unsigned char)at[-1]) || at[-1] == '.'))
		at--;
	*ret_n = (size_t)(at - start);
	return start;
}

/* Ends as statements do, or begins as comments and directives. */
static bool is_code(const char *at, const char *end)
{
	static const char *const STARTS[] = {
		"#include", "#define", "#if",      "#end",    "//",       "/*",   "*",       "def ",
		"class ",   "import ", "from ",    "return",  "func ",    "fn ",  "let ",    "const ",
		"var ",     "public ", "private ", "static ", "package ", "use ", "module ", "end",
		"if ",      "for ",    "while ",   "else",    "elif ",    "fi",   "done",    "echo ",
		"local ",   "SELECT ", "CREATE ",  "INSERT ", "--",       "#"
	};

	while (at < end && isspace((unsigned char)*at))
		at++;
	while (end > at && isspace((unsigned char)end[-1]))
		end--;
	if (at == end)
		return false;
	for (size_t i = 0; i < sizeof(STARTS) / sizeof(STARTS[0]); i++)
		if ((size_t)(end - at) >= strlen(STARTS[i]) && memcmp(at, STARTS[i], strlen(STARTS[i])) == 0)
			return true;
	return strchr("{};)=\\", end[-1]) != NULL && end[-1] != '\0';
}

static bool looks_like_code(const struct format_input *input)
{
	const char *at = input->bytes, *end = at + (input->n < N_LOOKED_AT ? input->n : N_LOOKED_AT);
	size_t n_lines = 0, n_code = 0;

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));

		line_end = line_end == NULL ? end : line_end;
		n_lines += line_end > at;
		n_code += is_code(at, line_end);
		at = line_end + (line_end < end);
	}
	return n_lines > 0 && n_code * 100 >= n_lines * MIN_CODE_PERCENT;
}

static bool is_language(const struct format_input *input, const struct language *language)
{
	const char *ending = strrchr(input->name, '.');
	size_t n_interpreter;
	const char *program = interpreter(input, &n_interpreter);

	if (n_interpreter > 0)
		return is_listed(language->interpreters, program, n_interpreter);
	return ending != NULL && is_listed(language->endings, ending + 1, strlen(ending + 1)) &&
	       looks_like_code(input);
}

/* id, media type, endings, interpreters */
#define LANGUAGES(X)                                                              \
	X(c, "text/x-c", "c h", "")                                               \
	X(cpp, "text/x-c++", "cc cpp cxx c++ hh hpp hxx", "")                     \
	X(csharp, "text/x-csharp", "cs", "")                                      \
	X(css, "text/css", "css", "")                                             \
	X(go, "text/x-go", "go", "")                                              \
	X(haskell, "text/x-haskell", "hs", "")                                    \
	X(java, "text/x-java", "java", "")                                        \
	X(javascript, "text/javascript", "js mjs cjs jsx", "node nodejs")         \
	X(kotlin, "text/x-kotlin", "kt kts", "")                                  \
	X(lisp, "text/x-lisp", "lisp el scm", "guile emacs sbcl")                 \
	X(lua, "text/x-lua", "lua", "lua luajit")                                 \
	X(pascal, "text/x-pascal", "pas pp", "")                                  \
	X(perl, "text/x-perl", "pl pm", "perl")                                   \
	X(php, "text/x-php", "php", "php")                                        \
	X(python, "text/x-python", "py pyw", "python pypy")                       \
	X(r, "text/x-r", "r", "Rscript")                                          \
	X(ruby, "text/x-ruby", "rb", "ruby")                                      \
	X(rust, "text/x-rust", "rs", "")                                          \
	X(scala, "text/x-scala", "scala", "scala")                                \
	X(shell, "text/x-shellscript", "sh bash zsh ksh", "sh bash dash ksh zsh") \
	X(sql, "text/x-sql", "sql", "sqlite psql")                                \
	X(swift, "text/x-swift", "swift", "swift")                                \
	X(tcl, "text/x-tcl", "tcl", "tclsh wish")                                 \
	X(typescript, "text/x-typescript", "ts tsx", "deno")

#define DEFINE(id, type, endings, interpreters)                                               \
	static bool is_##id(const struct format_input *input)                                 \
	{                                                                                     \
		return is_language(input, &(const struct language){ endings, interpreters }); \
	}                                                                                     \
	static const struct format FORMAT_##id = { type, "program text", true, is_##id, NULL };

#define LIST(id, type, endings, interpreters) &FORMAT_##id,

LANGUAGES(DEFINE)

const struct format *const FORMATS_SOURCE_CODE[] = { LANGUAGES(LIST) NULL };
