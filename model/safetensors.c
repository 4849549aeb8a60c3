#include "model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/json.h"

#define MAX_HEADER_BYTES ((uint64_t)16 << 20) /* a parsed header takes many times its size */
#define MAX_INDEX_BYTES ((size_t)64 << 20)
#define LENGTH_BYTES 8

struct mapped_file {
	char *path;
	json_t *header; /* holds the tensors' names */
	const uint8_t *bytes;
	size_t n_bytes;
};

struct checkpoint {
	struct mapped_file *files;
	size_t n_files, cap_files;
	struct tensor *tensors; /* by name */
	size_t n_tensors, cap_tensors;
};

static const struct {
	const char *name;
	enum tensor_type type;
	uint64_t n_bytes;
} TYPES[] = {
	{ "F32", TENSOR_F32, 4 },         { "BF16", TENSOR_BF16, 2 },  { "F16", TENSOR_F16, 2 },
	{ "F8_E4M3", TENSOR_F8_E4M3, 1 }, { "F64", TENSOR_OTHER, 8 },  { "I64", TENSOR_OTHER, 8 },
	{ "I32", TENSOR_OTHER, 4 },       { "I16", TENSOR_OTHER, 2 },  { "I8", TENSOR_OTHER, 1 },
	{ "U8", TENSOR_OTHER, 1 },        { "BOOL", TENSOR_OTHER, 1 }, { "U16", TENSOR_OTHER, 2 },
	{ "U32", TENSOR_OTHER, 4 },       { "U64", TENSOR_OTHER, 8 },  { "F8_E5M2", TENSOR_OTHER, 1 },
	{ "F8_E8M0", TENSOR_OTHER, 1 },
};

static int read_type(struct tensor *tensor, const json_t *entry, uint64_t *ret_n_bytes, struct err *err)
{
	const char *word = json_string_value(json_object_get(entry, "dtype"));

	for (size_t i = 0; word != NULL && i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
		if (strcmp(word, TYPES[i].name) == 0) {
			tensor->type = TYPES[i].type;
			*ret_n_bytes = TYPES[i].n_bytes;
			return 0;
		}
	}
	return err_set(err, -EBADMSG, "%s: tensor '%s': unknown dtype '%s'", tensor->file, tensor->name,
	               word == NULL ? "(none)" : word);
}

/* The shape, whose product times *n_bytes is the size that the data must have. */
static int read_dims(struct tensor *tensor, const json_t *entry, uint64_t *n_bytes, struct err *err)
{
	const json_t *shape = json_object_get(entry, "shape");

	if (!json_is_array(shape) || json_array_size(shape) > TENSOR_MAX_DIMS)
		return err_set(err, -EBADMSG, "%s: tensor '%s': its shape is not a list of at most %d sizes",
		               tensor->file, tensor->name, TENSOR_MAX_DIMS);
	tensor->n_dims = (uint32_t)json_array_size(shape);
	for (uint32_t i = 0; i < tensor->n_dims; i++) {
		const json_t *dim = json_array_get(shape, i);

		if (!json_is_integer(dim) || json_integer_value(dim) < 0 ||
		    __builtin_mul_overflow(*n_bytes, (uint64_t)json_integer_value(dim), n_bytes))
			return err_set(err, -EBADMSG, "%s: tensor '%s': size %u of its shape is impossible",
			               tensor->file, tensor->name, i);
		tensor->dims[i] = (uint64_t)json_integer_value(dim);
	}
	return 0;
}

