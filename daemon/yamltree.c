#include "daemon/yamltree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/file.h"

#define MAX_FILE_BYTES ((size_t)1 << 20)
#define MAX_DEPTH 8
#define MAX_NODES 10000

struct reader {
	const char *path;
	yaml_parser_t parser;
	size_t n_nodes;
	struct err *err;
};

void node_free(struct node *node)
{
	if (node == NULL)
		return;
	for (size_t i = 0; i < node->n_children; i++)
		node_free(node->children[i]);
	free(node->children);
	free(node->key);
	free(node->text);
	free(node);
}

const struct node *node_get(const struct node *mapping, const char *key)
{
	for (size_t i = 0; i < mapping->n_children; i++) {
		if (mapping->children[i]->key != NULL && strcmp(mapping->children[i]->key, key) == 0)
			return mapping->children[i];
	}
	return NULL;
}

static void print_key(const struct node *node, struct buf *buf)
{
	if (node->parent == NULL)
		return;
	print_key(node->parent, buf);
	if (node->key == NULL)
		buf_printf(buf, "[%zu]", node->index);
	else
		buf_printf(buf, "%s%s", buf->n > 0 ? "." : "", node->key);
}

int node_error(const char *path, const struct node *node, struct err *err, int code, const char *format, ...)
{
	struct buf key = { 0 };
	char words[sizeof(err->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	print_key(node, &key);
	if (key.n > 0)
		err_set(err, code, "%s:%zu: key '%s': %s", path, node->line, key.data, words);
	else
		err_set(err, code, "%s:%zu: %s", path, node->line, words);
	buf_done(&key);
	return code;
}

static size_t line_of_offset(const unsigned char *bytes, size_t n, size_t offset)
{
	size_t line = 1;

	for (size_t i = 0; i < n && i < offset; i++)
		line += bytes[i] == '\n';
	return line;
}

static int syntax_error(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	size_t line = parser->problem_mark.line + 1;

	if (parser->error == YAML_MEMORY_ERROR)
		return err_set(reader->err, -ENOMEM, "%s: no memory to read it", reader->path);
	if (parser->error == YAML_READER_ERROR) /* bytes that are no text: only the offset is known */
		line = line_of_offset(parser->input.string.start,
		                      (size_t)(parser->input.string.end - parser->input.string.start),
		                      parser->problem_offset);
	return err_set(reader->err, -EBADMSG, "%s:%zu: not valid YAML: %s", reader->path, line,
	               parser->problem != NULL ? parser->problem : "cannot be read");
}

static int refuse(struct reader *reader, const yaml_event_t *event, const char *words)
{
	return err_set(reader->err, -EBADMSG, "%s:%zu: %s", reader->path, event->start_mark.line + 1, words);
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
	return yaml_parser_parse(&reader->parser, event) ? 0 : syntax_error(reader);
}

static int refuse_extras(struct reader *reader, const yaml_event_t *event, const yaml_char_t *anchor,
                         const yaml_char_t *tag)
{
	if (anchor != NULL)
		return refuse(reader, event, "anchors (&name) are not allowed");
	if (tag != NULL)
		return refuse(reader, event, "tags (!name) are not allowed");
	return 0;
}

static int check_event(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return refuse(reader, event, "aliases (*name) are not allowed");
	case YAML_SCALAR_EVENT:
		if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL)
			return refuse(reader, event, "a NUL character is not allowed");
		return refuse_extras(reader, event, event->data.scalar.anchor, event->data.scalar.tag);
	case YAML_SEQUENCE_START_EVENT:
		return refuse_extras(reader, event, event->data.sequence_start.anchor,
		                     event->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return refuse_extras(reader, event, event->data.mapping_start.anchor,
		                     event->data.mapping_start.tag);
	default:
		return 0;
	}
}

static enum node_kind kind_of(const yaml_event_t *event)
{
	return event->type == YAML_SCALAR_EVENT           ? NODE_SCALAR
	       : event->type == YAML_SEQUENCE_START_EVENT ? NODE_LIST
	                                                  : NODE_MAPPING;
}

/* A node without its children, appended to parent (NULL for the root, which is the caller's). key is taken over
 * in any case. */
static struct node *node_new(const yaml_event_t *event, struct node *parent, char *key)
{
	struct node *node = calloc(1, sizeof(*node));

	if (node == NULL) {
		free(key);
		return NULL;
	}
	*node = (struct node){
		.kind = kind_of(event), .line = event->start_mark.line + 1, .parent = parent, .key = key
	};
	if (node->kind == NODE_SCALAR) {
		node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		node->text = strdup((const char *)event->data.scalar.value);
	}
	if ((node->kind == NODE_SCALAR && node->text == NULL) ||
	    (parent != NULL && array_grow(&parent->children, sizeof(struct node *), parent->n_children,
	                                  &parent->cap_children) < 0)) {
		node_free(node);
		return NULL;
	}
	if (parent != NULL) {
		node->index = parent->n_children;
		parent->children[parent->n_children++] = node;
	}
	return node;
}

static int read_children(struct reader *reader, struct node *node, unsigned depth);

/* The node that starts with event. */
static int read_node(struct reader *reader, const yaml_event_t *event, struct node *parent, char *key,
                     unsigned depth, struct node **ret)
{
	struct node *node;
	int r = check_event(reader, event);

	if (r == 0 && ++reader->n_nodes > MAX_NODES)
		r = refuse(reader, event, "too many values in one file");
	if (r == 0 && depth > MAX_DEPTH)
		r = refuse(reader, event, "nested too deeply");
	if (r < 0) {
		free(key);
		return r;
	}
	node = node_new(event, parent, key);
	if (node == NULL)
		return err_set(reader->err, -ENOMEM, "%s: no memory to read it", reader->path);
	if (ret != NULL)
		*ret = node;
	return node->kind == NODE_SCALAR ? 0 : read_children(reader, node, depth + 1);
}

/* *ret_key is the caller's. */
static int take_key(struct reader *reader, const struct node *mapping, const yaml_event_t *event,
                    char **ret_key)
{
	const struct node *earlier;
	const char *text = (const char *)event->data.scalar.value;
	int r = check_event(reader, event);

	if (r < 0)
		return r;
	if (event->type != YAML_SCALAR_EVENT)
		return refuse(reader, event, "a key must be a word");
	earlier = node_get(mapping, text);
	if (earlier != NULL) {
		struct node again = { .line = event->start_mark.line + 1,
			              .parent = mapping,
			              .key = earlier->key };

		return node_error(reader->path, &again, reader->err, -EBADMSG,
		                  "stands here a second time, first in line %zu", earlier->line);
	}
	*ret_key = strdup(text);
	return *ret_key != NULL ? 0 : err_set(reader->err, -ENOMEM, "%s: no memory to read it", reader->path);
}

static bool is_end(const yaml_event_t *event)
{
	return event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT;
}

/* One element of a list, or one key and its value; *ret_more is false at the end. */
static int read_child(struct reader *reader, struct node *node, unsigned depth, bool *ret_more)
{
	yaml_event_t event;
	char *key = NULL;
	int r = next_event(reader, &event);

	if (r < 0)
		return r;
	*ret_more = !is_end(&event);
	if (*ret_more && node->kind == NODE_MAPPING) {
		r = take_key(reader, node, &event, &key);
		yaml_event_delete(&event);
		if (r < 0)
			return r;
		if ((r = next_event(reader, &event)) < 0) {
			free(key);
			return r;
		}
	}
	if (*ret_more)
		r = read_node(reader, &event, node, key, depth, NULL);
	yaml_event_delete(&event);
	return r;
}

static int read_children(struct reader *reader, struct node *node, unsigned depth)
{
	bool more = true;
	int r = 0;

	while (more && r == 0)
		r = read_child(reader, node, depth, &more);
	return r;
}

/* The whole stream: its start and end and the documents' are events without content. */
static int read_stream(struct reader *reader, struct node **ret)
{
	yaml_event_type_t type;
	bool content;
	int r;

	do {
		yaml_event_t event;

		if ((r = next_event(reader, &event)) < 0)
			return r;
		type = event.type;
		content = type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT ||
		          type == YAML_MAPPING_START_EVENT || type == YAML_ALIAS_EVENT;
		if (type == YAML_DOCUMENT_START_EVENT && *ret != NULL)
			r = refuse(reader, &event, "only one document is allowed in a file");
		else if (content)
			r = read_node(reader, &event, NULL, NULL, 1, ret);
		yaml_event_delete(&event);
	} while (r == 0 && type != YAML_STREAM_END_EVENT);
	return r;
}

int yamltree_read(const char *path, struct node **ret, struct err *err)
{
	struct reader reader = { .path = path, .err = err };
	struct buf bytes = { 0 };
	struct node *root = NULL;
	int r = file_read(path, MAX_FILE_BYTES, &bytes, err);

	if (r < 0)
		goto out;
	if (!yaml_parser_initialize(&reader.parser)) {
		r = err_set(err, -ENOMEM, "%s: no memory to read it", path);
		goto out;
	}
	yaml_parser_set_input_string(&reader.parser,
	                             (const unsigned char *)(bytes.data != NULL ? bytes.data : ""), bytes.n);
	r = read_stream(&reader, &root);
	yaml_parser_delete(&reader.parser);
	if (r == 0) {
		*ret = root;
		root = NULL;
	}
out:
	node_free(root);
	buf_done(&bytes);
	return r;
}
