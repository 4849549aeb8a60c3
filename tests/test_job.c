/* Documents through all states: done, failed, ignored, stopped, killed; what is paid once is not paid again, and results
 * are the same each time. Real stores in a folder, and tests/data/tiny as the model. */
#include "pipeline/job.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/jobs.h"

static void assert_evidence_stands(const struct passages *passages, const struct buf *text)
{
	for (size_t i = 0; i < passages->n; i++) {
		for (size_t j = 0; j < passages->items[i].n_evidence; j++) {
			const struct evidence *evidence = &passages->items[i].evidence[j];
			size_t n = strlen(evidence->quote);

			assert_int_equal(evidence->byte_end - evidence->byte_start, n);
			assert_true((size_t)evidence->byte_end <= text->n);
			assert_memory_equal(evidence->quote, text->data + evidence->byte_start, n);
		}
	}
}

static void assert_is_whole(const struct reading *reading, const struct buf *text)
{
	int64_t at = 0;

	assert_evidence_stands(&reading->passages, text);
	for (size_t i = 0; i < reading->n_chunks; i++) {
		assert_evidence_stands(&reading->chunks[i].passages, text);
		assert_true(reading->chunks[i].byte_start >= at);
		while (at < reading->chunks[i].byte_start) /* nothing but white space is in no chunk */
			assert_non_null(strchr(" \n", text->data[at++]));
		at = reading->chunks[i].byte_end;
	}
	while ((size_t)at < text->n)
		assert_non_null(strchr(" \n", text->data[at++]));
}

static int64_t sum_of_tokens(const struct reading *reading)
{
	int64_t sum = 0;

	for (size_t i = 0; i < reading->n_chunks; i++)
		sum += reading->chunks[i].tokens;
	return sum;
}

static void count_file(const struct path *folder, const char *name, void *user)
{
	size_t *n = user;

	(void)folder;
	(void)name;
	(*n)++;
}

static size_t count_outputs(const struct fixture *f)
{
	size_t n = 0;

	each_file(&f->outbox, count_file, &n);
	return n;
}

static void a_text_is_read_whole_and_written_out(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(20000, 1), json = { 0 }, written;
	struct reading reading = read_text(f, "a.txt", &text);
	const struct document *document = &reading.document;

	assert_true(reading.n_chunks > 1);
	assert_is_whole(&reading, &text);
	assert_int_equal(document->bytes, text.n);
	assert_string_equal(document->media_type, "text/plain");
	assert_string_equal(document->language, "en");
	assert_string_equal(document->fingerprint, pipeline_fingerprint(f->pipeline));
	assert_string_equal(document->model, "tiny");
	assert_true(document->progress == 1 && document->seconds > 0);
	assert_null(document->error);
	assert_true(document->published);
	assert_int_equal(document->usage.prompt_tokens,
	                 document->usage.computed_tokens + document->usage.reused_tokens);
	assert_true(document->usage.computed_tokens > sum_of_tokens(&reading));
	assert_int_equal(count_outputs(f), 2);
	written = folder_read(&f->outbox, "a.txt.summary.json");
	assert_int_equal(output_json(&reading, &json), 0);
	assert_string_equal(written.data, json.data);
	buf_done(&written);
	buf_done(&json);
	buf_done(&text);
	reading_done(&reading);
}

/* How a file ends that is not read: state, and words of the reason. */
static void assert_ends(struct fixture *f, const char *name, const void *bytes, size_t n,
                        enum document_state state, const char *reason)
{
	struct reading reading = read_bytes(f, name, bytes, n);
	bool other_content = strcmp(name, "paper.djvu") == 0 || strcmp(name, "noise.txt") == 0;

	if (reading.document.state != state)
		fail_msg("'%s' is %s: %s", name, document_state_name(reading.document.state),
		         reading.document.error);
	if (strstr(reading.document.error, reason) == NULL)
		fail_msg("'%s': '%s' does not say '%s'", name, reading.document.error, reason);
	assert_int_equal(reading.document.retry, other_content ? RETRY_NEVER : RETRY_CHANGED);
	assert_int_equal(reading.n_chunks, 0);
	assert_int_equal(reading.passages.n, 0);
	assert_int_equal(reading.document.usage.prompt_tokens, 0);
	assert_int_equal(count_outputs(f), 0);
	reading_done(&reading);
}

