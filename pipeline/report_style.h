/* The report's style sheet: for wide and narrow screens, light and dark, and paper. */
#ifndef SKIMD_PIPELINE_REPORT_STYLE_H
#define SKIMD_PIPELINE_REPORT_STYLE_H

#define REPORT_LEVELS 8 /* of shade: 0 is what was never chosen */

/* Letters of the tracks, in their order: class "s3" is level 3 in the track of the summary. */
extern const char REPORT_TRACKS[];

extern const char REPORT_STYLE[];

#endif
