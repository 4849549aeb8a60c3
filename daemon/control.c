#include "daemon/control.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/control_peer.h"
#include "daemon/socket_path.h"
#include "daemon/units.h"

#define BACKLOG 64
#define N_GROUPS 256 /* of a client; who is in more has to have skimd's among the first */
#define CHANGED_NS (20 * NS_PER_MS) /* changes that come together are told once */
#define RETRY_NS NS_PER_S /* when there is no descriptor for a client */
#define SOCKET_MODE 0660
#define PRIVATE_MODE 0600

static const struct control_limits DEFAULTS = { 64, 60 * NS_PER_S, 30 * NS_PER_S };

struct control {
	struct control_settings settings;
	struct loop *loop;
	int fd; /* -1: not listening yet */
	gid_t gid;
	dev_t device; /* of the socket's name: what is there later may be another's */
	ino_t inode;
	bool bound, changed;
	struct loop_timer *sweep_timer, *changed_timer, *accept_timer;
	TAILQ_HEAD(, peer) peers;
	unsigned n_peers;
};

static struct peer *find_peer(const struct control *control, int fd)
{
	struct peer *peer = TAILQ_FIRST(&control->peers);

	while (peer->fd != fd)
		peer = TAILQ_NEXT(peer, all);
	return peer;
}

static void drop_peer(struct control *control, struct peer *peer)
{
	TAILQ_REMOVE(&control->peers, peer, all);
	control->n_peers--;
	peer_done(peer);
	free(peer);
	if (control->n_peers == 0)
		loop_timer_stop(control->sweep_timer);
}

static void peer_speaks(void *user, int fd, uint32_t events)
{
	struct control *control = user;
	struct peer *peer = find_peer(control, fd);

	if (!peer_handle(peer, events))
		drop_peer(control, peer);
}

static bool is_over(uint64_t since_ns, uint64_t limit_ns, uint64_t now_ns)
{
	return since_ns > 0 && now_ns - since_ns >= limit_ns;
}

/* Those that keep others waiting, by saying or taking nothing. */
static void sweep(void *user)
{
	struct control *control = user;
	const struct control_limits *limits = &control->settings.limits;
	bool crowded = control->n_peers >= limits->n_clients / 2;
	uint64_t now_ns = loop_now_ns();
	struct peer *peer = TAILQ_FIRST(&control->peers);

	while (peer != NULL) {
		struct peer *next = TAILQ_NEXT(peer, all);
		bool stalled = is_over(peer_stalled_since_ns(peer), limits->stalled_ns, now_ns);
		bool silent = is_over(peer_silent_since_ns(peer), limits->silent_ns, now_ns);

		if (stalled)
			log_info("control socket: process %d of user %u neither reads nor ends its line, "
			         "dropped",
			         (int)peer->who.pid, (unsigned)peer->who.uid);
		if (stalled || (crowded && silent))
			drop_peer(control, peer);
		peer = next;
	}
}

/* By the kernel's word, as asking the system's user database could take long. */
static bool is_in_group(int fd, gid_t gid)
{
	gid_t groups[N_GROUPS];
	socklen_t n_bytes = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n_bytes) < 0)
		return false;
	for (size_t i = 0; i < n_bytes / sizeof(gid_t); i++) {
		if (groups[i] == gid)
			return true;
	}
	return false;
}

static bool may_connect(const struct control *control, int fd, const struct ucred *who)
{
	if (who->uid == 0 || who->uid == geteuid())
		return true;
	return control->settings.group != NULL && (who->gid == control->gid || is_in_group(fd, control->gid));
}

/* The one line that a client gets that is not let in: a new socket has room for it. */
static void turn_away(int fd, int r, const char *why)
{
	struct buf line = { 0 };
	struct err err;

	err_set(&err, r, "%s", why);
	if (protocol_reply(NULL, false, protocol_error(r, &err), &line) == 0)
		send(fd, line.data, line.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_done(&line);
	close(fd);
}

static int add_peer(struct control *control, int fd, const struct ucred *who)
{
	uint64_t tick_ns = control->settings.limits.stalled_ns / 4 + 1;
	struct peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL || loop_add_fd(control->loop, fd, EPOLLIN, peer_speaks, control, NULL) < 0) {
		free(peer);
		return -ENOMEM;
	}
	*peer = (struct peer){ .loop = control->loop,
		               .settings = &control->settings,
		               .fd = fd,
		               .who = *who,
		               .events = EPOLLIN,
		               .heard_ns = loop_now_ns() };
	TAILQ_INSERT_TAIL(&control->peers, peer, all);
	if (control->n_peers++ == 0)
		loop_timer_start(control->sweep_timer, tick_ns, tick_ns);
	return 0;
}

static void welcome(struct control *control, int fd)
{
	struct ucred who = { 0 };
	socklen_t n_bytes = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n_bytes) < 0 || !may_connect(control, fd, &who))
		turn_away(fd, -EACCES, "only root, the daemon's user and the members of its group may ask");
	else if (control->n_peers >= control->settings.limits.n_clients)
		turn_away(fd, -EBUSY, "as many clients as may be are connected already: try again later");
	else if (add_peer(control, fd, &who) < 0)
		turn_away(fd, -ENOMEM, "no memory for another client");
}

