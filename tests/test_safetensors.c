/* Damaged and foreign weight files: each refusal names the file and the tensor, and no header, whatever stands in it,
 * does more than that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>

#include "model/engine.h"
#include "model/safetensors.h"
#include "tests/fixture.h"

#define WEIGHTS "model.safetensors"
#define INDEX "model.safetensors.index.json"
#define SHARD_1 "model-00001-of-00003.safetensors"
#define Q_A "model.layers.0.self_attn.q_a_proj.weight"

/* A safetensors file taken apart. */
struct parts {
	struct buf bytes;
	json_t *header;
	char *data; /* in bytes */
	size_t n_header, n_data;
};

static struct parts take_apart(const struct path *folder, const char *name)
{
	struct parts ret = { .bytes = folder_read(folder, name) };
	uint64_t n;

	memcpy(&n, ret.bytes.data, sizeof(n));
	ret.n_header = n;
	ret.header = json_loadb(ret.bytes.data + 8, n, 0, NULL);
	assert_non_null(ret.header);
	ret.data = ret.bytes.data + 8 + n;
	ret.n_data = ret.bytes.n - 8 - n;
	return ret;
}

static void parts_done(struct parts *parts)
{
	json_decref(parts->header);
	buf_done(&parts->bytes);
}

static void write_text(const struct path *folder, const char *name, const char *header, const char *data,
                       size_t n_data)
{
	uint64_t n = strlen(header);
	struct buf bytes = { 0 };

	buf_append(&bytes, &n, sizeof(n));
	buf_append(&bytes, header, n);
	buf_append(&bytes, data, n_data);
	folder_write(folder, name, bytes.data, bytes.n);
	buf_done(&bytes);
}

static void put_together(const struct path *folder, const char *name, const struct parts *parts)
{
	char *header = json_dumps(parts->header, JSON_COMPACT);

	write_text(folder, name, header, parts->data, parts->n_data);
	free(header);
}

static int open_engine(const struct path *folder, struct err *err)
{
	struct engine_settings settings = { .dir = folder->text, .n_threads = 1, .prefill_rows = 4 };
	struct engine *engine = NULL;
	int r = engine_open(&settings, &engine, err);

	if (r < 0)
		assert_null(engine);
	engine_close(engine);
	return r;
}

static void assert_refused(const struct path *folder, int code, const char *words)
{
	struct err err = { "" };

	assert_int_equal(open_engine(folder, &err), code);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' is not in '%s'", words, err.text);
}

/* One entry of the header (a tensor's "dtype", "shape" or "data_offsets") changed; NULL takes it out. */
struct change {
	const char *tensor, *key, *value, *words;
};

static void check_changes(const char *fixture, const struct change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct path folder = fixture_copy(fixture);
		struct parts parts = take_apart(&folder, WEIGHTS);
		json_t *entry = json_object_get(parts.header, changes[i].tensor);

		assert_non_null(entry);
		if (changes[i].value == NULL)
			json_object_del(changes[i].key == NULL ? parts.header : entry,
			                changes[i].key == NULL ? changes[i].tensor : changes[i].key);
		else
			json_object_set_new(entry, changes[i].key,
			                    json_loads(changes[i].value, JSON_DECODE_ANY, NULL));
		put_together(&folder, WEIGHTS, &parts);
		assert_refused(&folder, -EBADMSG, changes[i].words);
		parts_done(&parts);
		folder_remove(&folder);
	}
}

static void every_fixture_opens_and_tells_its_tensors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(FIXTURES); i++) {
		struct path folder = fixture_path(FIXTURES[i]);
		struct checkpoint *checkpoint;
		const struct tensor *tensor;
		struct err err;

		if (checkpoint_open(folder.text, &checkpoint, &err) < 0)
			fail_msg("%s", err.text);
		tensor = checkpoint_find(checkpoint, Q_A);
		assert_non_null(tensor);
		assert_int_equal(tensor->n_dims, 2);
		assert_true(checkpoint_bytes(checkpoint) > 500000);
		assert_null(checkpoint_find(checkpoint, "model.layers.0.self_attn.q_a_proj"));
		checkpoint_close(checkpoint);
	}
	checkpoint_close(NULL);
}

