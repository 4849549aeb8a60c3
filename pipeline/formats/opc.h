/* What Word, Excel and PowerPoint files have in common (Open Packaging Conventions): a list of content types, and relations
 * from one part of the package to others. */
#ifndef SKIMD_PIPELINE_FORMATS_OPC_H
#define SKIMD_PIPELINE_FORMATS_OPC_H

#include "pipeline/formats/idmap.h"
#include "pipeline/formats/package.h"

struct opc_relation {
	char *id, *type, *target; /* target: the name of a member; type: the URI's last part, "slide" */
};

struct opc_relations { /* all zero: none */
	struct opc_relation *relations;
	size_t n, cap;
	struct idmap by_id;
};

/* The URIs of "r:id" and its like. */
extern const char *const OPC_RELATIONS_SPACE[];

/* Whether a part of the package has a content type with one of these words in it; NULL ends them. */
bool opc_has_content(const struct format_input *input, const char *const *words);

/* The relations of a part; "" is the package itself. A part without any has none. 0, -EBADMSG, -EFBIG, -ENOMEM. */
int opc_relations_read(struct package *package, const char *part, unsigned max_depth,
                       struct opc_relations *ret, struct err *err);
void opc_relations_done(struct opc_relations *relations);

/* The target of the relation with this id, or of the first with this type; NULL: there is none. */
const char *opc_target(struct opc_relations *relations, const char *id, size_t n_id);
const char *opc_target_of_type(const struct opc_relations *relations, const char *type);

/* The package's main part, the caller's for free(). -EBADMSG: it names none. */
int opc_main_part(struct package *package, unsigned max_depth, char **ret, struct err *err);

#endif
