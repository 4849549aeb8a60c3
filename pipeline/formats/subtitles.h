/* Subtitles: SubRip (.srt) and WebVTT (.vtt). */
#ifndef SKIMD_PIPELINE_FORMATS_SUBTITLES_H
#define SKIMD_PIPELINE_FORMATS_SUBTITLES_H

#include "pipeline/formats/format.h"

/* What is said, without times and mark-up: cues are joined to sentences, and sentences to paragraphs, which end where nobody
 * speaks for a while. A paragraph's section is the time at which it begins, "00:12:34", so that a quotation can be found in
 * the recording. */
extern const struct format FORMAT_SUBRIP;
extern const struct format FORMAT_WEBVTT;

#endif
