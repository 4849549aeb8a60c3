/* skimctl model: what a checkpoint is, whether it computes what it should, what it says, and how fast. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/hex.h"
#include "daemon/paths.h"
#include "daemon/skimctl.h"
#include "model/context.h"
#include "model/sampler.h"
#include "model/verify.h"
#include "pipeline/prompt.h"

#define MAX_LIST 16
#define MAX_LENGTH (1u << 24)

/* All options of all four; a command uses those that its usage names. */
struct model_options {
	struct engine_settings engine;
	char dir[PATH_MAX];
	const char *golden;
	unsigned long threads, chunk, max_prompt, n_decode, n_tokens;
	unsigned long prompts[MAX_LIST], depths[MAX_LIST];
	size_t n_prompts, n_depths;
	struct sampler sampler;
	bool dense, json, raw;
};

static const struct option OPTIONS[] = {
	{ "production", no_argument, NULL, 'P' },
	{ "int8", no_argument, NULL, '8' },
	{ "naive", no_argument, NULL, 'N' },
	{ "golden", required_argument, NULL, 'g' },
	{ "max-prompt", required_argument, NULL, 'm' },
	{ "threads", required_argument, NULL, 't' },
	{ "chunk", required_argument, NULL, 'c' },
	{ "kernels", required_argument, NULL, 'k' },
	{ "prompt", required_argument, NULL, 'p' },
	{ "depth", required_argument, NULL, 'd' },
	{ "decode", required_argument, NULL, 'D' },
	{ "tokens", required_argument, NULL, 'n' },
	{ "temperature", required_argument, NULL, 'T' },
	{ "top-p", required_argument, NULL, 'o' },
	{ "seed", required_argument, NULL, 's' },
	{ "dense", no_argument, NULL, 'e' },
	{ "json", no_argument, NULL, 'j' },
	{ "raw", no_argument, NULL, 'r' },
	{ NULL, 0, NULL, 0 },
};

static bool add_to(unsigned long *list, size_t *n, const char *word)
{
	return *n < MAX_LIST && skimctl_number(word, 0, MAX_LENGTH, &list[(*n)++]);
}

static bool fraction(const char *word, double max, float *ret)
{
	char *end;
	double value = strtod(word, &end);

	*ret = (float)value;
	return end != word && *end == '\0' && value >= 0 && value <= max;
}

static bool take_option(struct model_options *options, int option)
{
	unsigned long seed;

	switch (option) {
	case 'P':
		options->engine.numerics = NUMERICS_PRODUCTION;
		return true;
	case '8':
		options->engine.numerics = NUMERICS_INT8;
		return true;
	case 'N':
		options->engine.mla_form = MLA_NAIVE;
		return true;
	case 'g':
		options->golden = optarg;
		return true;
	case 'm':
		return skimctl_number(optarg, 1, MAX_LENGTH, &options->max_prompt);
	case 't':
		return skimctl_number(optarg, 1, 256, &options->threads);
	case 'c':
		return skimctl_number(optarg, 1, 4096, &options->chunk);
	case 'k':
		options->engine.kernels = optarg;
		return true;
	case 'p':
		return add_to(options->prompts, &options->n_prompts, optarg) &&
		       options->prompts[options->n_prompts - 1] > 0;
	case 'd':
		return add_to(options->depths, &options->n_depths, optarg);
	case 'D':
		return skimctl_number(optarg, 0, MAX_LENGTH, &options->n_decode);
	case 'n':
		return skimctl_number(optarg, 1, MAX_LENGTH, &options->n_tokens);
	case 'T':
		return fraction(optarg, 100, &options->sampler.temperature);
	case 'o':
		return fraction(optarg, 1, &options->sampler.top_p);
	case 's':
		if (!skimctl_number(optarg, 0, ULONG_MAX, &seed))
			return false;
		options->sampler.state = seed;
		return true;
	case 'e':
		options->dense = true;
		return true;
	case 'j':
		options->json = true;
		return true;
	case 'r':
		options->raw = true;
		return true;
	default:
		return false;
	}
}

