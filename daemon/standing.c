#include "daemon/standing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static int copy_folder(const struct config_watch *watch, struct standing_folder *ret)
{
	ret->path = strdup(watch->path);
	ret->questions = array_new(char *, watch->n_questions);
	if (ret->path == NULL || ret->questions == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < watch->n_questions; i++) {
		if ((ret->questions[i] = strdup(watch->questions[i])) == NULL)
			return -ENOMEM;
		ret->n_questions++;
	}
	return 0;
}

int standing_copy(const struct config *config, struct standing **ret)
{
	struct standing *standing = array_new(struct standing, 1);
	int r = 0;

	if (standing == NULL)
		return -ENOMEM;
	standing->folders = array_new(struct standing_folder, config->n_watch);
	if (standing->folders == NULL)
		r = -ENOMEM;
	else
		standing->n_folders = config->n_watch;
	for (size_t i = 0; r == 0 && i < config->n_watch; i++)
		r = copy_folder(&config->watch[i], &standing->folders[i]);
	if (r < 0)
		standing_free(standing);
	else
		*ret = standing;
	return r;
}

void standing_free(struct standing *standing)
{
	if (standing == NULL)
		return;
	for (size_t i = 0; i < standing->n_folders; i++) {
		struct standing_folder *folder = &standing->folders[i];

		for (size_t j = 0; j < folder->n_questions; j++)
			free(folder->questions[j]);
		free(folder->questions);
		free(folder->path);
	}
	free(standing->folders);
	free(standing);
}