static void entries_that_make_no_sense_are_refused_with_their_tensor(void **state)
{
	static const struct change CHANGES[] = {
		{ Q_A, "dtype", "\"F99\"", "tensor '" Q_A "': unknown dtype 'F99'" },
		{ Q_A, "dtype", "7", "tensor '" Q_A "': unknown dtype '(none)'" },
		{ Q_A, "dtype", NULL, "tensor '" Q_A "': unknown dtype '(none)'" },
		{ Q_A, "dtype", "\"BF16\"", "tensor '" Q_A "': 12288 bytes, its shape needs 6144" },
		{ Q_A, "dtype", "\"I32\"", "tensor '" Q_A "': not a float type that is supported" },
		{ Q_A, "shape", NULL, "tensor '" Q_A "': its shape is not a list of at most 4 sizes" },
		{ Q_A, "shape", "[1,1,1,48,64]",
		  "tensor '" Q_A "': its shape is not a list of at most 4 sizes" },
		{ Q_A, "shape", "[48,-64]", "tensor '" Q_A "': size 1 of its shape is impossible" },
		{ Q_A, "shape", "[\"48\",64]", "tensor '" Q_A "': size 0 of its shape is impossible" },
		{ Q_A, "shape", "[4611686018427387904,4]",
		  "tensor '" Q_A "': size 0 of its shape is impossible" },
		{ Q_A, "shape", "[1152921504606846976,16,3]",
		  "tensor '" Q_A "': size 1 of its shape is impossible" },
		{ Q_A, "shape", "[48,65]", "tensor '" Q_A "': 12288 bytes, its shape needs 12480" },
		{ Q_A, "shape", "[64,48]", "tensor '" Q_A "': 64 x 48, expected 48 x 64" },
		{ Q_A, "shape", "[3072]", "tensor '" Q_A "': 3072 x 1, expected 48 x 64" },
		{ Q_A, "shape", "[48,64,1]", "tensor '" Q_A "': " },
		{ Q_A, "data_offsets", "[24576]", "tensor '" Q_A "': its data_offsets are not a range" },
		{ Q_A, "data_offsets", "[36864,24576]",
		  "tensor '" Q_A "': its data_offsets are not a range" },
		{ Q_A, "data_offsets", "[-1,12287]", "tensor '" Q_A "': its data_offsets are not a range" },
		{ Q_A, "data_offsets", "[0.5,12288.5]",
		  "tensor '" Q_A "': its data_offsets are not a range" },
		{ Q_A, "data_offsets", "{}", "tensor '" Q_A "': its data_offsets are not a range" },
		{ Q_A, "data_offsets", "[24576,36860]",
		  "tensor '" Q_A "': 12284 bytes, its shape needs 12288" },
		{ Q_A, "data_offsets", "[9007199254740992,9007199254753280]",
		  "tensor '" Q_A "': ends at byte 9007199254753280 of 1018368: the file is cut short" },
		{ Q_A, "data_offsets", "[1018360,1030648]",
		  "tensor '" Q_A "': ends at byte 1030648 of 1018368: the file is cut short" },
		{ Q_A, "data_offsets", "[24572,36860]", "tensor '" Q_A "': it overlaps 'model.embed_tokens.weight'" },
		{ Q_A, NULL, NULL, "tensor '" Q_A "' is missing" },
		{ "model.norm.weight", NULL, NULL, "tensor 'model.norm.weight' is missing" },
		{ "lm_head.weight", NULL, NULL, "tensor 'lm_head.weight' is missing" },
	};

	(void)state;
	check_changes("v32-plain", CHANGES, COUNT(CHANGES));
}

static void fp8_weights_need_their_scale(void **state)
{
	static const struct change CHANGES[] = {
		{ Q_A "_scale_inv", NULL, NULL, "tensor '" Q_A "': fp8, but '" Q_A "_scale_inv' is missing" },
		{ Q_A "_scale_inv", "shape", "[4]", "tensor '" Q_A "_scale_inv': not 2 x 2 float values" },
		{ Q_A "_scale_inv", "dtype", "\"I32\"",
		  "tensor '" Q_A "_scale_inv': not 2 x 2 float values" },
	};

	(void)state;
	check_changes("v32-fp8", CHANGES, COUNT(CHANGES));
}

