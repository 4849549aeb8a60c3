/* What all OpenDocument files have in common: a media type at their very start, and name spaces. */
#ifndef SKIMD_PIPELINE_FORMATS_ODF_PACKAGE_H
#define SKIMD_PIPELINE_FORMATS_ODF_PACKAGE_H

#include <stdbool.h>

#include "pipeline/formats/package.h"
#include "pipeline/formats/xml.h"

extern const char *const ODF_OFFICE[],
	*const ODF_TEXT[], *const ODF_TABLE[], *const ODF_STYLE[], *const ODF_DRAW[],
									   *const ODF_PRESENTATION[],
										   *const ODF_SVG[];

/* Whether it is an OpenDocument file of a type that begins with kind ("text"), and is no other one that does ("text-master"
 * is also a text); packed or flat. */
bool odf_is(const struct format_input *input, const char *kind);

/* Read content.xml, or the flat file. *ret_package is NULL for a flat one, else the caller's, for package_close(), whatever
 * is returned. -EACCES: encrypted; else as xml_read_member(). */
int odf_read_content(const struct format_input *input, const struct xml_dialect *dialect, void *user,
                     struct package **ret_package, struct err *err);

#endif