/* gzip data of n equal bytes; *ret_n in, room; out, length. */
static void gzip(char byte, size_t n, unsigned char *ret, size_t *ret_n)
{
	z_stream stream = { 0 };
	unsigned char *bytes = malloc(n);

	assert_non_null(bytes);
	memset(bytes, byte, n);
	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_in = bytes;
	stream.avail_in = (uInt)n;
	stream.next_out = ret;
	stream.avail_out = (uInt)*ret_n;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	*ret_n = stream.total_out;
	deflateEnd(&stream);
	free(bytes);
}

static void what_is_no_text_is_ignored_with_its_reason(void **state)
{
	static const char DJVU[] = "AT&TFORM\0\0\1";
	struct fixture *f = *state;

	assert_ends(f, "empty.txt", "", 0, DOCUMENT_IGNORED, "empty");
	assert_ends(f, "white.txt", " \n\t \n", 5, DOCUMENT_IGNORED, "no text");
	assert_ends(f, "empty.txt.gz", "", 0, DOCUMENT_IGNORED, "empty");
	assert_ends(f, "paper.djvu", DJVU, sizeof(DJVU) - 1, DOCUMENT_IGNORED, "a DjVu document");
	assert_ends(f, "noise.txt", "\x01\x02\x00\x7f\xfe\x03\x04\x80\x81\x00\x05\x06", 12, DOCUMENT_IGNORED,
	            "");
}

static void what_is_damaged_or_too_large_fails_with_its_reason(void **state)
{
	static unsigned char packed[100000];
	static char large[(1 << 20) + 1];
	struct fixture *f = *state;
	size_t n = sizeof(packed);

	gzip('a', 5000, packed, &n);
	assert_ends(f, "cut.txt.gz", packed, n / 2, DOCUMENT_FAILED, "gzip");
	n = sizeof(packed);
	gzip(0, (size_t)40 << 20, packed, &n);
	assert_ends(f, "bomb.gz", packed, n, DOCUMENT_FAILED, "");
	memset(large, 'a', sizeof(large));
	assert_ends(f, "large.txt", large, sizeof(large), DOCUMENT_FAILED, "");
}

static void what_cannot_be_opened_fails_with_its_reason(void **state)
{
	static const struct pipeline_hooks NONE = { 0 };
	struct fixture *f = *state;
	struct path link = path_of(&f->inbox, "link.txt"), folder = path_of(&f->inbox, "folder.txt");
	struct path secret = path_of(&f->inbox, "secret.txt");
	struct reading reading;
	int64_t id;

	assert_int_equal(symlink("/etc/passwd", link.text), 0);
	assert_int_equal(process(f, id = queue(f, "link.txt"), &NONE, NULL), 0);
	reading = load(f, id);
	assert_int_equal(reading.document.state, DOCUMENT_FAILED);
	assert_non_null(strstr(reading.document.error, "link"));
	reading_done(&reading);

	assert_int_equal(mkdir(folder.text, 0700), 0);
	assert_int_equal(process(f, id = queue(f, "folder.txt"), &NONE, NULL), 0);
	reading = load(f, id);
	assert_int_equal(reading.document.state, DOCUMENT_FAILED);
	reading_done(&reading);
	assert_int_equal(rmdir(folder.text), 0);

	folder_write(&f->inbox, "secret.txt", "words", 5);
	assert_int_equal(chmod(secret.text, 0), 0);
	if (access(secret.text, R_OK) == 0)
		return; /* root may read everything */
	assert_int_equal(process(f, id = queue(f, "secret.txt"), &NONE, NULL), 0);
	reading = load(f, id);
	assert_int_equal(reading.document.state, DOCUMENT_FAILED);
	assert_non_null(strstr(reading.document.error, "ermission denied"));
	reading_done(&reading);
}

static void use_up_descriptors(int fds[], size_t *ret_n)
{
	for (*ret_n = 0; *ret_n < 64 && (fds[*ret_n] = dup(0)) >= 0; ++*ret_n)
		;
}