static size_t start_of(const struct parts *parts, const char *tensor)
{
	const json_t *offsets = json_object_get(json_object_get(parts->header, tensor), "data_offsets");

	return (size_t)json_integer_value(json_array_get(offsets, 0));
}

static void check_bytes(const char *fixture, const char *tensor, size_t at, const void *bytes, size_t n,
                        const char *words)
{
	struct path folder = fixture_copy(fixture);
	struct parts parts = take_apart(&folder, WEIGHTS);

	memcpy(parts.data + start_of(&parts, tensor) + at, bytes, n);
	put_together(&folder, WEIGHTS, &parts);
	assert_refused(&folder, -EBADMSG, words);
	parts_done(&parts);
	folder_remove(&folder);
}

static void values_that_are_not_finite_are_refused(void **state)
{
	const float infinite = INFINITY, not_a_number = NAN;

	(void)state;
	check_bytes("v32-plain", Q_A, 20, &not_a_number, 4, "tensor '" Q_A "': value 5 is not finite");
	check_bytes("v32-plain", "model.embed_tokens.weight", 0, &infinite, 4,
	            "tensor 'model.embed_tokens.weight': value 0 is not finite");
	check_bytes("v32-bf16", Q_A, 6, "\x80\xff", 2, "tensor '" Q_A "': value 3 is not finite");
	check_bytes("v32-fp8", Q_A, 7, "\x7f", 1, "tensor '" Q_A "': value 7 is not finite");
	check_bytes("v32-fp8", Q_A "_scale_inv", 0, &infinite, 4, "tensor '" Q_A "': value");
}

static void a_header_longer_than_its_file_is_refused(void **state)
{
	static const uint64_t LENGTHS[] = {
		UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63, (uint64_t)1 << 40, ((uint64_t)16 << 20) + 1,
		1030000,    1029865
	};
	struct path folder = fixture_copy("v32-plain");
	struct parts parts = take_apart(&folder, WEIGHTS);

	(void)state;
	assert_int_equal(parts.bytes.n, 1029872);
	for (size_t i = 0; i < COUNT(LENGTHS); i++) {
		memcpy(parts.bytes.data, &LENGTHS[i], 8);
		folder_write(&folder, WEIGHTS, parts.bytes.data, parts.bytes.n);
		assert_refused(&folder, -EBADMSG,
		               WEIGHTS ": not a safetensors file, or cut short in its header");
	}
	parts_done(&parts);
	folder_remove(&folder);
}

static void a_header_that_is_not_an_object_of_objects_is_refused(void **state)
{
	static const char *const HEADERS[][2] = {
		{ "[]", WEIGHTS ": its header is not an object" },
		{ "", WEIGHTS ":1:0: not valid JSON" },
		{ "{\"a\":", "not valid JSON" },
		{ "{}", "is missing" },
		{ "{\"__metadata__\":{\"format\":\"pt\"}}", "is missing" },
		{ "{\"a\":5}", "tensor 'a': unknown dtype '(none)'" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
		  "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
		  "duplicate object key" },
	};
	struct path folder = fixture_copy("v32-plain");

	(void)state;
	for (size_t i = 0; i < COUNT(HEADERS); i++) {
		write_text(&folder, WEIGHTS, HEADERS[i][0], "12345678", 8);
		assert_refused(&folder, -EBADMSG, HEADERS[i][1]);
	}
	folder_remove(&folder);
}

static void a_file_cut_short_anywhere_is_refused(void **state)
{
	struct path folder = fixture_copy("v32-bf16"), file = path_of(&folder, WEIGHTS);
	struct parts parts = take_apart(&folder, WEIGHTS);
	uint64_t seed = 41;

	(void)state;
	folder_write(&folder, WEIGHTS, parts.bytes.data, parts.bytes.n);
	for (size_t n = parts.bytes.n - 1; n > 0; n -= n < 8 ? 1 : 1 + draw(&seed) % (n / 8)) {
		assert_int_equal(truncate(file.text, (off_t)n), 0);
		assert_refused(&folder, -EBADMSG, "cut short");
	}
	assert_int_equal(truncate(file.text, 0), 0);
	assert_refused(&folder, -EBADMSG, WEIGHTS ": not a regular file, or empty");
	parts_done(&parts);
	folder_remove(&folder);
}

