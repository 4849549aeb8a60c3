#include "pipeline/formats/xml.h"

#include <errno.h>
#include <libxml/parser.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define SLOT_BITS 9
#define N_SLOTS (1u << SLOT_BITS) /* of the table of names; at least twice the tags of any dialect */
#define DEEPEST 250 /* libxml2 itself goes no deeper than 256 */
#define N_PARTS 5 /* of an attribute, as libxml2 hands them over: name, prefix, URI, start, end */
/* libxml2 asks for 4000 bytes at a time; inflate is slow at the end of each piece that it fills. */
#define AHEAD ((size_t)1 << 17)

struct slot {
	const xmlChar *name; /* libxml2 keeps each name and URI once, so that the address tells it */
	const struct xml_tag *tag;
	const xmlChar *uri, *other; /* those in which it was found last, and was another's */
};

struct frame { /* an open element */
	const struct xml_tag *tag; /* NULL: unknown */
	bool has_text;
	bool has_choice; /* of alternatives: one has been read */
};

/* Where the bytes come from: a member, or memory. */
struct source {
	struct member *member; /* NULL: there is no more than the bytes at hand */
	const char *bytes; /* n of them */
	size_t n;
};

struct xml {
	char name[PACKAGE_NAME_MAX]; /* of what is read, for messages */
	const struct xml_dialect *dialect;
	void *user;
	struct source source;
	xmlParserCtxt *parser;
	struct slot slots[N_SLOTS];
	const xmlChar *choice, *fallback; /* names, as above */
	struct frame frames[DEEPEST];
	size_t n_frames, max_depth;
	size_t n_skipped; /* elements open from the one on that is passed over */
	const xmlChar **attributes;
	int n_attributes;
	int r; /* the first failure */
	struct err *err;
	char ahead[AHEAD]; /* of the member */
};

static size_t slot_of(const xmlChar *name)
{
	return (size_t)((uint64_t)(uintptr_t)name * UINT64_C(0x9e3779b97f4a7c15) >> (64 - SLOT_BITS));
}

static void stop(struct xml *xml, int r)
{
	xml->r = r;
	xmlStopParser(xml->parser);
}

static void check(struct xml *xml, int r)
{
	if (r < 0 && xml->r == 0)
		stop(xml, r);
}

static int fill_slots(struct xml *xml)
{
	xml->choice = xmlDictLookup(xml->parser->dict, (const xmlChar *)"Choice", -1);
	xml->fallback = xmlDictLookup(xml->parser->dict, (const xmlChar *)"Fallback", -1);
	for (size_t i = 0; i < xml->dialect->n_tags; i++) {
		const struct xml_tag *tag = &xml->dialect->tags[i];
		const xmlChar *name = xmlDictLookup(xml->parser->dict, (const xmlChar *)tag->name, -1);
		size_t at;

		if (name == NULL)
			return -ENOMEM;
		for (at = slot_of(name); xml->slots[at].name != NULL;)
			at = (at + 1) % N_SLOTS;
		xml->slots[at] = (struct slot){ .name = name, .tag = tag };
	}
	return 0;
}

static bool is_space(const char *const *space, const xmlChar *uri)
{
	for (; uri != NULL && *space != NULL; space++)
		if (strcmp(*space, (const char *)uri) == 0)
			return true;
	return false;
}

static const struct xml_tag *find_tag(struct xml *xml, const xmlChar *name, const xmlChar *uri)
{
	for (size_t at = slot_of(name); xml->slots[at].name != NULL; at = (at + 1) % N_SLOTS) {
		struct slot *slot = &xml->slots[at];

		if (slot->name != name || uri == NULL || uri == slot->other)
			continue;
		if (uri != slot->uri && !is_space(slot->tag->space, uri)) {
			slot->other = uri;
			continue;
		}
		slot->uri = uri;
		return slot->tag;
	}
	return NULL;
}

/* Office files may say one thing in several ways, for programs of several ages, each of which takes the first that it
 * understands. Text is understood in all of them. */
