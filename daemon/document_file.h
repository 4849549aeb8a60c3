/* A file as stat(2) sees it, for the store. */
#ifndef SKIMD_DAEMON_DOCUMENT_FILE_H
#define SKIMD_DAEMON_DOCUMENT_FILE_H

#include <sys/stat.h>

#include "store/docstore.h"

/* path, folder (the watched one; NULL: none) and output (NULL: none are written) are borrowed. */
struct document_file document_file_of(const char *path, const char *folder, const char *output,
                                      const struct stat *st);

#endif