static void a_checkpoint_without_weights_is_told_apart_from_a_damaged_one(void **state)
{
	struct path folder = fixture_copy("v32-plain"), file = path_of(&folder, WEIGHTS);

	(void)state;
	assert_int_equal(unlink(file.text), 0);
	assert_refused(&folder, -ENOENT, WEIGHTS ": cannot open: No such file");
	assert_int_equal(mkdir(file.text, 0700), 0);
	assert_refused(&folder, -EBADMSG, WEIGHTS ": not a regular file, or empty");
	assert_int_equal(rmdir(file.text), 0);
	folder_remove(&folder);
}

static void a_scale_may_lie_in_another_shard_than_its_weight(void **state)
{
	struct path folder = fixture_path("v32-shards-fp8");
	const struct tensor *weight, *scale;
	struct checkpoint *checkpoint;
	struct err err;

	(void)state;
	assert_int_equal(checkpoint_open(folder.text, &checkpoint, &err), 0);
	weight = checkpoint_find(checkpoint, Q_A);
	scale = checkpoint_find(checkpoint, Q_A "_scale_inv");
	assert_string_not_equal(weight->file, scale->file);
	assert_int_equal(open_engine(&folder, &err), 0);
	checkpoint_close(checkpoint);
}

/* The shards' index with one more tensor said to be in `file` (JSON). */
static void check_index(const char *file, int code, const char *words)
{
	struct path folder = fixture_copy("v32-shards-fp8"), shard = path_of(&folder, SHARD_1);
	struct path copy = path_of(&folder, "copy.safetensors");
	json_t *index = folder_read_json(&folder, INDEX);

	assert_int_equal(link(shard.text, copy.text), 0);
	json_object_set_new(json_object_get(index, "weight_map"), "one.more",
	                    json_loads(file, JSON_DECODE_ANY, NULL));
	folder_write_json(&folder, INDEX, index);
	assert_refused(&folder, code, words);
	folder_remove(&folder);
}

static void an_index_names_files_of_its_own_folder_once_each(void **state)
{
	(void)state;
	check_index("\"../model.safetensors\"", -EBADMSG, "its index names the file '../model.safetensors'");
	check_index("\"/etc/passwd\"", -EBADMSG, "its index names the file '/etc/passwd'");
	check_index("\"\"", -EBADMSG, "its index names the file ''");
	check_index("\"..\"", -EBADMSG, "not a regular file, or empty");
	check_index("5", -EBADMSG, INDEX ": tensor 'one.more': its file is not named");
	check_index("\"gone.safetensors\"", -ENOENT, "gone.safetensors: cannot open");
	check_index("\"copy.safetensors\"", -EBADMSG, "' is also in '");
}

static void an_index_without_a_map_is_refused(void **state)
{
	static const char *const INDEXES[] = { "{}", "[]", "{\"weight_map\":[]}", "{\"weight_map\":{}}" };
	struct path folder = fixture_copy("v32-shards-fp8");

	(void)state;
	for (size_t i = 0; i < COUNT(INDEXES); i++) {
		folder_write(&folder, INDEX, INDEXES[i], strlen(INDEXES[i]));
		assert_refused(&folder, -EBADMSG, INDEX ": it has no weight_map");
	}
	folder_remove(&folder);
}

#define ALL_TYPES                                                               \
	"{\"f32\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"    \
	"\"f16\":{\"dtype\":\"F16\",\"shape\":[6],\"data_offsets\":[8,20]},"    \
	"\"bf16\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[20,26]}," \
	"\"e4m3\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[26,34]}}"

static void check_values(const struct checkpoint *checkpoint, const char *name, const float *expected,
                         size_t n)
{
	const struct tensor *tensor = checkpoint_find(checkpoint, name);
	float values[8];

	tensor_read(tensor, 0, n, values);
	for (size_t i = 0; i < n; i++) {
		if (isnan(expected[i]))
			assert_true(isnan(values[i]));
		else
			assert_memory_equal(&values[i], &expected[i], sizeof(values[i]));
	}
	tensor_read(tensor, n - 1, 1, values);
	assert_true(isnan(expected[n - 1]) || values[0] == expected[n - 1]);
}