static int read_place(struct tensor *tensor, const json_t *entry, uint64_t n_expected, const uint8_t *data,
                      uint64_t n_data, struct err *err)
{
	const json_t *offsets = json_object_get(entry, "data_offsets");
	const json_t *start = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);

	if (json_array_size(offsets) != 2 || !json_is_integer(start) || !json_is_integer(end) ||
	    json_integer_value(start) < 0 || json_integer_value(end) < json_integer_value(start))
		return err_set(err, -EBADMSG, "%s: tensor '%s': its data_offsets are not a range",
		               tensor->file, tensor->name);
	tensor->n_bytes = (uint64_t)(json_integer_value(end) - json_integer_value(start));
	if ((uint64_t)json_integer_value(end) > n_data)
		return err_set(err, -EBADMSG,
		               "%s: tensor '%s': ends at byte %lld of %llu: the file is cut short",
		               tensor->file, tensor->name, (long long)json_integer_value(end),
		               (unsigned long long)n_data);
	if (tensor->n_bytes != n_expected)
		return err_set(err, -EBADMSG, "%s: tensor '%s': %llu bytes, its shape needs %llu",
		               tensor->file, tensor->name, (unsigned long long)tensor->n_bytes,
		               (unsigned long long)n_expected);
	tensor->data = data + json_integer_value(start);
	return 0;
}

static int add_tensor(struct checkpoint *checkpoint, const struct mapped_file *file, const char *name,
                      const json_t *entry, uint64_t data_start, struct err *err)
{
	struct tensor tensor = { .name = name, .file = file->path };
	uint64_t n_bytes = 0;
	int r;

	if ((r = read_type(&tensor, entry, &n_bytes, err)) < 0 ||
	    (r = read_dims(&tensor, entry, &n_bytes, err)) < 0 ||
	    (r = read_place(&tensor, entry, n_bytes, file->bytes + data_start, file->n_bytes - data_start,
	                    err)) < 0)
		return r;
	r = array_grow(&checkpoint->tensors, sizeof(tensor), checkpoint->n_tensors, &checkpoint->cap_tensors);
	if (r < 0)
		return err_set(err, r, "%s: no memory for its tensors", file->path);
	checkpoint->tensors[checkpoint->n_tensors++] = tensor;
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct tensor *x = a, *y = b;

	if (x->data != y->data)
		return x->data < y->data ? -1 : 1;
	return x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes;
}

/* The tensors of one file, from `first` on: no byte belongs to two of them. */
static int check_overlaps(struct checkpoint *checkpoint, size_t first, struct err *err)
{
	size_t n = checkpoint->n_tensors - first;
	struct tensor *tensors;

	if (n < 2) /* there may not even be an array */
		return 0;
	tensors = checkpoint->tensors + first;
	qsort(tensors, n, sizeof(*tensors), compare_places);
	for (size_t i = 1; i < n; i++) {
		if (tensors[i].data < tensors[i - 1].data + tensors[i - 1].n_bytes)
			return err_set(err, -EBADMSG, "%s: tensor '%s': it overlaps '%s'", tensors[i].file,
			               tensors[i].name, tensors[i - 1].name);
	}
	return 0;
}

static int read_header(struct checkpoint *checkpoint, struct mapped_file *file, struct err *err)
{
	size_t first_tensor = checkpoint->n_tensors;
	uint64_t n = 0;
	const char *name;
	json_t *entry;
	int r;

	for (int i = LENGTH_BYTES - 1; i >= 0 && file->n_bytes >= LENGTH_BYTES; i--)
		n = n << 8 | file->bytes[i];
	if (file->n_bytes < LENGTH_BYTES || n > MAX_HEADER_BYTES || n > file->n_bytes - LENGTH_BYTES)
		return err_set(err, -EBADMSG, "%s: not a safetensors file, or cut short in its header",
		               file->path);
	r = json_parse(file->path, (const char *)file->bytes + LENGTH_BYTES, n, &file->header, err);
	if (r < 0)
		return r;
	if (!json_is_object(file->header))
		return err_set(err, -EBADMSG, "%s: its header is not an object", file->path);
	json_object_foreach(file->header, name, entry)
	{
		if (strcmp(name, "__metadata__") == 0)
			continue;
		if ((r = add_tensor(checkpoint, file, name, entry, LENGTH_BYTES + n, err)) < 0)
			return r;
	}
	return check_overlaps(checkpoint, first_tensor, err);
}

