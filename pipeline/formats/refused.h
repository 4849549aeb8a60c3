/* Containers that are known for what they are and not read: what their owner can do about it goes with the error. */
#ifndef SKIMD_PIPELINE_FORMATS_REFUSED_H
#define SKIMD_PIPELINE_FORMATS_REFUSED_H

#include "pipeline/formats/format.h"

/* Office files of before 2007, and encrypted ones of today, which are packed like those. */
extern const struct format FORMAT_OLD_OFFICE;
/* Any other zip file; has to stand behind all formats that are one. */
extern const struct format FORMAT_ZIP;

#endif
