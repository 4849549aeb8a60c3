#include "daemon/remedy.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_GROUPS 256

void remedy_quote(const char *path, struct buf *ret)
{
	buf_puts(ret, "'");
	for (; *path != '\0'; path++) {
		if (*path == '\'')
			buf_puts(ret, "'\\'");
		buf_append(ret, path, 1);
	}
	buf_puts(ret, "'");
}

bool remedy_group(const char *user, const struct stat *st, mode_t needed, struct buf *ret)
{
	const struct group *group = getgrgid(st->st_gid);

	if (st->st_gid == 0 || group == NULL || (st->st_mode & needed) != needed)
		return false;
	buf_printf(ret, "usermod -aG %s %s", group->gr_name, user);
	return true;
}

void remedy_acl(const char *user, const char *options, const char *rights, const char *path, struct buf *ret)
{
	buf_printf(ret, "setfacl %s u:%s:%s ", options, user, rights);
	remedy_quote(path, ret);
}

static bool is_in_group(gid_t gid)
{
	gid_t groups[MAX_GROUPS];
	int n = getgroups(MAX_GROUPS, groups);

	for (int i = 0; i < n; i++) {
		if (groups[i] == gid)
			return true;
	}
	return getegid() == gid;
}

void remedy_own(const char *path, const struct stat *st, struct buf *ret)
{
	const char *rights = S_ISDIR(st->st_mode) ? "rx" : "r";
	const struct passwd *self = getpwuid(geteuid());
	char number[24];

	snprintf(number, sizeof(number), "%u", (unsigned)geteuid());
	if (st->st_uid == geteuid() || is_in_group(st->st_gid)) {
		buf_printf(ret, "chmod %c+%s ", st->st_uid == geteuid() ? 'u' : 'g', rights);
		remedy_quote(path, ret);
	} else if (self != NULL &&
	           remedy_group(self->pw_name, st, S_ISDIR(st->st_mode) ? S_IRGRP | S_IXGRP : S_IRGRP, ret)) {
		buf_puts(ret, " and a restart of the service");
	} else {
		remedy_acl(self != NULL ? self->pw_name : number, "-m", rights, path, ret);
	}
}
