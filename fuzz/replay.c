/* Stands in for libFuzzer where there is none, which is in every ordinary build: runs a target over the files and folders
 * that are named, and over mutations of them that a seed decides, the same ones each time. It understands of libFuzzer's
 * options what `make check` needs: -runs=N, mutations in all, and -seed=N. What ends it badly is kept as ./crash-TARGET,
 * and can be named in place of a folder. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/file.h"
#include "fuzz/target.h"

#define MAX_SEED_BYTES ((size_t)1 << 20)
#define MAX_INPUT_BYTES ((size_t)1 << 16)
#define MAX_STEPS 4
#define HANG_S 120

struct seeds {
	struct buf *items;
	size_t n, cap;
};

static struct {
	char crash_path[PATH_MAX];
	const uint8_t *bytes;
	size_t n;
} current;

/* There is no such function unless a sanitizer is linked. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void keep_current(void)
{
	int fd = open(current.crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n = fd < 0 ? -1 : write(fd, current.bytes, current.n);

	dprintf(STDERR_FILENO, "the input of %zu bytes is %skept as %s\n", current.n,
	        n == (ssize_t)current.n ? "" : "not ", current.crash_path);
}

static void on_signal(int number)
{
	dprintf(STDERR_FILENO, "%s\n", number == SIGALRM ? "it does not come to an end" : strsignal(number));
	keep_current();
	_exit(1);
}

static void catch_crashes(const char *program)
{
	static const int SIGNALS[] = { SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGSEGV };
	const char *slash = strrchr(program, '/');

	snprintf(current.crash_path, sizeof(current.crash_path), "crash-%s",
	         slash == NULL ? program : slash + 1);
	for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++)
		signal(SIGNALS[i], on_signal);
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(keep_current);
}

/* The target gets memory of exactly the input's size, so that a step beyond it is seen by a sanitizer. */
static void run(const struct buf *input)
{
	uint8_t *bytes = malloc(input->n);

	if (input->n > 0)
		memcpy(bytes, input->data, input->n);
	current.bytes = bytes;
	current.n = input->n;
	alarm(HANG_S);
	LLVMFuzzerTestOneInput(bytes, input->n);
	alarm(0);
	free(bytes);
}

static void add_file(struct seeds *seeds, const char *path)
{
	struct buf bytes = { 0 };
	struct err err;

	if (file_read(path, MAX_SEED_BYTES, &bytes, &err) < 0 ||
	    array_grow(&seeds->items, sizeof(*seeds->items), seeds->n, &seeds->cap) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	seeds->items[seeds->n++] = bytes;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* In the order of their names, so that a seed always means the same. */
static void add_path(struct seeds *seeds, const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_visible, alphasort);

	if (n < 0) {
		add_file(seeds, path);
		return;
	}
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];

		if ((size_t)snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name) < sizeof(file))
			add_file(seeds, file);
		free(entries[i]);
	}
	free(entries);
}

/* SplitMix64 */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Put n bytes in place of [at, at + n_old). */
static void replace_part(struct buf *input, size_t at, size_t n_old, const void *bytes, size_t n)
{
	struct buf made = { 0 };

	if (input->n - n_old + n > MAX_INPUT_BYTES)
		return;
	buf_append(&made, input->data, at);
	buf_append(&made, bytes, n);
	buf_append(&made, input->data + at + n_old, input->n - at - n_old);
	buf_done(input);
	*input = made;
}

static void put_odd_bytes(struct buf *input, size_t at, uint64_t *state)
{
	static const char *const ODD[] = { "\n",
		                           "\n\n",
		                           "\xff\xff\xff\xff",
		                           "\xe2\x80\xa8",
		                           "\xc3",
		                           "\"",
		                           "{",
		                           "[",
		                           "]",
		                           "}",
		                           ":",
		                           ",",
		                           " ",
		                           "\t",
		                           "\r",
		                           "-",
		                           "\\u0000",
		                           "1e999",
		                           "-1",
		                           "0",
		                           "# ",
		                           "99999999999999999999" };
	const char *odd = ODD[draw(state) % (sizeof(ODD) / sizeof(ODD[0]))];

	replace_part(input, at, 0, odd, strlen(odd));
}

static void repeat_part(struct buf *input, size_t at, size_t n, uint64_t *state)
{
	char *part = copy_bytes(input->data + at, n);

	replace_part(input, draw(state) % (input->n + 1), 0, part, n);
	free(part);
}

static void mutate_once(struct buf *input, const struct seeds *seeds, uint64_t *state)
{
	size_t at = draw(state) % (input->n + 1), left = input->n - at;
	size_t part = left == 0 ? 0 : draw(state) % (left < 64 ? left : 64) + 1;
	const struct buf *other = &seeds->items[draw(state) % seeds->n];
	size_t from = draw(state) % (other->n + 1);
	uint8_t byte = (uint8_t)draw(state);

	switch (draw(state) % 7) {
	case 0: /* a bit, if there is any */
		if (left > 0)
			input->data[at] ^= (char)(1 << draw(state) % 8);
		break;
	case 1:
		replace_part(input, at, part < 1 ? 0 : 1, &byte, 1);
		break;
	case 2:
		replace_part(input, at, part, "", 0);
		break;
	case 3:
		repeat_part(input, at, part, state);
		break;
	case 4:
		put_odd_bytes(input, at, state);
		break;
	case 5: /* the start of this and the end of another */
		replace_part(input, at, left, other->data + from, other->n - from);
		break;
	default:
		replace_part(input, at, left, "", 0);
		break;
	}
}

static void run_mutations(const struct seeds *seeds, uint64_t n_runs, uint64_t state)
{
	for (uint64_t i = 0; i < n_runs; i++) {
		const struct buf *seed = &seeds->items[i % seeds->n];
		struct buf input = { 0 };

		buf_append(&input, seed->data, seed->n);
		for (uint64_t n_steps = 1 + draw(&state) % MAX_STEPS; n_steps > 0; n_steps--)
			mutate_once(&input, seeds, &state);
		run(&input);
		buf_done(&input);
	}
}

int main(int argc, char **argv)
{
	uint64_t n_runs = 0, state = 1;
	struct seeds seeds = { 0 };

	catch_crashes(argv[0]);
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "-runs=", 6) == 0)
			n_runs = strtoull(argv[i] + 6, NULL, 10);
		else if (strncmp(argv[i], "-seed=", 6) == 0)
			state = strtoull(argv[i] + 6, NULL, 10);
		else if (argv[i][0] != '-')
			add_path(&seeds, argv[i]);
	}
	if (seeds.n == 0) {
		fprintf(stderr, "usage: %s [-runs=N] [-seed=N] FILE|FOLDER ...\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < seeds.n; i++)
		run(&seeds.items[i]);
	run_mutations(&seeds, n_runs, state);
	printf("%zu inputs and %llu mutations\n", seeds.n, (unsigned long long)n_runs);
	for (size_t i = 0; i < seeds.n; i++)
		buf_done(&seeds.items[i]);
	free(seeds.items);
	return 0;
}
