#include "daemon/metrics.h"

#include <errno.h>

int metrics_collect(struct docstore *store, struct pipeline *pipeline, struct worker *worker,
                    int64_t now_seconds, struct metrics *ret, struct err *err)
{
	int64_t since;
	int r;

	*ret = (struct metrics){ .model = pipeline_model_name(pipeline),
		                 .fingerprint = pipeline_fingerprint(pipeline) };
	for (int state = 0; state < METRICS_N_STATES; state++) {
		r = docstore_count(store, (enum document_state)state, &ret->documents[state], err);
		if (r < 0)
			return r;
	}
	r = docstore_waiting_since(store, &since, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && since < now_seconds) /* clocks are set back, and files come from the future */
		ret->waiting_seconds = now_seconds - since;
	worker_status(worker, &ret->worker);
	pipeline_kv_stats(pipeline, &ret->kv);
	return 0;
}

static void begin(struct buf *text, const char *name, const char *type, const char *help)
{
	buf_printf(text, "# HELP skimd_%s %s\n# TYPE skimd_%s %s\n", name, help, name, type);
}

static void gauge(struct buf *text, const char *name, const char *help, uint64_t value)
{
	begin(text, name, "gauge", help);
	buf_printf(text, "skimd_%s %llu\n", name, (unsigned long long)value);
}

/* Counters begin at 0 with each start of the daemon, which is what Prometheus expects of them. */
static void counter(struct buf *text, const char *name, const char *help, uint64_t value)
{
	begin(text, name, "counter", help);
	buf_printf(text, "skimd_%s %llu\n", name, (unsigned long long)value);
}

/* The value of a label: a model's name is its folder's, and may be anything. */
static void add_label(struct buf *text, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			buf_puts(text, "\\n");
		else if (*value == '"' || *value == '\\')
			buf_printf(text, "\\%c", *value);
		else
			buf_append(text, value, 1);
	}
}

static void print_model(const struct metrics *metrics, struct buf *text)
{
	begin(text, "info", "gauge", "The program and the model that reads.");
	buf_puts(text, "skimd_info{version=\"" PACKAGE_VERSION "\",model=\"");
	add_label(text, metrics->model);
	buf_printf(text, "\",fingerprint=\"%.16s\"} 1\n", metrics->fingerprint);
}

static void print_documents(const struct metrics *metrics, struct buf *text)
{
	begin(text, "documents", "gauge", "Documents in the database by state.");
	for (int state = 0; state < METRICS_N_STATES; state++)
		buf_printf(text, "skimd_documents{state=\"%s\"} %lld\n",
		           document_state_name((enum document_state)state),
		           (long long)metrics->documents[state]);
	gauge(text, "queue_age_seconds", "How long the queued document that waits longest has waited.",
	      (uint64_t)metrics->waiting_seconds);
	gauge(text, "unsettled_files", "Files that are still being written.", metrics->n_unsettled);
}

static void print_worker(const struct worker_status *worker, struct buf *text)
{
	gauge(text, "worker_busy", "1 while a document is read.", worker->busy);
	gauge(text, "worker_failed", "1 when the worker has given up, as the database cannot be written.",
	      worker->r < 0);
	gauge(text, "worker_document_tokens", "Tokens of the document in work, in its present stage.",
	      worker->n_tokens);
	gauge(text, "worker_document_tokens_done", "How many of them are behind it.", worker->n_done);
	counter(text, "worker_steps_total", "Rises while the worker gets on.", worker->n_steps);
	counter(text, "documents_ended_total", "Documents that were read, failed or were ignored.",
	        worker->n_documents);
	counter(text, "tokens_computed_total", "Prompt tokens that the model computed.",
	        (uint64_t)worker->usage.computed_tokens);
	counter(text, "tokens_reused_total", "Prompt tokens that the cache had.",
	        (uint64_t)worker->usage.reused_tokens);
	counter(text, "tokens_generated_total", "Tokens that the model wrote.",
	        (uint64_t)worker->usage.generated_tokens);
}

static void print_cache(const struct kv_stats *kv, struct buf *text)
{
	gauge(text, "cache_file_bytes", "Size of kv.db and its journal.", kv->file_bytes);
	gauge(text, "cache_bytes", "Bytes of the blocks in it.", kv->bytes);
	gauge(text, "cache_blocks", "Blocks in it.", kv->blocks);
	counter(text, "cache_hits_total", "Blocks that were found.", kv->hits);
	counter(text, "cache_misses_total", "Blocks that were not.", kv->misses);
	counter(text, "cache_damaged_total", "Blocks and files that were damaged and removed.", kv->damaged);
	counter(text, "cache_evicted_total", "Blocks that made room for others.", kv->evicted);
}

void metrics_print(const struct metrics *metrics, struct buf *text)
{
	print_model(metrics, text);
	print_documents(metrics, text);
	print_worker(&metrics->worker, text);
	print_cache(&metrics->kv, text);
}
