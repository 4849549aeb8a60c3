#include "pipeline/formats/odf_package.h"

#include <errno.h>
#include <string.h>

#define URI(name) "urn:oasis:names:tc:opendocument:xmlns:" name ":1.0"
#define N_LOOK 4096 /* bytes of a flat file in which its type stands */

const char *const ODF_OFFICE[] = { URI("office"), NULL };
const char *const ODF_TEXT[] = { URI("text"), NULL };
const char *const ODF_TABLE[] = { URI("table"), NULL };
const char *const ODF_STYLE[] = { URI("style"), NULL };
const char *const ODF_DRAW[] = { URI("drawing"), NULL };
const char *const ODF_SVG[] = { URI("svg-compatible"), NULL };
const char *const ODF_PRESENTATION[] = { URI("presentation"), NULL };

static const char TYPE[] = "application/vnd.oasis.opendocument.";

static bool is_kind(const char *type, size_t n, const char *kind)
{
	size_t n_type = strlen(TYPE), n_kind = strlen(kind);

	return n >= n_type + n_kind && memcmp(type, TYPE, n_type) == 0 &&
	       memcmp(type + n_type, kind, n_kind) == 0;
}

static bool is_packed(const struct format_input *input, const char *kind)
{
	struct package *package;
	struct buf type = { 0 };
	bool is;

	if (!package_is(input) || package_open(input, &package, NULL) < 0)
		return false;
	is = package_read(package, "mimetype", &type, NULL) == 0 && is_kind(type.data, type.n, kind);
	buf_done(&type);
	package_close(package);
	return is;
}

/* <office:document ... office:mimetype="..."> */
static bool is_flat(const struct format_input *input, const char *kind)
{
	size_t n = input->n < N_LOOK ? input->n : N_LOOK;
	const char *start = memmem(input->bytes, n, "<office:document", 16), *type;

	if (start == NULL)
		return false;
	type = memmem(start, n - (size_t)(start - input->bytes), TYPE, strlen(TYPE));
	return type != NULL && is_kind(type, n - (size_t)(type - input->bytes), kind);
}

bool odf_is(const struct format_input *input, const char *kind)
{
	return package_is(input) ? is_packed(input, kind) : is_flat(input, kind);
}

/* By members, or as a whole within another package, as LibreOffice does since 24.2. */
static bool is_encrypted(struct package *package)
{
	struct buf manifest = { 0 };
	bool is = package_has(package, "encrypted-package");

	if (!is && package_read(package, "META-INF/manifest.xml", &manifest, NULL) == 0 && manifest.n > 0)
		is = memmem(manifest.data, manifest.n, "encryption-data", 15) != NULL;
	buf_done(&manifest);
	return is;
}

int odf_read_content(const struct format_input *input, const struct xml_dialect *dialect, void *user,
                     struct package **ret_package, struct err *err)
{
	int r;

	*ret_package = NULL;
	if (!package_is(input))
		return xml_read_file(input, dialect, user, err);
	if ((r = package_open(input, ret_package, err)) < 0)
		return r;
	if (is_encrypted(*ret_package))
		return err_set(err, -EACCES, "it is encrypted: save it without a password");
	return xml_read_member(*ret_package, "content.xml", input->max_depth, dialect, user, err);
}
