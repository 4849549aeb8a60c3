#include "daemon/protocol.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"

#define MAX_DEPTH 4 /* a request is flat */
#define MAX_ID_BYTES 64
#define MAX_ERRNO 134 /* one above EHWPOISON, Linux's last */

/* Before the parser, which recurses. Brackets in strings are none. */
static bool is_deep(const char *line, size_t n)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < n; i++) {
		char c = line[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '[' || c == '{'))
			depth++;
		else if (!in_string && (c == ']' || c == '}') && depth > 0)
			depth--;
		if (depth > MAX_DEPTH)
			return true;
	}
	return false;
}

static int check_id(const json_t *id, struct err *err)
{
	if (id == NULL || json_is_null(id) || json_is_integer(id) ||
	    (json_is_string(id) && json_string_length(id) <= MAX_ID_BYTES))
		return 0;
	return err_set(err, -EINVAL, "key 'id': must be a string of at most %d bytes, or an integer",
	               MAX_ID_BYTES);
}

static int check_head(const json_t *request, struct err *err)
{
	const json_t *version = json_object_get(request, "skimd");

	if (!json_is_object(request))
		return err_set(err, -EINVAL, "a request is an object");
	if (!json_is_integer(version))
		return err_set(err, -EINVAL, "key 'skimd': must be the version of the protocol, %d",
		               PROTOCOL_VERSION);
	if (json_integer_value(version) != PROTOCOL_VERSION)
		return err_set(err, -EPROTO, "version %lld of the protocol is not spoken here, but %d",
		               (long long)json_integer_value(version), PROTOCOL_VERSION);
	if (!json_is_string(json_object_get(request, "command")))
		return err_set(err, -EINVAL, "key 'command': must be a string");
	return check_id(json_object_get(request, "id"), err);
}

int protocol_parse(const char *line, size_t n, json_t **ret, struct err *err)
{
	json_t *request;
	int r;

	if (is_deep(line, n))
		return err_set(err, -EBADMSG, "request: nested too deep");
	if ((r = json_parse("request", line, n, &request, err)) < 0)
		return r;
	if ((r = check_head(request, err)) < 0)
		json_decref(request);
	else
		*ret = request;
	return r;
}

static bool is_head(const char *key)
{
	return strcmp(key, "skimd") == 0 || strcmp(key, "id") == 0 || strcmp(key, "command") == 0;
}

static const char *name_of(json_type type)
{
	return type == JSON_STRING ? "a string" : type == JSON_INTEGER ? "an integer" : "true or false";
}

static bool has_type(const json_t *value, json_type type)
{
	return type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type;
}

static int check_key(const char *name, const json_t *value, const struct protocol_key *keys, struct err *err)
{
	while (keys->name != NULL && strcmp(keys->name, name) != 0)
		keys++;
	if (keys->name == NULL)
		return err_set(err, -EINVAL, "key '%.64s': unknown", name);
	if (!has_type(value, keys->type))
		return err_set(err, -EINVAL, "key '%s': must be %s", name, name_of(keys->type));
	return 0;
}

int protocol_check(const json_t *request, const struct protocol_key *keys, struct err *err)
{
	const char *name;
	json_t *value;
	int r;

	json_object_foreach((json_t *)(uintptr_t)request, name, value)
	{
		if (!is_head(name) && (r = check_key(name, value, keys, err)) < 0)
			return r;
	}
	for (; keys->name != NULL; keys++) {
		if (keys->required && json_object_get(request, keys->name) == NULL)
			return err_set(err, -EINVAL, "key '%s': missing", keys->name);
	}
	return 0;
}

int protocol_reply(json_t *id, bool ok, json_t *fields, struct buf *ret)
{
	json_t *reply = json_pack("{s:O?, s:b}", "id", id, "ok", (int)ok);

	if (reply != NULL && (fields == NULL || json_object_update(reply, fields) < 0)) {
		json_decref(reply);
		reply = NULL;
	}
	json_decref(fields);
	return json_put(reply, JSON_COMPACT | JSON_REAL_PRECISION(6), ret);
}

json_t *protocol_error(int r, const struct err *err)
{
	const char *code = strerrorname_np(-r);

	return json_pack("{s:o, s:s}", "error",
	                 json_of_bytes(err->text[0] == '\0' ? strerror(-r) : err->text), "code",
	                 code == NULL ? "EIO" : code);
}

static int errno_of(const char *code)
{
	for (int i = 1; code != NULL && i < MAX_ERRNO; i++) {
		const char *name = strerrorname_np(i);

		if (name != NULL && strcmp(name, code) == 0)
			return -i;
	}
	return -EIO;
}

int protocol_result(const json_t *reply, struct err *err)
{
	const json_t *ok = json_object_get(reply, "ok");
	const char *words = json_string_value(json_object_get(reply, "error"));

	if (!json_is_boolean(ok) || (json_is_false(ok) && words == NULL))
		return err_set(err, -EBADMSG, "what listens on the control socket is no skimd");
	if (json_is_true(ok))
		return 0;
	return err_set(err, errno_of(json_string_value(json_object_get(reply, "code"))), "%s", words);
}
