/* E-mail: one message (.eml) or many (mbox).
 *
 * The reader is our own. GMime, the one kept library with a C API, stands on GLib, which ends the process where memory is
 * short, and is linked with GPGME: more than a megabyte of code within the walls, for what is here line by line a search for
 * boundaries and two encodings. */
#ifndef SKIMD_PIPELINE_FORMATS_MAIL_H
#define SKIMD_PIPELINE_FORMATS_MAIL_H

#include "pipeline/formats/format.h"

/* A message is a heading, the subject, with its sender, receivers and date as paragraphs, and its text: the plain one where
 * there is a choice, else HTML's. Attachments are named and not read. Each message of an mbox is a section. */
extern const struct format FORMAT_MAIL;
extern const struct format FORMAT_MBOX;

#endif
