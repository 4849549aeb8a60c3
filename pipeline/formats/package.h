/* The members of a zip file in memory, by name, as the formats that are packages see them. A name is only a name here, and
 * never a file's. What the file says of sizes is not believed: what comes out is counted, over all members together. */
#ifndef SKIMD_PIPELINE_FORMATS_PACKAGE_H
#define SKIMD_PIPELINE_FORMATS_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "pipeline/formats/format.h"

/* Beyond the free bytes, all that is unpacked may have this many times the file's size. */
#define PACKAGE_MAX_RATIO 100
#define PACKAGE_FREE_BYTES ((uint64_t)16 << 20)

struct package;
struct member; /* one member while it is unpacked */

/* The bytes start as a zip file does. */
bool package_is(const struct format_input *input);

/* Read the directory. The input has to stay; *ret is the caller's, for package_close(). -EBADMSG: damaged, or cut short;
 * -EFBIG: more than max_members; -ENOMEM. */
int package_open(const struct format_input *input, struct package **ret, struct err *err);
void package_close(struct package *package); /* NULL is allowed; after its members */

/* Of several members with one name the first counts. */
bool package_has(const struct package *package, const char *name);

/* The name of the member that a part refers to, as in "../a%20b.xhtml#part"; "/" begins at the package's root. The caller's,
 * for free(); NULL: no memory. */
char *package_resolve(const char *part, const char *reference, size_t n_reference);

/* A name as it may stand in a message: any bytes may be one. It is cut where it does not fit. */
#define PACKAGE_NAME_MAX 128
void package_show_name(const char *name, char *ret, size_t n_ret);

/* Append a whole member. -ENOENT: there is none of this name; -EACCES: encrypted; -ENOTSUP: packed in a way that is not
 * known; -EBADMSG: damaged; -EFBIG: the package unpacks to more than its limit; -ENOMEM. */
int package_read(struct package *package, const char *name, struct buf *ret, struct err *err);

/* The same in pieces. member_read() returns how many bytes it has read, 0 at the end. */
int member_open(struct package *package, const char *name, struct member **ret, struct err *err);
ssize_t member_read(struct member *member, void *bytes, size_t n, struct err *err);
void member_close(struct member *member);

#endif