static bool is_other_choice(struct xml *xml, const xmlChar *name, const xmlChar *uri)
{
	static const char *const space[] = { "http://schemas.openxmlformats.org/markup-compatibility/2006",
		                             NULL };
	struct frame *frame;

	if ((name != xml->choice && name != xml->fallback) || !is_space(space, uri) || xml->n_frames == 0)
		return false;
	frame = &xml->frames[xml->n_frames - 1];
	if (frame->has_choice)
		return true;
	frame->has_choice = true;
	return false;
}

static void begin_element(struct xml *xml, const struct xml_tag *tag)
{
	bool inherited = xml->n_frames > 0 && xml->frames[xml->n_frames - 1].has_text;
	int r = tag == NULL || tag->start == NULL ? 0 : tag->start(xml, xml->user);

	check(xml, r);
	if (r == XML_SKIP)
		xml->n_skipped = 1;
	else
		xml->frames[xml->n_frames++] =
			(struct frame){ tag, tag == NULL ? inherited : tag->has_text, false };
}

static void on_start(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int n_spaces,
                     const xmlChar **spaces, int n_attributes, int n_defaulted, const xmlChar **attributes)
{
	struct xml *xml = user;

	(void)prefix, (void)n_spaces, (void)spaces, (void)n_defaulted;
	if (xml->r < 0)
		return;
	if (xml->n_frames + xml->n_skipped >= xml->max_depth)
		stop(xml, err_set(xml->err, -EFBIG, "'%s': elements nested more than %zu deep", xml->name,
		                  xml->max_depth));
	else if (xml->n_skipped > 0 || is_other_choice(xml, name, uri))
		xml->n_skipped++;
	else {
		xml->attributes = attributes;
		xml->n_attributes = n_attributes;
		begin_element(xml, find_tag(xml, name, uri));
	}
}

static void on_end(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct xml *xml = user;
	const struct xml_tag *tag;

	(void)name, (void)prefix, (void)uri;
	if (xml->r < 0)
		return;
	if (xml->n_skipped > 0) {
		xml->n_skipped--;
		return;
	}
	tag = xml->frames[--xml->n_frames].tag;
	if (tag != NULL && tag->end != NULL)
		check(xml, tag->end(xml->user));
}

static void on_text(void *user, const xmlChar *text, int n)
{
	struct xml *xml = user;

	if (xml->r == 0 && xml->n_skipped == 0 && xml->n_frames > 0 &&
	    xml->frames[xml->n_frames - 1].has_text)
		check(xml, xml->dialect->text(xml->user, (const char *)text, (size_t)n));
}

/* Nobody who writes documents declares entities; who wants to have a gigabyte of them does. */
static void on_entity(void *user, const xmlChar *name, int type, const xmlChar *public_id,
                      const xmlChar *system_id, xmlChar *content)
{
	struct xml *xml = user;

	(void)name, (void)type, (void)public_id, (void)system_id, (void)content;
	if (xml->r == 0)
		stop(xml, err_set(xml->err, -EBADMSG, "'%s': its XML declares entities", xml->name));
}

/* libxml2 tells here what it would print. A name space that is not declared and the like do no harm. */
static void on_error(void *user, xmlErrorPtr error)
{
	struct xml *xml = user;

	if (xml->r < 0 || error->level != XML_ERR_FATAL)
		return;
	xml->r = error->code == XML_ERR_NO_MEMORY
	                 ? err_set(xml->err, -ENOMEM, "no memory to read its XML")
	                 : err_set(xml->err, -EBADMSG, "'%s': line %d is no correct XML", xml->name,
	                           error->line);
}

static int read_ahead(struct xml *xml)
{
	ssize_t n = member_read(xml->source.member, xml->ahead, sizeof(xml->ahead), xml->err);

	if (n < 0 && xml->r == 0)
		xml->r = (int)n;
	xml->source.bytes = xml->ahead;
	xml->source.n = n < 0 ? 0 : (size_t)n;
	return n < 0 ? (int)n : 0;
}

static int read_source(void *user, char *bytes, int n)
{
	struct xml *xml = user;
	struct source *source = &xml->source;
	int r = source->n == 0 && source->member != NULL ? read_ahead(xml) : 0;
	size_t n_read = source->n < (size_t)n ? source->n : (size_t)n;

	if (r < 0 || n_read == 0)
		return r;
	memcpy(bytes, source->bytes, n_read);
	source->bytes += n_read;
	source->n -= n_read;
	return (int)n_read;
}

