/* What is said on the control socket, skimd-control(7): one JSON object a line, each way. Knows no sockets, and takes
 * nothing that it reads for what it should be. */
#ifndef SKIMD_DAEMON_PROTOCOL_H
#define SKIMD_DAEMON_PROTOCOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define PROTOCOL_VERSION 1
#define PROTOCOL_MAX_LINE ((size_t)64 << 10) /* of a request, without its newline */

/* A key of a request besides "skimd", "id" and "command". A list of them ends with a NULL name. */
struct protocol_key {
	const char *name;
	json_type type; /* JSON_STRING, JSON_INTEGER, or JSON_TRUE for either truth value */
	bool required;
};

/* Parse the n bytes of a line. *ret is the caller's, for json_decref(): an object with the right version, a command that
 * is a string, and an id, if any, that is a string of at most 64 bytes or an integer. -EBADMSG: not JSON, or nested
 * deeper than any request is; -EPROTO: another version; -EINVAL. */
int protocol_parse(const char *line, size_t n, json_t **ret, struct err *err);

/* Whether a request's other keys are those of its command, and of their types. -EINVAL, naming the key. */
int protocol_check(const json_t *request, const struct protocol_key *keys, struct err *err);

/* Append a line: the id (NULL: null), "ok", and the fields, which are taken over. -ENOMEM, also where fields is NULL. */
int protocol_reply(json_t *id, bool ok, json_t *fields, struct buf *ret);

/* The fields of a reply that is not "ok": "error" and "code", the name of the errno. */
json_t *protocol_error(int r, const struct err *err);

/* The other way round, of a reply: 0 if it is "ok", else a negative errno and the words. -EBADMSG: neither. */
int protocol_result(const json_t *reply, struct err *err);

#endif
