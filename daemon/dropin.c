#include "daemon/dropin.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "daemon/paths.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_within(const char *path, const char *folder)
{
	return strcmp(path, folder) == 0 || paths_is_inside(path, folder);
}

static bool is_within_any(const char *path, const char *const *folders, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (is_within(path, folders[i]))
			return true;
	}
	return false;
}

static bool is_any(const char *path, const char *const *folders, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(path, folders[i]) == 0)
			return true;
	}
	return false;
}

static bool has_control_character(const char *text)
{
	for (; *text != '\0'; text++) {
		if (iscntrl((unsigned char)*text))
			return true;
	}
	return false;
}

int dropin_check(const char *folder, struct err *err)
{
	static const char *const SYSTEM[] = { "/bin",   "/boot", "/dev",  "/etc", "/lib", "/lib32",
		                              "/lib64", "/proc", "/sbin", "/sys", "/usr" };
	static const char *const PRIVATE[] = { "/tmp", "/var/tmp" };
	static const char *const WHOLE[] = { "/", "/home", "/root", "/run", "/run/user", "/var", "/var/lib" };
	static const char *const OWN[] = { "/var/lib/skimd", "/var/cache/skimd" };

	if (folder[0] != '/')
		return err_set(err, -EINVAL, "%s: is not an absolute path", folder);
	if (has_control_character(folder))
		return err_set(err, -EINVAL, "a name with a line break or another control character");
	if (is_any(folder, WHOLE, COUNT(WHOLE)))
		return err_set(err, -EINVAL,
		               "%s: is far more than documents; name the folder that they are in", folder);
	if (is_within_any(folder, SYSTEM, COUNT(SYSTEM)))
		return err_set(err, -EINVAL, "%s: is the system's, and no place for documents", folder);
	if (is_within_any(folder, PRIVATE, COUNT(PRIVATE)))
		return err_set(err, -EINVAL,
		               "%s: the service has a /tmp and a /var/tmp of its own, and sees no other; "
		               "use a folder elsewhere",
		               folder);
	if (is_within_any(folder, OWN, COUNT(OWN)))
		return err_set(err, -EINVAL, "%s: is open to the service already", folder);
	return 0;
}

bool dropin_is_hidden(const char *folder)
{
	static const char *const HOMES[] = { "/home", "/root", "/run/user" };

	return is_within_any(folder, HOMES, COUNT(HOMES));
}

/* As systemd-escape(1) does it: '-' for '/', and for any other byte that is not plain its number. */
static void escape(const char *path, struct buf *ret)
{
	for (const char *p = path + 1; *p != '\0'; p++) {
		if (*p == '/')
			buf_puts(ret, "-");
		else if (isascii(*p) && (isalnum((unsigned char)*p) || strchr(":_.", *p) != NULL))
			buf_append(ret, p, 1);
		else
			buf_printf(ret, "\\x%02x", (unsigned char)*p);
	}
}

int dropin_name(const char *folder, char *ret, struct err *err)
{
	struct buf name = { 0 };
	int r;

	buf_puts(&name, "allow-");
	escape(folder, &name);
	buf_puts(&name, ".conf");
	r = buf_status(&name);
	if (r < 0)
		err_set(err, r, "no memory for a name");
	else if (name.n > NAME_MAX)
		r = err_set(err, -ENAMETOOLONG, "%s: is too long to name a drop-in", folder);
	else
		memcpy(ret, name.data, name.n + 1);
	buf_done(&name);
	return r;
}

/* A path as one word of a unit file, where '%' begins a specifier. */
static void add_word(struct buf *text, const char *prefix, const char *path)
{
	buf_printf(text, "\"%s", prefix);
	for (; *path != '\0'; path++) {
		if (*path == '"' || *path == '\\')
			buf_puts(text, "\\");
		else if (*path == '%')
			buf_puts(text, "%");
		buf_append(text, path, 1);
	}
	buf_puts(text, "\"\n");
}

void dropin_print(const char *folder, bool write, struct buf *ret)
{
	bool hidden = dropin_is_hidden(folder);

	buf_puts(ret,
	         "# Made by 'skimctl allow'; 'skimctl allow --remove' with the same folder takes it away.\n"
	         "[Unit]\nRequiresMountsFor=");
	add_word(ret, "", folder);
	buf_puts(ret, "\n[Service]\n");
	if (hidden) /* the other users' folders stay hidden, and the rest of this user's as well */
		buf_puts(ret, "ProtectHome=tmpfs\n");
	buf_puts(ret, hidden && write ? "BindPaths="
	              : hidden        ? "BindReadOnlyPaths="
	              : write         ? "ReadWritePaths="
	                              : "ReadOnlyPaths=");
	add_word(ret, "-", folder); /* a folder that is not there is for skimd to complain about */
}
