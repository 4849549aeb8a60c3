#include "base/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>

/* What Debian 12's headers, those of Linux 6.1, do not have yet. */
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)
#define ACCESS_IOCTL_DEV (UINT64_C(1) << 15)
#define ACCESS_TCP (UINT64_C(3)) /* to bind, and to connect to */

/* struct landlock_ruleset_attr of version 4; a kernel of an earlier version takes it as long as what it does not
 * know is 0. */
struct ruleset {
	uint64_t files, network;
};

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* Neither devices nor FIFOs nor symbolic links: the daemon makes none. */
#define WRITE                                                                                         \
	(READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                       \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER | ACCESS_TRUNCATE)
#define OF_A_FILE                                                                                    \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE | \
	 ACCESS_TRUNCATE)

/* All that a version knows is denied where no rule allows it. */
static struct ruleset ruleset_of(int version)
{
	struct ruleset all = { LANDLOCK_ACCESS_FS_EXECUTE | WRITE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
		                       LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
		                       LANDLOCK_ACCESS_FS_MAKE_SYM | ACCESS_IOCTL_DEV,
		               ACCESS_TCP };

	if (version < 2)
		all.files &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
	if (version < 3)
		all.files &= ~ACCESS_TRUNCATE;
	if (version < 4)
		all.network = 0;
	if (version < 5)
		all.files &= ~ACCESS_IOCTL_DEV;
	return all;
}

int landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? (int)version : 0;
}

static int add_rule(int ruleset_fd, const struct landlock_rule *rule, uint64_t files, struct err *err)
{
	uint64_t access = (rule->write ? WRITE : READ) | (rule->execute ? LANDLOCK_ACCESS_FS_EXECUTE : 0);
	struct landlock_path_beneath_attr beneath = { .allowed_access = access & files };
	struct stat st;
	int r = 0;

	beneath.parent_fd = open(rule->path, O_PATH | O_CLOEXEC);
	if (beneath.parent_fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
		               ? 0
		               : err_set(err, -errno, "%s: %s", rule->path, strerror(errno));
	if (fstat(beneath.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		beneath.allowed_access &= OF_A_FILE;
	if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
		r = err_set(err, -errno, "%s: no Landlock rule: %s", rule->path, strerror(errno));
	close(beneath.parent_fd);
	return r;
}

int landlock_enter(const struct landlock_rule *rules, size_t n, struct err *err)
{
	int version = landlock_version(), fd, r = 0;
	const struct ruleset all = ruleset_of(version);

	if (version == 0)
		return err_set(err, -EOPNOTSUPP, "this kernel has no Landlock");
	fd = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	if (fd < 0)
		return err_set(err, -errno, "no Landlock rules: %s", strerror(errno));
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_rule(fd, &rules[i], all.files, err);
	if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		r = err_set(err, -errno, "Landlock: %s", strerror(errno));
	close(fd);
	return r < 0 ? r : version;
}
