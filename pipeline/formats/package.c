#include "pipeline/formats/package.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "base/text.h"

#define STEP ((size_t)1 << 16)

struct package {
	zip_t *zip;
	uint64_t n_unpacked, max_unpacked;
};

struct member {
	struct package *package;
	zip_file_t *file;
	char what[PACKAGE_NAME_MAX + 16]; /* it is, for messages */
};

bool package_is(const struct format_input *input)
{
	return input->n >= 4 &&
	       (memcmp(input->bytes, "PK\3\4", 4) == 0 || memcmp(input->bytes, "PK\5\6", 4) == 0);
}

/* What libzip's word means for a document. */
static int fail(const zip_error_t *error, const char *what, struct err *err)
{
	switch (zip_error_code_zip(error)) {
	case ZIP_ER_MEMORY:
		return err_set(err, -ENOMEM, "no memory to unpack it");
	case ZIP_ER_NOPASSWD:
	case ZIP_ER_ENCRNOTSUPP:
		return err_set(err, -EACCES, "%s is encrypted", what);
	case ZIP_ER_COMPNOTSUPP:
		return err_set(err, -ENOTSUP, "%s is packed in a way that is not known here", what);
	case ZIP_ER_CRC:
		return err_set(err, -EBADMSG, "%s is damaged: its checksum is wrong", what);
	default:
		return err_set(err, -EBADMSG, "%s is damaged or cut short", what);
	}
}

static uint64_t max_unpacked(const struct format_input *input)
{
	uint64_t by_ratio = (uint64_t)input->n * PACKAGE_MAX_RATIO;

	if (by_ratio < PACKAGE_FREE_BYTES)
		by_ratio = PACKAGE_FREE_BYTES;
	return by_ratio < input->max_bytes ? by_ratio : input->max_bytes;
}

static zip_t *open_bytes(const struct format_input *input, zip_error_t *error)
{
	zip_source_t *source = zip_source_buffer_create(input->bytes, input->n, 0, error);
	zip_t *zip;

	if (source == NULL)
		return NULL;
	zip = zip_open_from_source(source, ZIP_RDONLY, error);
	if (zip == NULL)
		zip_source_free(source);
	return zip;
}

int package_open(const struct format_input *input, struct package **ret, struct err *err)
{
	struct package *package = calloc(1, sizeof(*package));
	zip_error_t error;
	zip_int64_t n;
	int r = 0;

	if (package == NULL)
		return err_set(err, -ENOMEM, "no memory to unpack it");
	package->max_unpacked = max_unpacked(input);
	zip_error_init(&error);
	package->zip = open_bytes(input, &error);
	if (package->zip == NULL)
		r = fail(&error, "the zip file", err);
	zip_error_fini(&error);
	n = package->zip == NULL ? 0 : zip_get_num_entries(package->zip, 0);
	if (r == 0 && n > (zip_int64_t)input->max_members)
		r = err_set(err, -EFBIG, "a zip file of %lld members, more than the limit of %u",
		            (long long)n, input->max_members);
	if (r < 0) {
		package_close(package);
		return r;
	}
	*ret = package;
	return 0;
}

void package_close(struct package *package)
{
	if (package == NULL)
		return;
	if (package->zip != NULL)
		zip_discard(package->zip);
	free(package);
}

bool package_has(const struct package *package, const char *name)
{
	return zip_name_locate(package->zip, name, 0) >= 0;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c == '\0' ? NULL : strchr(digits, c | 0x20);

	return at == NULL ? -1 : (int)(at - digits);
}