static void values_of_every_float_type_are_read(void **state)
{
	const char data[] = "\x00\x00\x80\x3f\x00\x00\x20\xc1" /* f32: 1, -10 */
			    "\x00\x3c\x01\x00\xff\x7b\x00\x80\x00\xfc\x01\x7c" /* f16 */
			    "\x80\x3f\x49\xc0\x01\x00" /* bf16 */
			    "\x38\x01\x08\x7e\xfe\x80\x07\x7f"; /* e4m3 */
	struct path folder = folder_make();
	struct checkpoint *checkpoint;
	struct err err;

	(void)state;
	write_text(&folder, WEIGHTS, ALL_TYPES, data, sizeof(data) - 1);
	if (checkpoint_open(folder.text, &checkpoint, &err) < 0)
		fail_msg("%s", err.text);
	check_values(checkpoint, "f32", (const float[]){ 1, -10 }, 2);
	check_values(checkpoint, "f16", (const float[]){ 1, 0x1p-24F, 65504, -0.0F, -INFINITY, NAN }, 6);
	check_values(checkpoint, "bf16", (const float[]){ 1, -3.140625F, 0x1p-133F }, 3);
	check_values(checkpoint, "e4m3",
	             (const float[]){ 1, 0x1p-9F, 0x1p-6F, 448, -448, -0.0F, 0x1.cp-7F, NAN }, 8);
	checkpoint_close(checkpoint);
	folder_remove(&folder);
}

/* Some bytes of the file's start changed: bits, digits, or whole bytes. */
static void damage(char *bytes, size_t n, uint64_t *seed)
{
	for (uint64_t i = draw(seed) % 3 + 1; i > 0; i--) {
		char *at = bytes + draw(seed) % n;

		switch (draw(seed) % 3) {
		case 0:
			*at = (char)(*at ^ 1 << draw(seed) % 8);
			break;
		case 1:
			*at = (char)('0' + draw(seed) % 10);
			break;
		default:
			*at = (char)draw(seed);
		}
	}
}

static void no_damage_to_a_header_does_worse_than_a_refusal(void **state)
{
	const uint64_t SEED = 42;
	struct path folder = fixture_copy("v32-bf16"), file = path_of(&folder, WEIGHTS);
	struct parts parts = take_apart(&folder, WEIGHTS);
	size_t n = 8 + parts.n_header, n_opened = 0;
	char *start = malloc(n);
	uint64_t seed = SEED;
	int fd;

	(void)state;
	assert_non_null(start);
	print_message("# seed %llu\n", (unsigned long long)SEED);
	folder_write(&folder, WEIGHTS, parts.bytes.data, parts.bytes.n);
	fd = open(file.text, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (unsigned round = 0; round < 2000; round++) {
		struct err err = { "" };
		bool cut = round % 4 == 0;

		memcpy(start, parts.bytes.data, n);
		damage(start, round % 8 == 1 ? 8 : n, &seed);
		assert_int_equal(pwrite(fd, start, n, 0), n);
		if (cut)
			assert_int_equal(ftruncate(fd, (off_t)(draw(&seed) % parts.bytes.n)), 0);
		if (open_engine(&folder, &err) == 0)
			n_opened++;
		else
			assert_string_not_equal(err.text, "");
		if (cut)
			assert_int_equal(pwrite(fd, parts.bytes.data, parts.bytes.n, 0), parts.bytes.n);
	}
	assert_true(n_opened < 1500);
	close(fd);
	free(start);
	parts_done(&parts);
	folder_remove(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fixture_opens_and_tells_its_tensors),
		cmocka_unit_test(entries_that_make_no_sense_are_refused_with_their_tensor),
		cmocka_unit_test(fp8_weights_need_their_scale),
		cmocka_unit_test(values_that_are_not_finite_are_refused),
		cmocka_unit_test(a_header_longer_than_its_file_is_refused),
		cmocka_unit_test(a_header_that_is_not_an_object_of_objects_is_refused),
		cmocka_unit_test(a_file_cut_short_anywhere_is_refused),
		cmocka_unit_test(a_checkpoint_without_weights_is_told_apart_from_a_damaged_one),
		cmocka_unit_test(a_scale_may_lie_in_another_shard_than_its_weight),
		cmocka_unit_test(an_index_names_files_of_its_own_folder_once_each),
		cmocka_unit_test(an_index_without_a_map_is_refused),
		cmocka_unit_test(values_of_every_float_type_are_read),
		cmocka_unit_test(no_damage_to_a_header_does_worse_than_a_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
