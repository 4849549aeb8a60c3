/* The names of log lines that etc/skimd.catalog explains: journalctl -x shows its text below the line, and
 * journalctl MESSAGE_ID=... finds all lines of a kind. A number, once given, stays with its meaning. */
#ifndef SKIMD_PIPELINE_MESSAGES_H
#define SKIMD_PIPELINE_MESSAGES_H

#define MESSAGE_READY "2eaf9405877e4e2db992e6af14525f9e"
#define MESSAGE_DONE "5dd0b55d85ec46cbba8e35f1228c36ce"
#define MESSAGE_FAILED "bf52a39dff0a442080426eb4b6fc41eb"
#define MESSAGE_IGNORED "a61f98a3109b4c9393584902fb42b0e0"
#define MESSAGE_REFUSED "fa53655c41b848eba9f520811bf6aca8"
#define MESSAGE_NOT_RELOADED "18b2a441ab084742811530a026e97e43"
#define MESSAGE_UNPUBLISHED "d6eea0316a5d4bed9879e758aaca2f02"
#define MESSAGE_TRUNCATED "a1c7e0a2d3f54a6c9b0d5e2f7c884b13"
#define MESSAGE_CACHE_DAMAGED "5f3f179698bf4a6c9bfa68e2cdec5609"
#define MESSAGE_CANNOT_GO_ON "6f5d4ddebb164976aa33ebbb6c4c2073"

#endif