static int close_source(void *user)
{
	(void)user;
	return 0;
}

static int parse(struct xml *xml)
{
	xmlSAXHandler handler = { .initialized = XML_SAX2_MAGIC,
		                  .startElementNs = on_start,
		                  .endElementNs = on_end,
		                  .characters = on_text,
		                  .ignorableWhitespace = on_text,
		                  .cdataBlock = on_text,
		                  .entityDecl = on_entity,
		                  .serror = on_error };

	xml->parser =
		xmlCreateIOParserCtxt(&handler, xml, read_source, close_source, xml, XML_CHAR_ENCODING_NONE);
	if (xml->parser == NULL)
		return xml->r < 0 ? xml->r : err_set(xml->err, -ENOMEM, "no memory to read its XML");
	/* Without NOENT an attribute's "&amp;" would be handed over as "&#38;"; there are no other entities to replace. */
	xmlCtxtUseOptions(xml->parser, XML_PARSE_NONET | XML_PARSE_NOENT);
	if (fill_slots(xml) < 0)
		xml->r = err_set(xml->err, -ENOMEM, "no memory to read its XML");
	else
		xmlParseDocument(xml->parser);
	if (xml->r == 0 && !xml->parser->wellFormed)
		xml->r = err_set(xml->err, -EBADMSG, "'%s' is no correct XML", xml->name);
	xmlFreeDoc(xml->parser->myDoc); /* which is only there where entities were declared */
	xmlFreeParserCtxt(xml->parser);
	return xml->r;
}

static int read_xml(const char *name, struct source source, unsigned max_depth,
                    const struct xml_dialect *dialect, void *user, struct err *err)
{
	struct xml *xml = calloc(1, sizeof(*xml));
	int r;

	if (xml == NULL)
		return err_set(err, -ENOMEM, "no memory to read its XML");
	package_show_name(name, xml->name, sizeof(xml->name));
	xml->source = source;
	xml->max_depth = max_depth < DEEPEST ? max_depth : DEEPEST;
	xml->dialect = dialect;
	xml->user = user;
	xml->err = err;
	r = parse(xml);
	free(xml);
	return r;
}

int xml_read_member(struct package *package, const char *name, unsigned max_depth,
                    const struct xml_dialect *dialect, void *user, struct err *err)
{
	struct source source = { 0 };
	int r = member_open(package, name, &source.member, err);

	if (r < 0)
		return r;
	r = read_xml(name, source, max_depth, dialect, user, err);
	member_close(source.member);
	return r;
}

int xml_read_file(const struct format_input *input, const struct xml_dialect *dialect, void *user,
                  struct err *err)
{
	return read_xml("the file", (struct source){ NULL, input->bytes, input->n }, input->max_depth,
	                dialect, user, err);
}

struct xml_value xml_attribute(const struct xml *xml, const char *const *space, const char *name)
{
	for (int i = 0; i < xml->n_attributes; i++) {
		const xmlChar **part = xml->attributes + i * N_PARTS;

		if (strcmp((const char *)part[0], name) == 0 &&
		    (space == NULL ? part[2] == NULL : is_space(space, part[2])))
			return (struct xml_value){ (const char *)part[3], (size_t)(part[4] - part[3]) };
	}
	return (struct xml_value){ NULL, 0 };
}

bool xml_value_is(struct xml_value value, const char *text)
{
	return value.text != NULL && value.n == strlen(text) && memcmp(value.text, text, value.n) == 0;
}

unsigned xml_value_number(struct xml_value value, unsigned max, unsigned otherwise)
{
	unsigned long number = 0;

	if (value.n == 0)
		return otherwise;
	for (size_t i = 0; i < value.n; i++) {
		if (value.text[i] < '0' || value.text[i] > '9')
			return otherwise;
		number = number * 10 + (unsigned long)(value.text[i] - '0');
		if (number > max)
			return max;
	}
	return (unsigned)number;
}

bool xml_value_bool(struct xml_value value, bool otherwise)
{
	if (value.text == NULL)
		return otherwise;
	return xml_value_is(value, "1") || xml_value_is(value, "true") || xml_value_is(value, "on");
}