/* Options, then the model's folder; n_more words may follow it. */
static int parse(struct model_options *options, int argc, char **argv, int n_more)
{
	struct err err = { "" };
	int option;

	while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
		if (!take_option(options, option))
			return skimctl_usage(SKIMCTL_MODEL_USAGE);
	}
	if (optind + 1 + n_more != argc)
		return skimctl_usage(SKIMCTL_MODEL_USAGE);
	if (paths_model(argv[optind], options->dir, sizeof(options->dir), &err) < 0)
		return skimctl_fail(&err);
	options->engine.dir = options->dir;
	options->engine.n_threads = (unsigned)options->threads;
	options->engine.prefill_rows = options->chunk;
	return SKIMCTL_OK;
}

static int model_info(struct model_options *options, int argc, char **argv)
{
	char fingerprint[2 * FINGERPRINT_BYTES + 1];
	const struct model_shape *shape;
	struct engine_info info;
	struct engine *engine;
	struct err err = { "" };
	int status = parse(options, argc, argv, 0);

	if (status != SKIMCTL_OK)
		return status;
	if (engine_open(&options->engine, &engine, &err) < 0)
		return skimctl_fail(&err);
	engine_info(engine, &info);
	shape = engine_shape(engine);
	hex_encode(engine_fingerprint(engine), FINGERPRINT_BYTES, fingerprint);
	printf("model          %s\n", options->dir);
	printf("family         %s\n", model_family_name(shape->family));
	printf("parameters     %.1f M, %.1f M of them used by a token\n", (double)info.n_parameters / 1e6,
	       (double)info.n_active_parameters / 1e6);
	printf("files          %.1f MB\n", (double)info.file_bytes / 1e6);
	printf("layers         %u of width %u, %u heads\n", shape->num_hidden_layers, shape->hidden_size,
	       shape->num_attention_heads);
	printf("experts        %u, %u a token, %u shared\n", shape->n_routed_experts,
	       shape->num_experts_per_tok, shape->n_shared_experts);
	printf("indexer        %u heads of %u, top %u\n", shape->index_n_heads, shape->index_head_dim,
	       shape->index_topk);
	printf("context        %u tokens\n", shape->max_position_embeddings);
	printf("vocabulary     %u tokens%s\n", shape->vocab_size,
	       engine_tokenizer(engine) == NULL ? ", no tokenizer.json" : "");
	printf("cache          %.0f bytes a token, blocks of %zu tokens\n",
	       (double)info.block_bytes / (double)info.block_tokens, info.block_tokens);
	printf("kernels        %s, %s, %u threads, attention in the %s form\n", info.kernels, info.numerics,
	       info.n_threads, info.mla_form);
	printf("fingerprint    %s\n", fingerprint);
	engine_close(engine);
	return SKIMCTL_OK;
}

static void show_step(void *user, const char *what)
{
	(void)user;
	if (isatty(STDERR_FILENO) == 1)
		fprintf(stderr, "%s\n", what);
}

static int model_verify(struct model_options *options, int argc, char **argv)
{
	struct verify_settings settings = { .progress = show_step };
	struct verify_report report;
	struct err err = { "" };
	bool passes;
	int status;

	options->engine.numerics = NUMERICS_STRICT;
	status = parse(options, argc, argv, 0);
	if (status != SKIMCTL_OK)
		return status;
	settings.engine = options->engine;
	settings.golden = options->golden;
	settings.max_prompt = options->max_prompt;
	if (verify_run(&settings, &report, &err) < 0)
		return skimctl_fail(&err);
	printf("positions      %zu\n", report.n_positions);
	printf("largest error  %.2e of the largest logit\n", report.largest_error / report.largest_logit);
	if (report.n_sets > 0)
		printf("selected sets  %zu of %zu equal\n", report.n_sets_equal, report.n_sets);
	if (report.n_argmax > 0)
		printf("arg-max        %zu of %zu equal\nloss           off by %.4f %% at most, %+.4f %% in "
		       "all\n",
		       report.n_argmax_equal, report.n_argmax, 100 * report.largest_loss_error,
		       100 * (report.loss / report.golden_loss - 1));
	if (report.n_texts > 0)
		printf("texts          %zu of %zu tokenized alike\n", report.n_texts_equal, report.n_texts);
	passes = verify_passes(&report, options->engine.numerics, &err);
	printf("%s%s%s\n", passes ? "agrees" : "DISAGREES", passes ? "" : ": ", passes ? "" : err.text);
	return passes ? SKIMCTL_OK : SKIMCTL_FAILED;
}

