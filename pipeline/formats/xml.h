/* XML of documents in one pass, by libxml2, with a table of the elements that a format knows. Nothing is loaded, no entity
 * is expanded but the five that XML has by itself, no tree is built, and elements lie only so deep within each other. */
#ifndef SKIMD_PIPELINE_FORMATS_XML_H
#define SKIMD_PIPELINE_FORMATS_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "pipeline/formats/format.h"
#include "pipeline/formats/package.h"

#define XML_SKIP 1

struct xml;

struct xml_value { /* borrowed until the handler returns; without a NUL */
	const char *text; /* NULL: there is no such attribute */
	size_t n;
};

struct xml_tag {
	const char *const
		*space; /* the URIs of its name space, up to NULL: editions of a standard differ in them */
	const char *name;
	bool has_text; /* its text goes to the dialect's text(), and that of unknown elements in it */
	/* NULL, or what is done at its start; 0, XML_SKIP to pass over all that is in it (and its end), or a negative errno,
	 * which ends the reading. A handler that fails need not find words. */
	int (*start)(struct xml *xml, void *user);
	int (*end)(void *user); /* NULL, or what is done at its end; 0 or a negative errno */
};

struct xml_dialect {
	const struct xml_tag *tags;
	size_t n_tags;
	int (*text)(void *user, const char *text, size_t n);
};

/* Read a member of a package, or a whole file. -EBADMSG: not XML, or it declares entities; -EFBIG: too deep; what
 * member_read() or a handler returned; -ENOMEM. */
int xml_read_member(struct package *package, const char *name, unsigned max_depth,
                    const struct xml_dialect *dialect, void *user, struct err *err);
int xml_read_file(const struct format_input *input, const struct xml_dialect *dialect, void *user,
                  struct err *err);

/* An attribute of the element that has just begun; space as above, NULL: none. */
struct xml_value xml_attribute(const struct xml *xml, const char *const *space, const char *name);
bool xml_value_is(struct xml_value value, const char *text);
/* A whole number from 0 up to max, or otherwise. */
unsigned xml_value_number(struct xml_value value, unsigned max, unsigned otherwise);
/* "1", "true" or "on" as XML's schemas have it; an attribute that is not there is otherwise. */
bool xml_value_bool(struct xml_value value, bool otherwise);

#endif
