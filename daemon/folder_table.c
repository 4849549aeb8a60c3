#include "daemon/folder_table.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/paths.h"

static int compare_wds(const void *a, const void *b)
{
	int wd = ((const struct folder *)a)->wd, other = ((const struct folder *)b)->wd;

	return (wd > other) - (wd < other);
}

struct folder *folder_table_find(const struct folder_table *table, const char *path)
{
	const struct folder key = { .path = (char *)path };
	struct folder *const *found = tfind(&key, &table->by_path, paths_compare);

	return found != NULL ? *found : NULL;
}

struct folder *folder_table_find_wd(const struct folder_table *table, int wd)
{
	const struct folder key = { .wd = wd };
	struct folder *const *found = tfind(&key, &table->by_wd, compare_wds);

	return found != NULL ? *found : NULL;
}

struct folder *folder_table_add(struct folder_table *table, const char *path)
{
	struct folder *folder = folder_table_find(table, path);

	if (folder != NULL)
		return folder;
	folder = calloc(1, sizeof(*folder));
	if (folder == NULL)
		return NULL;
	folder->wd = -1;
	folder->path = strdup(path);
	if (folder->path == NULL || tsearch(folder, &table->by_path, paths_compare) == NULL) {
		free(folder->path);
		free(folder);
		return NULL;
	}
	LIST_INSERT_HEAD(&table->all, folder, all);
	table->n++;
	table->n_unwatched++;
	return folder;
}

static void drop_wd(struct folder_table *table, struct folder *folder)
{
	if (folder->wd < 0)
		return;
	tdelete(folder, &table->by_wd, compare_wds);
	folder->wd = -1;
	table->n_unwatched++;
}

int folder_table_set_wd(struct folder_table *table, struct folder *folder, int wd)
{
	struct folder *other = wd >= 0 ? folder_table_find_wd(table, wd) : NULL;

	if (other == folder && wd >= 0)
		return 0;
	if (other != NULL)
		drop_wd(table, other);
	drop_wd(table, folder);
	if (wd < 0)
		return 0;
	folder->wd = wd;
	if (tsearch(folder, &table->by_wd, compare_wds) == NULL) {
		folder->wd = -1;
		return -ENOMEM;
	}
	table->n_unwatched--;
	return 0;
}

void folder_table_set_remote(struct folder_table *table, struct folder *folder, bool remote)
{
	table->n_remote += (size_t)remote - (size_t)folder->remote;
	folder->remote = remote;
}

void folder_table_remove(struct folder_table *table, struct folder *folder)
{
	drop_wd(table, folder);
	folder_table_set_remote(table, folder, false);
	tdelete(folder, &table->by_path, paths_compare);
	LIST_REMOVE(folder, all);
	table->n--;
	table->n_unwatched--;
	free(folder->path);
	free(folder);
}

static void keep_node(void *folder)
{
	(void)folder; /* the list of all folders frees it */
}

void folder_table_done(struct folder_table *table)
{
	struct folder *folder;

	tdestroy(table->by_path, keep_node);
	tdestroy(table->by_wd, keep_node);
	while ((folder = LIST_FIRST(&table->all)) != NULL) {
		LIST_REMOVE(folder, all);
		free(folder->path);
		free(folder);
	}
	*table = (struct folder_table){ .n = 0 };
}
