/* A library that is preloaded into a program: the allocation whose number SKIMD_FAULT_ALLOCATION says finds no memory, and
 * with SKIMD_FAULT_LASTING=1 none behind it does either. Counted from the first file on that ends in ".yaml" and is opened,
 * so that the loader and the C library's own start are left alone. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library's own names of what is replaced here. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

static atomic_ulong n_allocations;
static unsigned long fault_at;
static bool lasting;
static atomic_bool begun;

static bool fails(void)
{
	unsigned long n;

	if (!begun || fault_at == 0)
		return false;
	n = atomic_fetch_add(&n_allocations, 1) + 1;
	if (n != fault_at && !(lasting && n > fault_at))
		return false;
	errno = ENOMEM;
	return true;
}

static void begin(void)
{
	const char *at = getenv("SKIMD_FAULT_ALLOCATION"), *last = getenv("SKIMD_FAULT_LASTING");

	fault_at = at == NULL ? 0 : strtoul(at, NULL, 10);
	lasting = last != NULL && *last == '1';
	begun = true;
}

static void see_open(const char *path)
{
	size_t n = strlen(path);

	if (!begun && n > 5 && strcmp(path + n - 5, ".yaml") == 0)
		begin();
}

void *malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t n)
{
	return fails() ? NULL : __libc_realloc(old, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
	return fails() ? NULL : __libc_memalign(alignment, n);
}

static int open_with_mode(const char *path, int flags, va_list arguments)
{
	mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;

	see_open(path);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	int fd;

	va_start(arguments, flags);
	fd = open_with_mode(path, flags, arguments);
	va_end(arguments);
	return fd;
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));
