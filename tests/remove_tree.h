/* A folder of a test's own, removed with all that is in it. Needs _GNU_SOURCE, as nftw(3) does. */
#ifndef SKIMD_TESTS_REMOVE_TREE_H
#define SKIMD_TESTS_REMOVE_TREE_H

#include <ftw.h>
#include <stdio.h>

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	(void)st;
	(void)type;
	(void)place;
	return remove(path);
}

static inline int remove_tree(const char *path)
{
	return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
