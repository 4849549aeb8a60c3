#include "base/json.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

int json_parse(const char *path, const char *bytes, size_t n, json_t **ret, struct err *err)
{
	json_error_t why;
	json_t *json = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &why);

	if (json == NULL)
		return err_set(err, -EBADMSG, "%s:%d:%d: not valid JSON: %s", path, why.line, why.column,
		               why.text);
	*ret = json;
	return 0;
}

int json_read_file(const char *path, size_t max_bytes, json_t **ret, struct err *err)
{
	struct buf bytes = { 0 };
	int r = file_read(path, max_bytes, &bytes, err);

	if (r == 0)
		r = json_parse(path, bytes.data == NULL ? "" : bytes.data, bytes.n, ret, err);
	buf_done(&bytes);
	return r;
}

json_t *json_of_bytes(const char *bytes)
{
	json_t *ret = json_string(bytes);
	struct buf text = { 0 };

	if (ret != NULL)
		return ret;
	for (size_t left = strlen(bytes), n; left > 0; left -= n, bytes += n) {
		uint32_t character;

		n = text_decode_utf8((const unsigned char *)bytes, left, &character);
		buf_append(&text, n > 0 ? bytes : "\xef\xbf\xbd", n > 0 ? n : 3);
		n = n > 0 ? n : 1;
	}
	ret = buf_status(&text) < 0 ? NULL : json_string(text.data);
	buf_done(&text);
	return ret;
}

json_t *json_or_null(const char *bytes)
{
	return bytes == NULL ? json_null() : json_of_bytes(bytes);
}

void json_append(json_t **list, json_t *item)
{
	if (json_array_append_new(*list, item) == 0)
		return;
	json_decref(*list);
	*list = NULL;
}

void json_set(json_t **object, const char *key, json_t *value)
{
	if (json_object_set_new(*object, key, value) == 0)
		return;
	json_decref(*object);
	*object = NULL;
}

/* json_dumps() has a buffer of its own, whose failures it does not all see. */
static int put_bytes(const char *bytes, size_t n, void *ret)
{
	buf_append(ret, bytes, n);
	return 0;
}

int json_put(json_t *object, size_t flags, struct buf *ret)
{
	struct buf text = { 0 };
	int r = json_dump_callback(object, put_bytes, &text, flags);

	json_decref(object);
	buf_puts(&text, "\n");
	r = r < 0 ? -ENOMEM : buf_status(&text);
	if (r == 0)
		buf_append(ret, text.data, text.n);
	buf_done(&text);
	return r < 0 ? r : buf_status(ret);
}
