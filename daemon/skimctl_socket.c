/* How skimctl's commands reach the daemon that has the documents which are meant. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "daemon/config.h"
#include "daemon/protocol.h"
#include "daemon/skimctl.h"
#include "daemon/units.h"

#define PING_NS (5 * NS_PER_S)

/* What can be done about it. */
static int explain(int r, const struct config *config, struct err *err)
{
	const struct passwd *user = getpwuid(geteuid());

	if (r == -EACCES)
		return err_set(err, r,
		               "%s: you may not speak to the daemon: join the group %s: "
		               "usermod -aG %s %s, and log in again",
		               config->control.socket, config->control.group, config->control.group,
		               user == NULL ? "USER" : user->pw_name);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return err_set(err, r,
		               "%s: no daemon listens there: start it, or name its configuration with -c",
		               config->control.socket);
	return r;
}

/* A socket's place says little about whose it is: a configuration without the key has the service's. */
static int check_store(struct control_client *client, const struct config *config, struct err *err)
{
	json_t *reply = NULL;
	const char *store;
	int r;

	if ((r = control_client_ask(client, "ping", NULL, err)) < 0 ||
	    (r = control_client_receive(client, PING_NS, &reply, err)) < 0)
		return r;
	store = json_string_value(json_object_get(reply, "store"));
	if (store == NULL || strcmp(store, config->store.path) != 0)
		r = err_set(err, -ENOENT,
		            "%s: the daemon that listens there has other documents, those of %s",
		            config->control.socket, store == NULL ? "nobody knows what" : store);
	json_decref(reply);
	return r;
}

int skimctl_connect(const char *config_path, struct control_client **ret, struct err *err)
{
	struct control_client *client;
	struct config *config;
	int r;

	if (config_path == NULL && skimctl_is_private())
		return err_set(err, -ENOENT, "SKIMD_NO_SERVICE is set: no daemon is asked without -c");
	r = skimctl_read_config(config_path, &config, err);
	if (r < 0)
		return r;
	r = control_client_open(config->control.socket, &client, err);
	if (r < 0) {
		r = explain(r, config, err);
	} else if (config_path != NULL && (r = check_store(client, config, err)) < 0) {
		control_client_close(client);
	} else {
		*ret = client;
	}
	config_free(config);
	return r;
}

int skimctl_name(const char *key, const char *word, json_t **ret, struct err *err)
{
	json_t *args = json_pack("{s:s}", key, word);

	if (args == NULL)
		return err_set(err, -EINVAL, "'%s' is not UTF-8: name the document by its number", word);
	*ret = args;
	return 0;
}

int skimctl_ask_each(struct control_client *client, const char *command, json_t *args, const char *key,
                     int (*each)(void *user, json_t *value), void *user, json_t **ret_last, struct err *err)
{
	int r = control_client_ask(client, command, args, err);

	while (r >= 0) {
		json_t *reply = NULL;
		int r_each = 0;

		r = control_client_receive(client, UINT64_MAX, &reply, err);
		if (r == 0) {
			*ret_last = reply;
			return 0;
		}
		if (r > 0)
			r_each = each(user, json_object_get(reply, key));
		json_decref(reply);
		if (r_each < 0)
			return err_set(err, r_each, "%s", strerror(-r_each));
	}
	return r;
}

int skimctl_ask(struct control_client *client, const char *command, json_t *args, json_t **ret,
                struct err *err)
{
	int r = control_client_ask(client, command, args, err);

	return r < 0 ? r : control_client_receive(client, UINT64_MAX, ret, err);
}