/* The prompt's ids: as an instruction between the model's special tokens, or raw. */
static int encode_prompt(const struct engine *engine, const struct model_options *options, const char *text,
                         uint32_t **ret, size_t *ret_n, struct err *err)
{
	struct prompt_format format;
	int r;

	if (engine_tokenizer(engine) == NULL)
		return err_set(err, -ENOENT, "%s: no tokenizer.json: it cannot read text", options->dir);
	if (options->raw)
		return tokenizer_encode(engine_tokenizer(engine), text, strlen(text), ret, ret_n, err);
	if ((r = prompt_format_init(&format, engine_tokenizer(engine), err)) < 0)
		return r;
	return prompt_chat(&format, text, strlen(text), ret, ret_n, err);
}

static int generate(struct engine *engine, struct context *context, struct model_options *options,
                    struct err *err)
{
	size_t n_vocab = engine_shape(engine)->vocab_size;
	uint32_t *order = array_new(uint32_t, n_vocab), token = 0;
	int r = order == NULL ? err_set(err, -ENOMEM, "no memory") : 0;

	for (unsigned long i = 0; r == 0 && i < options->n_tokens; i++) {
		const char *bytes;
		size_t n;

		token = sampler_draw(&options->sampler, context_logits(context), n_vocab, order);
		if (engine_is_eos(engine, token))
			break;
		bytes = tokenizer_bytes(engine_tokenizer(engine), token, &n);
		if (bytes != NULL)
			fwrite(bytes, 1, n, stdout);
		fflush(stdout);
		r = context_forward(&(struct append){ context, &token, 1, true }, 1, NULL, err);
	}
	putchar('\n');
	free(order);
	return r;
}

/* With --dense, the form of it that is the faster one for what comes. */
static void set_attention(struct context *context, const struct model_options *options, enum attention dense)
{
	context_set_attention(context, options->dense ? dense : ATTENTION_SPARSE);
}

static int run_prompt(struct engine *engine, struct model_options *options, const char *text, struct err *err)
{
	struct context *context = NULL;
	uint32_t *ids;
	size_t n;
	int r = encode_prompt(engine, options, text, &ids, &n, err);

	if (r < 0)
		return r;
	if (n == 0)
		r = err_set(err, -EINVAL, "the prompt is empty");
	if (r == 0 && (r = context_new(engine, &context, err)) == 0) {
		set_attention(context, options, ATTENTION_DENSE_EXPANDED);
		r = context_forward(&(struct append){ context, ids, n, true }, 1, NULL, err);
		set_attention(context, options, ATTENTION_DENSE);
	}
	if (r == 0)
		r = generate(engine, context, options, err);
	context_free(context);
	free(ids);
	return r;
}

static int model_run(struct model_options *options, int argc, char **argv)
{
	struct engine *engine;
	struct err err = { "" };
	int status, r;

	options->n_tokens = 256;
	options->sampler.top_p = 1;
	status = parse(options, argc, argv, 1);
	if (status != SKIMCTL_OK)
		return status;
	if (engine_open(&options->engine, &engine, &err) < 0)
		return skimctl_fail(&err);
	r = run_prompt(engine, options, argv[optind + 1], &err);
	engine_close(engine);
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}

static long resident_bytes(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	long pages = 0;

	if (statm == NULL)
		return 0;
	if (fscanf(statm, "%*s %ld", &pages) != 1)
		pages = 0;
	fclose(statm);
	return pages * sysconf(_SC_PAGESIZE);
}

/* Ordinary-looking tokens: the same for every run, spread over the vocabulary. */
static uint32_t bench_token(const struct engine *engine, size_t i)
{
	uint32_t n = engine_shape(engine)->vocab_size;

	return n <= 16 ? (uint32_t)(i % n) : (uint32_t)(16 + i * 7919 % (n - 16));
}

