#include "daemon/metrics_file.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/array.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/metrics.h"
#include "daemon/units.h"

struct metrics_file {
	struct metrics_file_settings settings;
	struct loop_timer *timer;
	bool failed; /* the last time */
};

static int write_file(const struct metrics_file *file, struct err *err)
{
	const struct metrics_file_settings *settings = &file->settings;
	struct metrics metrics;
	struct buf text = { 0 };
	int r = metrics_collect(settings->reader, settings->pipeline, settings->worker, time(NULL), &metrics,
	                        err);

	if (r < 0)
		return r;
	metrics.n_unsettled = intake_n_unsettled(settings->intake);
	metrics_print(&metrics, &text);
	r = buf_status(&text);
	r = r < 0 ? err_set(err, r, "no memory for them")
	          : file_replace(settings->config->metrics.file, text.data, text.n, 0644, err);
	buf_done(&text);
	return r;
}

/* A failure is told once, and again after it worked. */
static void on_time(void *user)
{
	struct metrics_file *file = user;
	struct err err = { "" };
	bool failed = write_file(file, &err) < 0;

	if (failed && !file->failed)
		log_warning("metrics: %s; trying again every %.0f s", err.text,
		            (double)file->settings.config->metrics.interval_ns / (double)NS_PER_S);
	file->failed = failed;
}

void metrics_file_reload(struct metrics_file *file)
{
	const struct config *config = file->settings.config;

	file->failed = false;
	if (config->metrics.file != NULL)
		loop_timer_start(file->timer, 0, config->metrics.interval_ns);
	else
		loop_timer_stop(file->timer);
}

int metrics_file_open(const struct metrics_file_settings *settings, struct metrics_file **ret,
                      struct err *err)
{
	struct metrics_file *file = array_new(struct metrics_file, 1);
	int r;

	if (file == NULL)
		return err_set(err, -ENOMEM, "no memory for the metrics");
	file->settings = *settings;
	r = loop_add_timer(settings->loop, on_time, file, &file->timer, err);
	if (r < 0) {
		free(file);
		return r;
	}
	metrics_file_reload(file);
	*ret = file;
	return 0;
}

void metrics_file_close(struct metrics_file *file)
{
	if (file == NULL)
		return;
	loop_remove_timer(file->settings.loop, file->timer);
	free(file);
}