static void what_fails_for_a_passing_reason_is_tried_again_later(void **state)
{
	static const struct pipeline_hooks NONE = { 0 };
	struct fixture *f = *state;
	struct rlimit before, few = { .rlim_cur = 64 };
	struct reading reading;
	int64_t id;
	int fds[64];
	size_t n;

	folder_write(&f->inbox, "a.txt", "The river rose. The bridge held.", 32);
	id = queue(f, "a.txt");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	use_up_descriptors(fds, &n);
	assert_int_equal(process(f, id, &NONE, NULL), 0);
	while (n > 0)
		close(fds[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	reading = load(f, id);
	assert_int_equal(reading.document.state, DOCUMENT_FAILED);
	assert_string_equal(reading.document.error, "cannot open: Too many open files");
	assert_int_equal(reading.document.retry, RETRY_LATER);
	assert_int_equal(reading.document.attempts, 1);
	reading_done(&reading);
	assert_int_equal(process(f, id, &NONE, NULL), 0);
	reading = load(f, id);
	assert_int_equal(reading.document.state, DOCUMENT_DONE);
	reading_done(&reading);
}

static void outputs_without_a_folder_are_written_when_there_is_one(void **state)
{
	static const struct pipeline_hooks NONE = { 0 };
	struct fixture *f = *state;
	struct path in_the_way = path_of(&f->outbox, "sub"), output = path_of(&f->outbox, "sub/a.txt");
	struct path path = path_of(&f->inbox, "a.txt");
	struct document_file file = { .path = path.text, .output = output.text };
	struct reading reading;
	int64_t id;

	folder_write(&f->inbox, "a.txt", "The river rose. The bridge held.", 32);
	folder_write(&f->outbox, "sub", "in the way", 10);
	assert_int_equal(docstore_add(pipeline_docstore(f->pipeline), &file, &id, NULL, NULL), 0);
	assert_int_equal(process(f, id, &NONE, NULL), 0);
	reading = load(f, id);
	assert_int_equal(reading.document.state, DOCUMENT_DONE);
	assert_int_equal(reading.document.retry, RETRY_LATER);
	assert_non_null(strstr(reading.document.error, "cannot make the folder"));
	reading_done(&reading);
	assert_int_equal(unlink(in_the_way.text), 0);
	assert_int_equal(process(f, id, &NONE, NULL), 0);
	reading = load(f, id);
	assert_true(reading.document.published && reading.document.error == NULL);
	reading_done(&reading);
	each_file(&in_the_way, remove_one, NULL);
	assert_int_equal(rmdir(in_the_way.text), 0);
}

static void a_file_that_went_is_gone(void **state)
{
	static const struct pipeline_hooks NONE = { 0 };
	struct fixture *f = *state;
	struct reading reading;
	int64_t id = queue(f, "never.txt");

	assert_int_equal(process(f, id, &NONE, NULL), 0);
	reading = load(f, id);
	assert_int_equal(reading.document.state, DOCUMENT_GONE);
	reading_done(&reading);
}

static void a_duplicate_costs_nothing_and_has_its_own_rows_and_outputs(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(12000, 2);
	struct reading first = read_text(f, "a.txt", &text), second = read_text(f, "b.txt", &text);

	assert_int_equal(second.document.duplicate_of, first.document.id);
	assert_int_equal(second.document.usage.prompt_tokens, 0);
	assert_int_equal(second.document.usage.generated_tokens, 0);
	assert_int_equal(second.document.tokens, first.document.tokens);
	assert_int_equal(second.n_chunks, first.n_chunks);
	assert_is_whole(&second, &text);
	assert_int_equal(second.passages.n, first.passages.n);
	for (size_t i = 0; i < first.passages.n; i++)
		assert_string_equal(second.passages.items[i].text, first.passages.items[i].text);
	assert_int_equal(count_outputs(f), 4);
	reading_done(&first);
	reading_done(&second);
	buf_done(&text);
}

/* In the middle of the text, a word for another of another length. */
static void edit_middle(struct buf *text)
{
	struct buf edited = { 0 };
	size_t at = (size_t)(strstr(text->data + text->n / 2, "\n\n") - text->data) + 2;
	size_t end = (size_t)(strchr(text->data + at, '\n') - text->data);

	buf_append(&edited, text->data, at);
	buf_puts(&edited, "Here the whole history of the county was told in another way.");
	buf_append(&edited, text->data + end, text->n - end);
	buf_done(text);
	*text = edited;
}

/* The chunk of `before` with this key, or NULL. */
static const struct document_chunk *find_key(const struct reading *before, const char *key)
{
	for (size_t i = 0; i < before->n_chunks; i++) {
		if (strcmp(before->chunks[i].key, key) == 0)
			return &before->chunks[i];
	}
	return NULL;
}

static void assert_same_passages(const struct passages *a, const struct passages *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		assert_int_equal(a->items[i].kind, b->items[i].kind);
		assert_string_equal(a->items[i].text, b->items[i].text);
		assert_int_equal(a->items[i].n_evidence, b->items[i].n_evidence);
	}
}

static void an_edit_recomputes_only_the_chunks_it_touches(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(tests_are_short() ? 30000 : 60000, 3);
	struct reading before = read_text(f, "a.txt", &text), after, cold;
	int64_t n_new_tokens = 0;
	size_t n_new = 0;

	edit_middle(&text);
	after = read_text(f, "a.txt", &text);
	assert_int_equal(after.document.id, before.document.id);
	for (size_t i = 0; i < after.n_chunks; i++) {
		const struct document_chunk *old = find_key(&before, after.chunks[i].key);

		if (old == NULL) {
			n_new++;
			n_new_tokens += after.chunks[i].tokens;
		} else {
			assert_same_passages(&after.chunks[i].passages, &old->passages);
		}
	}
	assert_true(before.n_chunks >= 3);
	assert_in_range(n_new, 1, 2);
	assert_is_whole(&after, &text);
	/* the chunks that are new from the edit on, the document's reduction, and instructions */
	assert_true(after.document.usage.prompt_tokens >= n_new_tokens);
	assert_true(after.document.usage.computed_tokens < before.document.usage.computed_tokens / 2);
	assert_true(after.document.usage.prompt_tokens - n_new_tokens <
	            before.document.usage.prompt_tokens - sum_of_tokens(&before) + 1000);

	reopen(f, "fresh.db", "fresh_kv.db");
	cold = read_text(f, "a.txt", &text);
	assert_same_results(&cold, &after);
	reading_done(&before);
	reading_done(&after);
	reading_done(&cold);
	buf_done(&text);
}

static void a_fresh_database_with_the_old_cache_computes_instructions_alone(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(18000, 4);
	struct reading cold = read_text(f, "a.txt", &text), warm;

	reopen(f, "fresh.db", "kv.db");
	warm = read_text(f, "a.txt", &text);
	assert_same_results(&cold, &warm);
	assert_int_equal(warm.document.usage.prompt_tokens, cold.document.usage.prompt_tokens);
	assert_int_equal(warm.document.usage.generated_tokens, cold.document.usage.generated_tokens);
	assert_true(warm.document.usage.reused_tokens > sum_of_tokens(&warm));
	assert_true(warm.document.usage.computed_tokens * 30 < warm.document.usage.prompt_tokens);
	reading_done(&cold);
	reading_done(&warm);
	buf_done(&text);
}

static void a_fresh_cache_with_the_old_database_reads_no_chunk_again(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(15000, 5);
	struct reading cold = read_text(f, "a.txt", &text), again;

	reopen(f, "skimd.db", "fresh_kv.db");
	again = read_text(f, "a.txt", &text);
	assert_same_results(&cold, &again);
	assert_true(again.document.usage.prompt_tokens <
	            cold.document.usage.prompt_tokens - sum_of_tokens(&cold) + 1);
	reading_done(&cold);
	reading_done(&again);
	buf_done(&text);
}

/* Stops, by word or by force, once enough is read. */
struct stopper {
	uint64_t stop_at;
	bool kill;
	atomic_bool cancel;
};

static void see_progress(void *user, const char *stage, uint64_t n_done, uint64_t n_tokens)
{
	struct stopper *stopper = user;

	assert_true(n_done <= n_tokens + n_tokens / 10);
	if (strcmp(stage, "read") != 0 || n_done < stopper->stop_at)
		return;
	if (stopper->kill)
		raise(SIGKILL);
	stopper->cancel = true;
}

static void what_was_done_is_kept_when_told_to_stop(void **state)
{
	static const struct pipeline_hooks NONE = { 0 };
	struct fixture *f = *state;
	struct buf text = make_text(18000, 6);
	struct stopper stopper = { .stop_at = 6000 };
	struct pipeline_hooks hooks = { &stopper, see_progress, &stopper.cancel, NULL };
	struct reading stopped, reading, cold;
	struct err err = { "" };
	int64_t id, taken;

	folder_write(&f->inbox, "a.txt", text.data, text.n);
	id = queue(f, "a.txt");
	assert_int_equal(process(f, id, &hooks, &err), -ECANCELED);
	stopped = load(f, id);
	assert_int_equal(stopped.document.state, DOCUMENT_QUEUED);
	assert_null(stopped.document.error);
	assert_true(stopped.n_chunks > 0);
	assert_int_equal(count_outputs(f), 0);

	assert_int_equal(docstore_take(pipeline_docstore(f->pipeline), &taken, NULL), 0);
	assert_int_equal(taken, id);
	assert_int_equal(pipeline_process(f->pipeline, id, &BOTH, &NONE, NULL), 0);
	reading = load(f, id);
	assert_int_equal(reading.document.state, DOCUMENT_DONE);
	assert_true(reading.document.usage.prompt_tokens < sum_of_tokens(&reading));
	assert_true(reading.document.usage.reused_tokens > 0); /* of the chunk in which it stopped */

	reopen(f, "fresh.db", "fresh_kv.db");
	cold = read_text(f, "a.txt", &text);
	assert_same_results(&cold, &reading);
	reading_done(&stopped);
	reading_done(&reading);
	reading_done(&cold);
	buf_done(&text);
}

static bool count_calls(void *user)
{
	++*(size_t *)user;
	return true;
}

/* However often something else is more urgent, each turn reads a part. */
static void a_document_gives_way_between_its_parts(void **state)
{
	static const struct pipeline_hooks NONE = { 0 };
	struct fixture *f = *state;
	struct buf text = make_text(30000, 7);
	size_t n_calls = 0, n_turns = 0, n_chunks = 0;
	struct pipeline_hooks hooks = { .user = &n_calls, .give_way = count_calls };
	struct reading reading, cold;
	struct err err = { "" };
	int64_t id, taken;
	int r;

	folder_write(&f->inbox, "a.txt", text.data, text.n);
	id = queue(f, "a.txt");
	while ((r = process(f, id, &hooks, &err)) == -ECANCELED) {
		reading = load(f, id);
		assert_int_equal(reading.document.state, DOCUMENT_QUEUED);
		assert_int_equal(reading.n_chunks, n_chunks + 1);
		n_chunks = reading.n_chunks;
		reading_done(&reading);
		assert_int_equal(docstore_take(pipeline_docstore(f->pipeline), &taken, NULL), 0);
		n_turns++;
	}
	assert_int_equal(r, 0);
	assert_true(n_turns > 1);
	assert_int_equal(n_calls, n_turns);
	reading = load(f, id);
	assert_int_equal(reading.n_chunks, n_turns + 1);

	reopen(f, "fresh.db", "fresh_kv.db");
	folder_write(&f->inbox, "a.txt", text.data, text.n);
	assert_int_equal(process(f, queue(f, "a.txt"), &NONE, &err), 0);
	cold = load(f, id);
	assert_same_results(&cold, &reading);
	reading_done(&reading);
	reading_done(&cold);
	buf_done(&text);
}

/* In a process of its own: reads until it is killed. */
static void read_until_killed(struct fixture *f, uint64_t stop_at)
{
	struct stopper stopper = { .stop_at = stop_at, .kill = true };
	struct pipeline_hooks hooks = { &stopper, see_progress, NULL, NULL };

	open_pipeline(f);
	process(f, queue(f, "a.txt"), &hooks, NULL);
	_exit(1);
}

static void a_reading_that_is_killed_ends_the_same_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(18000, 7);
	struct reading killed, cold;
	int64_t id;

	folder_write(&f->inbox, "a.txt", text.data, text.n);
	for (uint64_t stop_at = 1500; stop_at <= 7500; stop_at += 3000) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			read_until_killed(f, stop_at);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	open_pipeline(f);
	assert_int_equal(docstore_take(pipeline_docstore(f->pipeline), &id, NULL), 0);
	assert_int_equal(docstore_put_back(pipeline_docstore(f->pipeline), id, NULL), 0);
	killed = read_text(f, "a.txt", &text);
	assert_int_equal(killed.document.id, id);
	assert_true(killed.document.usage.prompt_tokens < sum_of_tokens(&killed));
	assert_is_whole(&killed, &text);

	reopen(f, "fresh.db", "fresh_kv.db");
	cold = read_text(f, "a.txt", &text);
	assert_same_results(&cold, &killed);
	reading_done(&killed);
	reading_done(&cold);
	buf_done(&text);
}

