#include "pipeline/failure.h"

#include <errno.h>

/* The machine's trouble and not the document's: it passes, or somebody sees to it. */
static bool is_passing(int r)
{
	switch (r) {
	case -EIO: /* a disk or a server that is away for a while */
	case -ESTALE:
	case -ETIMEDOUT:
	case -ENOSPC:
	case -EDQUOT:
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
	case -EBUSY:
	case -EAGAIN: /* it changed while it was read, and its last change may be behind us */
	case -EINTR:
	case -ETXTBSY:
		return true;
	default:
		return false;
	}
}

struct failure failure_of_extraction(int r)
{
	switch (r) {
	case -ENODATA: /* empty: many files are, before they are written */
		return (struct failure){ DOCUMENT_IGNORED, RETRY_CHANGED };
	case -ENOTSUP: /* a format that is not read: no permission or link changes that */
	case -EPROTO: /* the extractor crashed, or took too long: it would again */
	case -ETIME:
		return (struct failure){ r == -ENOTSUP ? DOCUMENT_IGNORED : DOCUMENT_FAILED, RETRY_NEVER };
	default:
		return (struct failure){ DOCUMENT_FAILED, is_passing(r) ? RETRY_LATER : RETRY_CHANGED };
	}
}

/* The text is the same until the file has other content. */
struct failure failure_of_reading(int r)
{
	return (struct failure){ DOCUMENT_FAILED, is_passing(r) ? RETRY_LATER : RETRY_NEVER };
}

/* Room, permission and folders come and go without the document; a foreign file in the way stays until somebody acts. */
enum document_retry failure_of_writing(int r)
{
	return r == -EEXIST || r == -ENAMETOOLONG ? RETRY_NONE : RETRY_LATER;
}