static void clients_come(void *user, int listening_fd, uint32_t events)
{
	struct control *control = user;
	int fd = accept4(listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0) {
		welcome(control, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		/* They wait in the backlog, and the loop would be woken for them without a pause. */
		log_warning("control socket: cannot take a client: %s, trying again", strerror(errno));
		loop_change_fd(control->loop, listening_fd, 0);
		loop_timer_start(control->accept_timer, RETRY_NS, 0);
	}
}

static void accept_again(void *user)
{
	struct control *control = user;

	loop_change_fd(control->loop, control->fd, EPOLLIN);
}

/* A call that changes something may be answered within this, and change the list no more than by its end. */
static void tell_changed(void *user)
{
	struct control *control = user;
	struct peer *peer;

	control->changed = false;
	TAILQ_FOREACH(peer, &control->peers, all)
	peer_changed(peer);
}

void control_changed(struct control *control)
{
	if (control->changed || control->n_peers == 0)
		return;
	control->changed = true;
	loop_timer_start(control->changed_timer, CHANGED_NS, 0);
}

static int find_group(struct control *control, struct err *err)
{
	const char *name = control->settings.group;
	const struct group *group;

	if (name == NULL)
		return 0;
	group = getgrnam(name);
	if (group == NULL)
		return err_set(err, -ESRCH, "there is no group '%s'", name);
	control->gid = group->gr_gid;
	return 0;
}

/* The name is bound with the mode that the umask leaves, and nobody can connect before listen(). A service that may not
 * call chown(2) runs in the group already. */
static int set_rights(const struct control *control, const struct stat *st, struct err *err)
{
	const char *path = control->settings.path, *group = control->settings.group;

	if (group != NULL && st->st_gid != control->gid && chown(path, (uid_t)-1, control->gid) < 0)
		return err_set(err, -errno, "%s: cannot be given to the group '%s': %s", path, group,
		               strerror(errno));
	if (chmod(path, group != NULL ? SOCKET_MODE : PRIVATE_MODE) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

static int listen_there(struct control *control, struct err *err)
{
	const char *path = control->settings.path;
	struct stat st;
	int r;

	if ((r = socket_path_bind(path, &control->fd, err)) < 0)
		return r;
	control->bound = true;
	if (lstat(path, &st) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if ((r = set_rights(control, &st, err)) < 0)
		return r;
	if (listen(control->fd, BACKLOG) < 0)
		return err_set(err, -errno, "%s: cannot listen: %s", path, strerror(errno));
	control->device = st.st_dev;
	control->inode = st.st_ino;
	return loop_add_fd(control->loop, control->fd, EPOLLIN, clients_come, control, err);
}

static void set_limits(struct control_limits *limits)
{
	if (limits->n_clients == 0)
		limits->n_clients = DEFAULTS.n_clients;
	if (limits->silent_ns == 0)
		limits->silent_ns = DEFAULTS.silent_ns;
	if (limits->stalled_ns == 0)
		limits->stalled_ns = DEFAULTS.stalled_ns;
}

int control_open(const struct control_settings *settings, struct loop *loop, struct control **ret,
                 struct err *err)
{
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (control == NULL)
		return err_set(err, -ENOMEM, "no memory for the control socket");
	control->settings = *settings;
	control->loop = loop;
	control->fd = -1;
	TAILQ_INIT(&control->peers);
	set_limits(&control->settings.limits);
	if ((r = loop_add_timer(loop, sweep, control, &control->sweep_timer, err)) < 0 ||
	    (r = loop_add_timer(loop, tell_changed, control, &control->changed_timer, err)) < 0 ||
	    (r = loop_add_timer(loop, accept_again, control, &control->accept_timer, err)) < 0 ||
	    (r = find_group(control, err)) < 0 || (r = listen_there(control, err)) < 0) {
		control_close(control);
		return r;
	}
	*ret = control;
	return 0;
}

/* Only what is still this socket's name goes. */
static void remove_name(const struct control *control)
{
	struct stat st;

	if (control->bound &&
	    (control->inode == 0 || (lstat(control->settings.path, &st) == 0 &&
	                             st.st_dev == control->device && st.st_ino == control->inode)))
		unlink(control->settings.path);
}

void control_close(struct control *control)
{
	if (control == NULL)
		return;
	remove_name(control);
	while (!TAILQ_EMPTY(&control->peers))
		drop_peer(control, TAILQ_FIRST(&control->peers));
	if (control->fd >= 0) {
		loop_remove_fd(control->loop, control->fd);
		close(control->fd);
	}
	loop_remove_timer(control->loop, control->sweep_timer);
	loop_remove_timer(control->loop, control->changed_timer);
	loop_remove_timer(control->loop, control->accept_timer);
	free(control);
}