static void a_foreign_file_in_the_outbox_is_left_alone_and_the_results_stand(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(4000, 8), foreign;
	struct reading reading;

	folder_write(&f->outbox, "a.txt.summary.md", "mine", 4);
	reading = read_bytes(f, "a.txt", text.data, text.n);
	assert_int_equal(reading.document.state, DOCUMENT_DONE);
	assert_non_null(strstr(reading.document.error, "was not written by skimd"));
	assert_false(reading.document.published);
	assert_true(reading.n_chunks > 0);
	foreign = folder_read(&f->outbox, "a.txt.summary.md");
	assert_memory_equal(foreign.data, "mine", 4);
	buf_done(&foreign);
	buf_done(&text);
	reading_done(&reading);
}

static void outputs_that_could_not_be_written_are_written_at_the_next_start(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(4000, 9);
	struct reading reading;
	int64_t id;

	folder_write(&f->outbox, "a.txt.summary.md", "mine", 4);
	reading = read_text(f, "a.txt", &text);
	id = reading.document.id;
	reading_done(&reading);
	assert_int_equal(pipeline_publish(f->pipeline, id, &BOTH, NULL), 0);
	reading = load(f, id);
	assert_false(reading.document.published);
	assert_non_null(strstr(reading.document.error, "was not written by skimd"));
	reading_done(&reading);
	reopen(f, "skimd.db", "kv.db"); /* and with the foreign file gone */
	assert_int_equal(pipeline_publish(f->pipeline, id, &BOTH, NULL), 0);
	assert_int_equal(count_outputs(f), 2);
	reading = load(f, id);
	assert_true(reading.document.published);
	assert_null(reading.document.error);
	reading_done(&reading);
	buf_done(&text);
}