static int map_file(struct mapped_file *file, struct err *err)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	void *bytes;

	if (fd < 0)
		return err_set(err, -errno, "%s: cannot open: %s", file->path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
		close(fd);
		return err_set(err, -EBADMSG, "%s: not a regular file, or empty", file->path);
	}
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return err_set(err, -errno, "%s: cannot map: %s", file->path, strerror(errno));
	file->bytes = bytes;
	file->n_bytes = (size_t)st.st_size;
	return 0;
}

static int open_file(struct checkpoint *checkpoint, const char *dir, const char *name, struct err *err)
{
	struct mapped_file *file;
	int r;

	if (strchr(name, '/') != NULL || name[0] == '\0')
		return err_set(err, -EBADMSG, "%s: its index names the file '%s'", dir, name);
	if (array_grow(&checkpoint->files, sizeof(*file), checkpoint->n_files, &checkpoint->cap_files) < 0)
		return err_set(err, -ENOMEM, "%s: no memory", dir);
	file = &checkpoint->files[checkpoint->n_files++];
	*file = (struct mapped_file){ 0 };
	if (asprintf(&file->path, "%s/%s", dir, name) < 0) {
		file->path = NULL;
		return err_set(err, -ENOMEM, "%s: no memory", dir);
	}
	if ((r = map_file(file, err)) < 0)
		return r;
	return read_header(checkpoint, file, err);
}

static bool is_open(const struct checkpoint *checkpoint, const char *name)
{
	for (size_t i = 0; i < checkpoint->n_files; i++) {
		if (strcmp(strrchr(checkpoint->files[i].path, '/') + 1, name) == 0)
			return true;
	}
	return false;
}

/* Every shard that the index names, once each. Which shard holds what is read from the shards themselves. */
static int open_shards(struct checkpoint *checkpoint, const char *dir, const char *index_path,
                       struct err *err)
{
	json_t *index, *shard;
	const json_t *map;
	const char *name;
	int r = json_read_file(index_path, MAX_INDEX_BYTES, &index, err);

	if (r < 0)
		return r;
	map = json_object_get(index, "weight_map");
	if (!json_is_object(map) || json_object_size(map) == 0)
		r = err_set(err, -EBADMSG, "%s: it has no weight_map", index_path);
	json_object_foreach((json_t *)map, name, shard)
	{
		if (r < 0)
			break;
		if (!json_is_string(shard))
			r = err_set(err, -EBADMSG, "%s: tensor '%s': its file is not named", index_path,
			            name);
		else if (!is_open(checkpoint, json_string_value(shard)))
			r = open_file(checkpoint, dir, json_string_value(shard), err);
	}
	json_decref(index);
	return r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

static int sort_tensors(struct checkpoint *checkpoint, struct err *err)
{
	if (checkpoint->n_tensors > 0)
		qsort(checkpoint->tensors, checkpoint->n_tensors, sizeof(struct tensor), compare_names);
	for (size_t i = 1; i < checkpoint->n_tensors; i++) {
		if (compare_names(&checkpoint->tensors[i - 1], &checkpoint->tensors[i]) == 0)
			return err_set(err, -EBADMSG, "%s: tensor '%s' is also in '%s'",
			               checkpoint->tensors[i].file, checkpoint->tensors[i].name,
			               checkpoint->tensors[i - 1].file);
	}
	return 0;
}

int checkpoint_open(const char *dir, struct checkpoint **ret, struct err *err)
{
	struct checkpoint *checkpoint = array_new(struct checkpoint, 1);
	char index_path[PATH_MAX];
	int r;

	if (checkpoint == NULL)
		return err_set(err, -ENOMEM, "%s: no memory", dir);
	snprintf(index_path, sizeof(index_path), "%s/model.safetensors.index.json", dir);
	if (access(index_path, F_OK) == 0)
		r = open_shards(checkpoint, dir, index_path, err);
	else
		r = open_file(checkpoint, dir, "model.safetensors", err);
	if (r < 0 || (r = sort_tensors(checkpoint, err)) < 0) {
		checkpoint_close(checkpoint);
		return r;
	}
	*ret = checkpoint;
	return 0;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
	if (checkpoint == NULL)
		return;
	for (size_t i = 0; i < checkpoint->n_files; i++) {
		struct mapped_file *file = &checkpoint->files[i];

		if (file->bytes != NULL)
			munmap((void *)(uintptr_t)file->bytes, file->n_bytes);
		json_decref(file->header);
		free(file->path);
	}
	free(checkpoint->files);
	free(checkpoint->tensors);
	free(checkpoint);
}

const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name)
{
	const struct tensor key = { .name = name };

	if (checkpoint->n_tensors == 0)
		return NULL;
	return bsearch(&key, checkpoint->tensors, checkpoint->n_tensors, sizeof(key), compare_names);
}

