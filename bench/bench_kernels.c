/* How near the kernels of model/ops.h come to what one thread of this machine can do, at a model's shapes; see
 * README.md. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "bench/kernel.h"
#include "bench/kernel_attention.h"
#include "bench/machine.h"
#include "bench/options.h"
#include "model/ops.h"
#include "model/shape.h"
#include "model/weights.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KERNEL_BAR 0.6

static int random_matrix(struct kernels *kernels, uint32_t n_out, uint32_t n_in, struct matrix *ret)
{
	float *rows = kernel_random_floats(kernels, n_out, n_in);
	int r = rows == NULL ? -ENOMEM : matrix_pack(rows, n_out, n_in, ret);

	free(rows);
	return r;
}

/* Products of rows with matrices of one shape, one after the other. */
struct product {
	const struct ops *ops;
	struct matrix *matrices; /* [n_matrices] */
	size_t n_matrices, n_rows, ldx, ldy;
	float *x, *y;
};

static void product_done(struct product *product)
{
	for (size_t i = 0; product->matrices != NULL && i < product->n_matrices; i++)
		matrix_done(&product->matrices[i]);
	free(product->matrices);
	free(product->x);
	free(product->y);
}

static int product_init(struct product *product, struct kernels *kernels, size_t n_matrices, uint32_t n_out,
                        uint32_t n_in, size_t max_rows)
{
	int r = 0;

	*product = (struct product){
		.ops = kernels->ops,
		.matrices = array_new(struct matrix, n_matrices),
		.n_matrices = n_matrices,
		.n_rows = max_rows,
		.ldx = round_up(n_in, PANEL),
		.ldy = round_up(n_out, PANEL),
	};
	product->x = kernel_random_floats(kernels, max_rows, product->ldx);
	product->y = array_new(float, max_rows, product->ldy);
	if (product->matrices == NULL || product->x == NULL || product->y == NULL)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < n_matrices; i++)
		r = random_matrix(kernels, n_out, n_in, &product->matrices[i]);
	if (r < 0)
		product_done(product);
	return r;
}

static void call_matmul(void *user)
{
	const struct product *product = user;

	for (size_t i = 0; i < product->n_matrices; i++) {
		const struct matrix *matrix = &product->matrices[i];

		product->ops->matmul(product->y, product->ldy, product->x, product->ldx, product->n_rows,
		                     matrix, 0, matrix_n_panels(matrix));
	}
}

/* Many rows by one matrix: held against arithmetic. */
static int measure_prefill_matmul(struct kernels *kernels, const char *name, uint32_t n_out, uint32_t n_in)
{
	static const size_t N_ROWS[] = { 72, 144, 512 };
	struct product product;
	char what[64];

	if (product_init(&product, kernels, 1, n_out, n_in, 512) < 0)
		return -ENOMEM;
	snprintf(what, sizeof(what), "matmul %s %ux%u", name, n_out, n_in);
	for (size_t i = 0; i < COUNT(N_ROWS); i++) {
		product.n_rows = N_ROWS[i];
		kernel_tell(kernels, &(struct kernel){ .what = what,
		                                       .n = N_ROWS[i],
		                                       .call = call_matmul,
		                                       .user = &product,
		                                       .work = 2.0 * n_out * n_in * (double)N_ROWS[i],
		                                       .peak = kernels->arithmetic,
		                                       .bar = KERNEL_BAR });
	}
	product_done(&product);
	return 0;
}

