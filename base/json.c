#include "base/json.h"

#include <errno.h>

#include "base/file.h"

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