uint64_t checkpoint_bytes(const struct checkpoint *checkpoint)
{
	uint64_t n = 0;

	for (size_t i = 0; i < checkpoint->n_files; i++)
		n += checkpoint->files[i].n_bytes;
	return n;
}

void checkpoint_each_file(const struct checkpoint *checkpoint,
                          void (*each)(void *user, const void *bytes, size_t n), void *user)
{
	for (size_t i = 0; i < checkpoint->n_files; i++)
		each(user, checkpoint->files[i].bytes, checkpoint->files[i].n_bytes);
}

/* e4m3fn: bias 7, largest 448, no infinities, 0x7f and 0xff are NaN. */
static float e4m3_value(uint8_t bits)
{
	int exponent = bits >> 3 & 15, mantissa = bits & 7;
	float value =
		exponent > 0 ? ldexpf(1 + (float)mantissa / 8, exponent - 7) : ldexpf((float)mantissa, -9);

	if ((bits & 0x7f) == 0x7f)
		value = NAN;
	return (bits & 0x80) != 0 ? -value : value;
}

static float f16_value(uint16_t bits)
{
	int exponent = bits >> 10 & 31, mantissa = bits & 1023;
	float value;

	if (exponent == 31)
		value = mantissa == 0 ? INFINITY : NAN;
	else if (exponent > 0)
		value = ldexpf(1 + (float)mantissa / 1024, exponent - 15);
	else
		value = ldexpf((float)mantissa, -24);
	return (bits & 0x8000) != 0 ? -value : value;
}

static void read_e4m3(const uint8_t *data, uint64_t n, float *ret)
{
	float values[256];

	for (unsigned i = 0; i < 256; i++)
		values[i] = e4m3_value((uint8_t)i);
	for (uint64_t i = 0; i < n; i++)
		ret[i] = values[data[i]];
}

static void read_halves(const uint8_t *data, uint64_t n, bool bf16, float *ret)
{
	for (uint64_t i = 0; i < n; i++) {
		uint16_t half = (uint16_t)(data[2 * i] | data[2 * i + 1] << 8);
		uint32_t bits = (uint32_t)half << 16;

		if (bf16)
			memcpy(&ret[i], &bits, sizeof(bits));
		else
			ret[i] = f16_value(half);
	}
}

void tensor_read(const struct tensor *tensor, uint64_t first, uint64_t n, float *ret)
{
	switch (tensor->type) {
	case TENSOR_F32:
		memcpy(ret, tensor->data + 4 * first, 4 * n);
		break;
	case TENSOR_BF16:
	case TENSOR_F16:
		read_halves(tensor->data + 2 * first, n, tensor->type == TENSOR_BF16, ret);
		break;
	case TENSOR_F8_E4M3:
		read_e4m3(tensor->data + first, n, ret);
		break;
	case TENSOR_OTHER:
		memset(ret, 0, n * sizeof(*ret));
		break;
	}
}