static int measure_prefill_matmuls(struct kernels *kernels)
{
	const struct model_shape *shape = kernels->shape;
	uint32_t hidden = shape->hidden_size, n_heads = shape->num_attention_heads;
	int r;

	if ((r = measure_prefill_matmul(kernels, "q_a", shape->q_lora_rank, hidden)) < 0 ||
	    (r = measure_prefill_matmul(kernels, "q_b", n_heads * shape_qk_head_dim(shape),
	                                shape->q_lora_rank)) < 0 ||
	    (r = measure_prefill_matmul(kernels, "kv_a", shape->kv_lora_rank + shape->qk_rope_head_dim,
	                                hidden)) < 0 ||
	    (r = measure_prefill_matmul(kernels, "o", hidden, n_heads * shape->v_head_dim)) < 0 ||
	    (r = measure_prefill_matmul(kernels, "expert up", shape->moe_intermediate_size, hidden)) < 0 ||
	    (r = measure_prefill_matmul(kernels, "expert down", hidden, shape->moe_intermediate_size)) < 0)
		return r;
	return measure_prefill_matmul(kernels, "mlp up", shape->intermediate_size, hidden);
}

/* A few rows by matrices that no cache holds together: held against memory. The more rows, the more of the time is
 * arithmetic, so that the bar is for one. */
static int measure_decode_matmul(struct kernels *kernels)
{
	static const size_t N_ROWS[] = { 1, 2, 4 };
	uint32_t hidden = kernels->shape->hidden_size;
	size_t n = 2 * machine_cache_bytes() / ((size_t)hidden * hidden * 2) + 1, n_bytes;
	struct product product;

	if (product_init(&product, kernels, n, hidden, hidden, 4) < 0)
		return -ENOMEM;
	n_bytes = n * matrix_n_panels(&product.matrices[0]) * matrix_panel_bytes(&product.matrices[0]);
	for (size_t i = 0; i < COUNT(N_ROWS); i++) {
		product.n_rows = N_ROWS[i];
		kernel_tell(kernels, &(struct kernel){ .what = "matmul of few rows",
		                                       .n = N_ROWS[i],
		                                       .call = call_matmul,
		                                       .user = &product,
		                                       .work = (double)n_bytes,
		                                       .peak = machine_stream,
		                                       .bar = N_ROWS[i] == 1 ? KERNEL_BAR : 0 });
	}
	product_done(&product);
	return 0;
}

/* The rate of the instructions that a family has for a matrix of bf16; where it only imitates them, of float32. */
static peak_function *choose_arithmetic(const struct ops *ops, const struct peaks *peaks)
{
	return ops->rounds_inputs && peaks->bf16_per_s > 0 ? machine_bf16 : machine_fp32;
}

static void measure_kernels(struct kernels *kernels)
{
	int r;

	if ((r = measure_prefill_matmuls(kernels)) < 0 || (r = measure_decode_matmul(kernels)) < 0 ||
	    (r = kernel_measure_attention(kernels)) < 0)
		kernels->r = err_set(&kernels->err, r, "no memory for the kernels' data");
}

static int run(struct kernels *kernels, const struct options *options)
{
	struct err *err = &kernels->err;
	struct model_shape shape;
	struct peaks peaks;
	int r;

	if ((r = shape_read(options->model, &shape, err)) < 0)
		return r;
	kernels->shape = &shape;
	if ((r = ops_select(NULL, &kernels->ops, err)) == 0 && (r = machine_peaks(1, &peaks, err)) == 0 &&
	    (r = report_open(&kernels->report, options->output, kernels->ops->name, err)) == 0) {
		report_peaks(&kernels->report, &peaks);
		kernels->arithmetic = choose_arithmetic(kernels->ops, &peaks);
		measure_kernels(kernels);
		r = report_close(&kernels->report, kernels->r == 0 ? err : NULL);
	}
	shape_done(&shape);
	return kernels->r < 0 ? kernels->r : r;
}

int main(int argc, char **argv)
{
	struct kernels kernels = { .seed = 1 };
	struct options options;

	if (!options_parse(&options, argc, argv, "kernels.csv"))
		return 2;
	kernels.n_trials = options.quick ? 15 : 50;
	if (run(&kernels, &options) < 0) {
		fprintf(stderr, "%s: %s\n", argv[0], kernels.err.text);
		return 1;
	}
	return 0;
}
