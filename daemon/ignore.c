#include "daemon/ignore.h"

#include <fnmatch.h>

#define RSYNC ".*.[A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9]"

/* clang-format off */
static const char *const BUILT_IN[] = {
	/* editors: swap, backup and lock files; vim tries out a folder with "4913" */
	".*.sw[a-p]", "*~", ".#*", "#*#", "4913", ".goutputstream-*", ".~lock.*#", "~$*",
	/* what is still on its way: downloads, rsync's ".name.XXXXXX", Syncthing, NFS's deleted files */
	"*.part", "*.partial", "*.crdownload", "*.filepart", RSYNC, ".syncthing.*.tmp",
	"~syncthing~*", ".nfs*",
	/* file managers, storage boxes, trash, version control */
	"._*", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir", ".stfolder", ".stversions",
	".Trash*", ".git",
};
/* clang-format on */

bool ignore_matches(const char *name, char *const *globs, size_t n)
{
	for (size_t i = 0; i < sizeof(BUILT_IN) / sizeof(BUILT_IN[0]); i++) {
		if (fnmatch(BUILT_IN[i], name, 0) == 0)
			return true;
	}
	for (size_t i = 0; i < n; i++) {
		if (fnmatch(globs[i], name, 0) == 0)
			return true;
	}
	return false;
}
