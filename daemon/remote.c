#include "daemon/remote.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/vfs.h>

/* By the numbers that statfs(2) gives; linux/magic.h has not all of them. */
static const uint32_t REMOTE[] = {
	0x00006969, /* NFS */
	0x0000517b, /* SMB */
	0xfe534d42, /* SMB 2 */
	0xff534d42, /* CIFS */
	0x65735546, /* FUSE, and virtiofs with it */
	0x01021997, /* 9P */
	0x00c36400, /* Ceph */
	0x5346414f, /* AFS */
	0x73757245, /* Coda */
	0x0bd00bd0, /* Lustre */
	0x01161970, /* GFS2 */
	0x7461636f, /* OCFS2 */
	0x786f4256, /* folders of VirtualBox */
};

bool remote_holds(int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return false;
	for (size_t i = 0; i < sizeof(REMOTE) / sizeof(REMOTE[0]); i++) {
		if ((uint32_t)st.f_type == REMOTE[i])
			return true;
	}
	return false;
}