static void a_broken_cache_is_done_without(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(4000, 10);
	struct reading reading;

	folder_write(&f->folder, "broken.db", "this is no database at all, is it?", 34);
	reopen(f, "skimd.db", "broken.db");
	reading = read_text(f, "a.txt", &text);
	assert_int_equal(reading.document.usage.reused_tokens, 0);
	reading_done(&reading);
	buf_done(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_text_is_read_whole_and_written_out),
		TEST(what_is_no_text_is_ignored_with_its_reason),
		TEST(what_is_damaged_or_too_large_fails_with_its_reason),
		TEST(what_cannot_be_opened_fails_with_its_reason),
		TEST(what_fails_for_a_passing_reason_is_tried_again_later),
		TEST(outputs_without_a_folder_are_written_when_there_is_one),
		TEST(a_file_that_went_is_gone),
		TEST(a_duplicate_costs_nothing_and_has_its_own_rows_and_outputs),
		TEST(an_edit_recomputes_only_the_chunks_it_touches),
		TEST(a_fresh_database_with_the_old_cache_computes_instructions_alone),
		TEST(a_fresh_cache_with_the_old_database_reads_no_chunk_again),
		TEST(a_document_gives_way_between_its_parts),
		TEST(what_was_done_is_kept_when_told_to_stop),
		cmocka_unit_test_setup_teardown(a_reading_that_is_killed_ends_the_same_after_a_restart,
		                                set_up_closed, tear_down),
		TEST(a_foreign_file_in_the_outbox_is_left_alone_and_the_results_stand),
		TEST(outputs_that_could_not_be_written_are_written_at_the_next_start),
		TEST(a_broken_cache_is_done_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