/* Percent signs with their two digits become bytes, in place; returns the new length. What "#" begins is within the member. */
static size_t decode_reference(char *text, size_t n)
{
	size_t n_decoded = 0;

	for (size_t i = 0; i < n && text[i] != '#'; i++) {
		bool is_coded = text[i] == '%' && n - i > 2 && hex_digit(text[i + 1]) >= 0 &&
		                hex_digit(text[i + 2]) >= 0;

		if (is_coded) {
			text[n_decoded++] = (char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
			i += 2;
		} else {
			text[n_decoded++] = text[i];
		}
	}
	text[n_decoded] = '\0';
	return n_decoded;
}

/* Append a reference folder by folder, going up where it does. */
static void walk(struct buf *name, const char *at, const char *end)
{
	while (at < end) {
		const char *slash = memchr(at, '/', (size_t)(end - at)),
			   *next = slash == NULL ? end : slash + 1;
		size_t n = (size_t)(next - at);

		if (n == 3 && memcmp(at, "../", 3) == 0)
			while (name->n > 0 && --name->n > 0 && name->data[name->n - 1] != '/')
				;
		else if (n != 2 || memcmp(at, "./", 2) != 0)
			buf_append(name, at, n);
		at = next;
	}
}

char *package_resolve(const char *part, const char *reference, size_t n_reference)
{
	const char *folder_end = strrchr(part, '/');
	char *decoded = malloc(n_reference + 1);
	struct buf name = { 0 };
	bool is_rooted;
	size_t n;

	if (decoded == NULL)
		return NULL;
	if (n_reference > 0)
		memcpy(decoded, reference, n_reference);
	n = decode_reference(decoded, n_reference);
	is_rooted = decoded[0] == '/';
	if (folder_end != NULL && !is_rooted)
		buf_append(&name, part, (size_t)(folder_end - part) + 1);
	walk(&name, decoded + is_rooted, decoded + n);
	free(decoded);
	if (name.data != NULL)
		name.data[name.n] = '\0';
	return buf_take(&name);
}

void package_show_name(const char *name, char *ret, size_t n_ret)
{
	bool is_text;

	snprintf(ret, n_ret, "%s", name);
	is_text = text_is_utf8(ret, strlen(ret));
	for (char *at = ret; !is_text && *at != '\0'; at++)
		if ((*at & 0x80) != 0)
			*at = '?';
	text_printable(ret);
}

static void describe(struct member *member, const char *name)
{
	char shown[PACKAGE_NAME_MAX];

	package_show_name(name, shown, sizeof(shown));
	snprintf(member->what, sizeof(member->what), "its part '%s'", shown);
}

int member_open(struct package *package, const char *name, struct member **ret, struct err *err)
{
	struct member *member = calloc(1, sizeof(*member));
	zip_int64_t at = zip_name_locate(package->zip, name, 0);
	int r;

	if (member == NULL)
		return err_set(err, -ENOMEM, "no memory to unpack it");
	member->package = package;
	describe(member, name);
	if (at < 0) {
		r = err_set(err, -ENOENT, "%s is missing", member->what);
		free(member);
		return r;
	}
	member->file = zip_fopen_index(package->zip, (zip_uint64_t)at, 0);
	if (member->file == NULL) {
		r = fail(zip_get_error(package->zip), member->what, err);
		free(member);
		return r;
	}
	*ret = member;
	return 0;
}

/* All that the limit allows is handed out before it is said to be passed. */
ssize_t member_read(struct member *member, void *bytes, size_t n, struct err *err)
{
	struct package *package = member->package;
	uint64_t most = package->max_unpacked, done = package->n_unpacked;
	uint64_t left = done < most ? most - done : 0;
	zip_int64_t n_read = zip_fread(member->file, bytes, left == 0 ? 1 : left < n ? left : n);

	if (n_read < 0)
		return fail(zip_file_get_error(member->file), member->what, err);
	package->n_unpacked += (uint64_t)n_read;
	if (package->n_unpacked > package->max_unpacked)
		return err_set(err, -EFBIG, "it unpacks to more than the limit of %llu bytes",
		               (unsigned long long)package->max_unpacked);
	return (ssize_t)n_read;
}

void member_close(struct member *member)
{
	if (member == NULL)
		return;
	zip_fclose(member->file);
	free(member);
}

int package_read(struct package *package, const char *name, struct buf *ret, struct err *err)
{
	struct member *member;
	ssize_t n = member_open(package, name, &member, err);

	if (n < 0)
		return (int)n;
	do {
		char *room = buf_reserve(ret, STEP);

		n = room == NULL ? err_set(err, -ENOMEM, "no memory to unpack it")
		                 : member_read(member, room, STEP, err);
		if (n > 0)
			ret->n += (size_t)n;
	} while (n > 0);
	member_close(member);
	if (n == 0 && ret->data != NULL)
		ret->data[ret->n] = '\0';
	return (int)n;
}
