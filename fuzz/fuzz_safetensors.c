/* A safetensors file; behind an odd first byte, the index of a sharded checkpoint beside a file that is whole. What is
 * opened lies in its file, with the size that its shape says. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "model/safetensors.h"

#define N_VALUES 256

/* Tensors of the seeds. */
static const char *const NAMES[] = { "a", "b", "c", "d", "model.norm.weight" };

static const char WHOLE[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}      ";

static void write_whole(void)
{
	char file[8 + sizeof(WHOLE) - 1 + 8] = { 0 };

	file[0] = (char)(sizeof(WHOLE) - 1);
	memcpy(file + 8, WHOLE, sizeof(WHOLE) - 1);
	scratch_write("model.safetensors", file, sizeof(file));
}

static uint64_t width(enum tensor_type type)
{
	switch (type) {
	case TENSOR_F32:
		return 4;
	case TENSOR_BF16:
	case TENSOR_F16:
		return 2;
	case TENSOR_F8_E4M3:
		return 1;
	case TENSOR_OTHER:
		break;
	}
	return 0;
}

struct search {
	const struct tensor *tensor;
	bool found;
};

static void see_file(void *user, const void *bytes, size_t n)
{
	struct search *search = user;
	const uint8_t *start = bytes, *data = search->tensor->data;

	if (data >= start && data <= start + n && search->tensor->n_bytes <= n - (size_t)(data - start))
		search->found = true;
}

static void check_tensor(const struct checkpoint *checkpoint, const struct tensor *tensor)
{
	uint64_t n = width(tensor->type) == 0 ? 0 : tensor->n_bytes / width(tensor->type), product = 1;
	struct search search = { tensor, false };
	float values[N_VALUES];

	checkpoint_each_file(checkpoint, see_file, &search);
	REQUIRE(search.found);
	for (uint32_t i = 0; i < tensor->n_dims; i++)
		product *= tensor->dims[i];
	REQUIRE(width(tensor->type) == 0 || product == n);
	for (uint64_t first = 0; first < n; first += N_VALUES)
		tensor_read(tensor, first, n - first < N_VALUES ? n - first : N_VALUES, values);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input input = { bytes, n };
	bool sharded = input_u8(&input) % 2 == 1;
	struct checkpoint *checkpoint;
	struct err err = { "" };
	char folder[PATH_MAX];

	scratch_path("", folder);
	if (sharded) {
		write_whole();
		scratch_write("model.safetensors.index.json", input.bytes, input.n);
	} else {
		scratch_remove("model.safetensors.index.json");
		scratch_write("model.safetensors", input.bytes, input.n);
	}
	if (checkpoint_open(folder, &checkpoint, &err) < 0) {
		REQUIRE(err.text[0] != '\0');
		return 0;
	}
	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		const struct tensor *tensor = checkpoint_find(checkpoint, NAMES[i]);

		if (tensor != NULL)
			check_tensor(checkpoint, tensor);
	}
	checkpoint_close(checkpoint);
	return 0;
}
