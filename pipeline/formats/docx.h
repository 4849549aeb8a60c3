/* Word documents (Office Open XML), also of the standard's strict edition, and templates. Left out: what is tracked as
 * deleted, comments, the codes of fields, hidden runs. Word's page breaks are no places: they are those of the machine that
 * saved it last, and not all are written down. */
#ifndef SKIMD_PIPELINE_FORMATS_DOCX_H
#define SKIMD_PIPELINE_FORMATS_DOCX_H

#include "pipeline/formats/format.h"

extern const struct format FORMAT_DOCX;

#endif