static int timed_append(struct engine *engine, struct context *context, size_t n, size_t step,
                        double *ret_seconds, struct err *err)
{
	uint32_t *ids = array_new(uint32_t, n);
	double start;
	int r = 0;

	if (ids == NULL)
		return err_set(err, -ENOMEM, "no memory for %zu tokens", n);
	for (size_t i = 0; i < n; i++)
		ids[i] = bench_token(engine, context_n_tokens(context) + i);
	start = clock_seconds();
	for (size_t i = 0; r == 0 && i < n; i += step)
		r = context_forward(&(struct append){ context, ids + i, n - i < step ? n - i : step, true },
		                    1, NULL, err);
	*ret_seconds = clock_seconds() - start;
	free(ids);
	return r;
}

static void print_bench(const struct model_options *options, unsigned n_threads, size_t prompt, size_t depth,
                        double prefill, double decode)
{
	const char *mode = options->dense ? "dense" : "sparse";
	double prefill_rate = (double)prompt / prefill;
	double decode_rate = options->n_decode == 0 ? 0 : (double)options->n_decode / decode;

	if (options->json)
		printf("{\"mode\":\"%s\",\"threads\":%u,\"prompt\":%zu,\"depth\":%zu,\"prefill_tokens_per_"
		       "s\":%.2f,"
		       "\"decode_tokens_per_s\":%.2f,\"rss_bytes\":%ld}\n",
		       mode, n_threads, prompt, depth, prefill_rate, decode_rate, resident_bytes());
	else
		printf("%-6s  %u threads  depth %6zu  prompt %6zu  prefill %8.1f tokens/s  decode %7.1f "
		       "tokens/s  %ld MB\n",
		       mode, n_threads, depth, prompt, prefill_rate, decode_rate, resident_bytes() / 1000000);
	fflush(stdout);
}

/* A prompt behind `depth` tokens, then decoding behind both. */
static int bench_one(struct engine *engine, const struct model_options *options, size_t prompt, size_t depth,
                     struct err *err)
{
	double filling, prefill = 0, decode = 0;
	struct engine_info info;
	struct context *context;
	int r = context_new(engine, &context, err);

	if (r < 0)
		return r;
	set_attention(context, options, ATTENTION_DENSE_EXPANDED);
	if (depth == 0 || (r = timed_append(engine, context, depth, depth, &filling, err)) == 0)
		r = timed_append(engine, context, prompt, prompt, &prefill, err);
	set_attention(context, options, ATTENTION_DENSE);
	if (r == 0 && (r = timed_append(engine, context, options->n_decode, 1, &decode, err)) == 0) {
		engine_info(engine, &info);
		print_bench(options, info.n_threads, prompt, depth, prefill, decode);
	}
	context_free(context);
	return r;
}

static int model_bench(struct model_options *options, int argc, char **argv)
{
	struct engine *engine;
	struct err err = { "" };
	int status, r = 0;

	options->n_decode = 32;
	status = parse(options, argc, argv, 0);
	if (status != SKIMCTL_OK)
		return status;
	if (options->n_prompts == 0)
		options->prompts[options->n_prompts++] = 512;
	if (options->n_depths == 0)
		options->depths[options->n_depths++] = 0;
	if (engine_open(&options->engine, &engine, &err) < 0)
		return skimctl_fail(&err);
	for (size_t d = 0; r == 0 && d < options->n_depths; d++) {
		for (size_t p = 0; r == 0 && p < options->n_prompts; p++)
			r = bench_one(engine, options, options->prompts[p], options->depths[d], &err);
	}
	engine_close(engine);
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}

int skimctl_model(int argc, char **argv)
{
	static const struct {
		const char *word;
		int (*run)(struct model_options *options, int argc, char **argv);
	} COMMANDS[] = {
		{ "info", model_info },
		{ "verify", model_verify },
		{ "run", model_run },
		{ "bench", model_bench },
	};
	struct model_options options = { 0 };

	for (size_t i = 0; argc > 1 && i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
		if (strcmp(argv[1], COMMANDS[i].word) == 0)
			return COMMANDS[i].run(&options, argc - 1, argv + 1);
	}
	return skimctl_usage(SKIMCTL_MODEL_USAGE);
}
