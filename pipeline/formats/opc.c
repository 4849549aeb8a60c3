#include "pipeline/formats/opc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "pipeline/formats/xml.h"

static const char *const RELATIONS[] = { "http://schemas.openxmlformats.org/package/2006/relationships",
	                                 "http://purl.oclc.org/ooxml/package/relationships", NULL };
const char *const OPC_RELATIONS_SPACE[] = {
	"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
	"http://purl.oclc.org/ooxml/officeDocument/relationships", NULL
};

bool opc_has_content(const struct format_input *input, const char *const *words)
{
	struct package *package;
	struct buf types = { 0 };
	bool found = false;

	if (!package_is(input) || package_open(input, &package, NULL) < 0)
		return false;
	if (package_read(package, "[Content_Types].xml", &types, NULL) == 0 && types.n > 0)
		for (; !found && *words != NULL; words++)
			found = memmem(types.data, types.n, *words, strlen(*words)) != NULL;
	buf_done(&types);
	package_close(package);
	return found;
}

struct reading {
	const char *part;
	struct opc_relations *relations;
};

static void relation_done(struct opc_relation *relation)
{
	free(relation->id);
	free(relation->type);
	free(relation->target);
}

/* The last part of a type's URI: the rest differs between the editions of the standard. */
static char *short_type(struct xml_value type)
{
	size_t from = type.n;

	while (from > 0 && type.text[from - 1] != '/')
		from--;
	return strndup(type.n > 0 ? type.text + from : "", type.n - from);
}

static int add_relation(struct xml *xml, void *user)
{
	const struct reading *reading = user;
	struct opc_relations *relations = reading->relations;
	struct xml_value id = xml_attribute(xml, NULL, "Id");
	struct xml_value target = xml_attribute(xml, NULL, "Target");
	struct opc_relation relation = { 0 };

	if (id.text == NULL || xml_value_is(xml_attribute(xml, NULL, "TargetMode"), "External"))
		return 0;
	relation.id = strndup(id.text, id.n);
	relation.type = short_type(xml_attribute(xml, NULL, "Type"));
	relation.target = package_resolve(reading->part, target.text, target.n);
	if (relation.id == NULL || relation.type == NULL || relation.target == NULL ||
	    array_grow(&relations->relations, sizeof(relation), relations->n, &relations->cap) < 0 ||
	    idmap_add(&relations->by_id, id.text, id.n, relation.target, strlen(relation.target)) < 0) {
		relation_done(&relation);
		return -ENOMEM;
	}
	relations->relations[relations->n++] = relation;
	return 0;
}

static const struct xml_tag TAGS[] = { { RELATIONS, "Relationship", false, add_relation, NULL } };
static const struct xml_dialect DIALECT = { TAGS, 1, NULL };

/* The member that holds a part's relations: "word/_rels/document.xml.rels". */
static char *relations_name(const char *part)
{
	const char *slash = strrchr(part, '/'), *name = slash == NULL ? part : slash + 1;
	char *ret;

	return asprintf(&ret, "%.*s_rels/%s.rels", (int)(name - part), part, name) < 0 ? NULL : ret;
}

int opc_relations_read(struct package *package, const char *part, unsigned max_depth,
                       struct opc_relations *ret, struct err *err)
{
	struct reading reading = { part, ret };
	char *name = relations_name(part);
	int r = 0;

	if (name == NULL)
		return err_set(err, -ENOMEM, "no memory to read it");
	if (package_has(package, name))
		r = xml_read_member(package, name, max_depth, &DIALECT, &reading, err);
	free(name);
	return r;
}

void opc_relations_done(struct opc_relations *relations)
{
	for (size_t i = 0; i < relations->n; i++)
		relation_done(&relations->relations[i]);
	free(relations->relations);
	idmap_done(&relations->by_id);
	*relations = (struct opc_relations){ 0 };
}

const char *opc_target(struct opc_relations *relations, const char *id, size_t n_id)
{
	return idmap_find(&relations->by_id, id, n_id);
}

const char *opc_target_of_type(const struct opc_relations *relations, const char *type)
{
	for (size_t i = 0; i < relations->n; i++)
		if (strcmp(relations->relations[i].type, type) == 0)
			return relations->relations[i].target;
	return NULL;
}

int opc_main_part(struct package *package, unsigned max_depth, char **ret, struct err *err)
{
	struct opc_relations relations = { 0 };
	const char *target;
	int r = opc_relations_read(package, "", max_depth, &relations, err);

	if (r == 0) {
		target = opc_target_of_type(&relations, "officeDocument");
		*ret = target == NULL ? NULL : strdup(target);
		if (target == NULL)
			r = err_set(err, -EBADMSG, "it does not say which of its parts is the document");
		else if (*ret == NULL)
			r = err_set(err, -ENOMEM, "no memory to read it");
	}
	opc_relations_done(&relations);
	return r;
}
