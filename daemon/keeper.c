#include "daemon/keeper.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/log.h"
#include "daemon/units.h"
#include "pipeline/forget.h"

/* Between two looks: a tenth of the shortest time that is kept, within these. */
#define SOONEST_NS NS_PER_S
#define LATEST_NS NS_PER_H

struct keeper {
	struct keeper_settings settings;
	struct loop_timer *timer;
	atomic_bool due;
};

static void on_time(void *user)
{
	struct keeper *keeper = user;

	keeper->due = true;
	keeper->settings.due(keeper->settings.user);
}

void keeper_reload(struct keeper *keeper)
{
	char folder[PATH_MAX];
	uint64_t keep_ns, every_ns = UINT64_MAX;

	for (size_t i = 0; intake_keep(keeper->settings.intake, i, folder, &keep_ns); i++) {
		if (keep_ns > 0 && keep_ns / 10 < every_ns)
			every_ns = keep_ns / 10;
	}
	if (every_ns == UINT64_MAX) {
		loop_timer_stop(keeper->timer);
		return;
	}
	every_ns = every_ns < SOONEST_NS ? SOONEST_NS : every_ns > LATEST_NS ? LATEST_NS : every_ns;
	loop_timer_start(keeper->timer, 0, every_ns);
}

int keeper_open(const struct keeper_settings *settings, struct keeper **ret, struct err *err)
{
	struct keeper *keeper = array_new(struct keeper, 1);
	int r;

	if (keeper == NULL)
		return err_set(err, -ENOMEM, "no memory for the keeper");
	keeper->settings = *settings;
	r = loop_add_timer(settings->loop, on_time, keeper, &keeper->timer, err);
	if (r < 0) {
		free(keeper);
		return r;
	}
	keeper_reload(keeper);
	*ret = keeper;
	return 0;
}

void keeper_close(struct keeper *keeper)
{
	if (keeper == NULL)
		return;
	loop_remove_timer(keeper->settings.loop, keeper->timer);
	free(keeper);
}

static void forget_of(struct keeper *keeper, const char *folder, uint64_t keep_ns, const atomic_bool *cancel)
{
	struct err err = { "" };
	size_t n = 0;
	int r = forget_old(keeper->settings.pipeline, folder, (int64_t)(keep_ns / NS_PER_S), cancel, &n,
	                   &err);

	if (n > 0)
		log_info("'%s': %zu document%s forgotten, as 'keep' has it", folder, n, n == 1 ? "" : "s");
	if (r < 0 && r != -ECANCELED)
		log_warning("'%s': not all is forgotten that 'keep' has be: %s", folder, err.text);
}

void keeper_run(struct keeper *keeper, const atomic_bool *cancel)
{
	char folder[PATH_MAX];
	uint64_t keep_ns;

	if (!atomic_exchange(&keeper->due, false))
		return;
	for (size_t i = 0; !*cancel && intake_keep(keeper->settings.intake, i, folder, &keep_ns); i++) {
		if (keep_ns > 0)
			forget_of(keeper, folder, keep_ns, cancel);
	}
}
