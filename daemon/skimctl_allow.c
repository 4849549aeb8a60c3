/* skimctl allow: opens the unit's sandbox for a folder, and says what else keeps the service out of it. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/dropin.h"
#include "daemon/remedy.h"
#include "daemon/skimctl.h"
#include "daemon/user_access.h"

#define RESTART "systemctl daemon-reload && systemctl restart skimd"

struct request {
	const char *root, *user;
	bool write, remove, print;
	char folder[PATH_MAX]; /* resolved */
	char dropins[2 * PATH_MAX], path[3 * PATH_MAX]; /* where drop-ins are, and this one */
};

static const struct option OPTIONS[] = {
	{ "write", no_argument, NULL, 'w' },      { "remove", no_argument, NULL, 'r' },
	{ "print", no_argument, NULL, 'p' },      { "root", required_argument, NULL, 'R' },
	{ "user", required_argument, NULL, 'u' }, { NULL, 0, NULL, 0 },
};

/* NULL: not a request. Else the folder, as it was written. */
static const char *parse(struct request *request, int argc, char **argv)
{
	int option;

	*request = (struct request){ .root = "", .user = "skimd" };
	while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
		switch (option) {
		case 'w':
			request->write = true;
			break;
		case 'r':
			request->remove = true;
			break;
		case 'p':
			request->print = true;
			break;
		case 'R':
			request->root = optarg;
			break;
		case 'u':
			request->user = optarg;
			break;
		default:
			return NULL;
		}
	}
	if (optind + 1 != argc || (request->remove && (request->print || request->write)))
		return NULL;
	return argv[optind];
}

/* A folder that is to be closed again may be gone by then. */
static int resolve(const char *word, bool may_be_gone, char *ret, struct err *err)
{
	struct stat st;

	if (word[0] != '/')
		return err_set(err, -EINVAL, "%s: is not an absolute path", word);
	if (strlen(word) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "the path is too long");
	if (realpath(word, ret) == NULL) {
		if (!may_be_gone || errno != ENOENT)
			return err_set(err, -errno, "%s: %s", word, strerror(errno));
		snprintf(ret, PATH_MAX, "%s", word);
		return 0;
	}
	if (!may_be_gone && (stat(ret, &st) < 0 || !S_ISDIR(st.st_mode)))
		return err_set(err, -ENOTDIR, "%s: is not a folder", word);
	return 0;
}

static int find_dropin(struct request *request, struct err *err)
{
	char name[NAME_MAX + 1];
	int r = dropin_name(request->folder, name, err);

	if (r < 0)
		return r;
	snprintf(request->dropins, sizeof(request->dropins), "%s" DROPIN_FOLDER, request->root);
	snprintf(request->path, sizeof(request->path), "%s/%s", request->dropins, name);
	return 0;
}

/* Through the group that has the folder, if a group has it that is meant for that; else by access lists. */
static void add_remedy(const struct request *request, const char *culprit, struct buf *text)
{
	const char *rights = request->write ? "rwX" : "rX";
	mode_t needed = request->write ? S_IRWXG : S_IRGRP | S_IXGRP;
	struct stat st;

	buf_puts(text, "    ");
	if (strcmp(culprit, request->folder) != 0) {
		remedy_acl(request->user, "-m", "x", culprit, text);
	} else if (stat(culprit, &st) < 0 || !remedy_group(request->user, &st, needed, text)) {
		remedy_acl(request->user, "-R -m", rights, culprit, text);
		buf_puts(text, "\n    ");
		remedy_acl(request->user, "-R -d -m", rights, culprit, text); /* of files to come */
	}
}

static void offer_remedy(const struct request *request, const char *culprit)
{
	bool pass = strcmp(culprit, request->folder) != 0;
	struct buf text = { 0 };

	buf_printf(&text, "the user %s may not %s ", request->user,
	           pass             ? "pass through"
	           : request->write ? "write to"
	                            : "read");
	remedy_quote(culprit, &text);
	buf_puts(&text, "; as root:\n");
	add_remedy(request, culprit, &text);
	if (buf_status(&text) == 0)
		puts(text.data);
	buf_done(&text);
	printf("(setfacl is in the package acl; without it, 'chmod o+%s' lets everybody in)\n",
	       pass             ? "x"
	       : request->write ? "rwx"
	                        : "rx");
}

static void check_access(const struct request *request)
{
	char culprit[PATH_MAX];
	struct err err = { "" };
	int r = user_access(request->user, request->folder, request->write, dropin_is_hidden(request->folder),
	                    culprit, &err);

	if (r < 0)
		printf("not checked: %s\n", err.text);
	else if (r == 0)
		offer_remedy(request, culprit);
}

static int write_dropin(const struct request *request, struct err *err)
{
	struct buf text = { 0 };
	int r;

	dropin_print(request->folder, request->write, &text);
	if ((r = buf_status(&text)) < 0) {
		err_set(err, r, "no memory for a drop-in");
	} else if (request->print) {
		printf("# %s\n%s", request->path, text.data);
	} else {
		umask(022); /* what systemd reads, everybody may */
		r = file_make_folders(request->dropins, 0755, err);
		if (r == 0)
			r = file_replace(request->path, text.data, text.n, 0644, err);
	}
	buf_done(&text);
	return r;
}

static int allow(const struct request *request, struct err *err)
{
	int r = dropin_check(request->folder, err);

	if (r < 0 || (r = write_dropin(request, err)) < 0 || request->print)
		return r;
	printf("%s is there; it counts from the next start on:\n    " RESTART "\n", request->path);
	check_access(request);
	return 0;
}

static int disallow(const struct request *request, struct err *err)
{
	if (unlink(request->path) < 0)
		return err_set(err, -errno, "%s: %s", request->path,
		               errno == ENOENT ? "is not there: nothing to take away" : strerror(errno));
	rmdir(request->dropins); /* stays while it holds others */
	printf("%s is gone; that counts from the next start on:\n    " RESTART "\n", request->path);
	return 0;
}

int skimctl_allow(int argc, char **argv)
{
	struct request request;
	struct err err = { "" };
	const char *word = parse(&request, argc, argv);
	int r;

	if (word == NULL)
		return skimctl_usage(SKIMCTL_ALLOW_USAGE);
	if ((r = resolve(word, request.remove, request.folder, &err)) == 0 &&
	    (r = find_dropin(&request, &err)) == 0)
		r = request.remove ? disallow(&request, &err) : allow(&request, &err);
	if ((r == -EACCES || r == -EPERM) && geteuid() != 0)
		fprintf(stderr, "skimctl: this needs root: try sudo\n");
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}
