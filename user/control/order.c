/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the words of a start or a stop mean: is it for this host, which pids does it name, what is left of a target
 * without them, is it what a stop left of another. Decides and ends nothing.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#include "pp/base/json.h"

static bool names_us(const struct json_object *names, const char *hostname)
{
	size_t i;

	for (i = 0; i < json__len(names); i++) {
		const struct json_object *name = json__at(names, i);

		if (name && json__is_str(name) && !strcmp(json__str(name), hostname))
			return true;
	}
	return false;
}

int start__is_for_us(const struct json_object *config, const char *hostname, const char **ret_why)
{
	struct json_object *names;
	int err = json__get_array(config, "target_hostnames", &names);

	if (err == -ENOENT)
		return 0;
	if (err) {
		*ret_why = "target_hostnames is no list";
		return err;
	}
	if (!json__len(names) || names_us(names, hostname))
		return 0;
	*ret_why = "this host is not in target_hostnames";
	return -EINVAL;
}

static int read_groups(const struct json_object *config, struct session_spec *stopped,
		       const char **ret_why)
{
	struct json_object *groups;
	int err = json__get_array(config, "groups", &groups);

	if (err == -ENOENT)
		return 0;
	for (size_t i = 0; !err && i < json__len(groups); i++)
		err = session_spec__add_group(stopped, json__str(json__at(groups, i)), ret_why);
	return err;
}

int stop__read(const struct json_object *config, struct session_spec *ret_stopped,
	       const char **ret_why)
{
	struct json_object *pids;
	const char *level = "";
	size_t i;
	int err;

	session_spec__init(ret_stopped);
	if (!config)
		return 0;
	err = json__get_str(config, "stop_level", &level);
	if (err == -EBADMSG) {
		*ret_why = "stop_level is no text";
		return err;
	}
	if (!strcmp(level, "host"))
		return 0;
	err = read_groups(config, ret_stopped, ret_why);
	if (!err)
		err = json__get_array(config, "pids", &pids);
	if (err == -ENOENT)
		return 0;
	for (i = 0; !err && i < json__len(pids); i++) {
		const struct json_object *pid = json__at(pids, i);

		if (!pid || !json__is_int(pid))
			err = -EBADMSG;
		else
			err = session_spec__add_pid_num(ret_stopped, json__int(pid), ret_why);
	}
	if (err && !*ret_why)
		*ret_why = "pids is no list of process ids, or groups no list of groups";
	return err;
}

static bool has_pid(const struct session_spec *spec, uint32_t pid)
{
	uint32_t i = 0;

	while (i < spec->pid_cnt && spec->pids[i] != pid)
		i++;
	return i < spec->pid_cnt;
}

static bool has_group(const struct session_spec *spec, const char *group)
{
	uint32_t i = 0;

	while (i < spec->group_cnt && strcmp(spec->groups[i], group) != 0)
		i++;
	return i < spec->group_cnt;
}

static void drop_groups(struct session_spec *spec, const struct session_spec *stopped)
{
	uint32_t i, kept = 0;

	for (i = 0; i < spec->group_cnt; i++)
		if (!has_group(stopped, spec->groups[i]))
			memmove(spec->groups[kept++], spec->groups[i], sizeof(spec->groups[0]));
	memset(spec->groups[kept], 0, (spec->group_cnt - kept) * sizeof(spec->groups[0]));
	spec->group_cnt = kept;
}

bool stop__shrink(struct session_spec *spec, const struct session_spec *stopped)
{
	uint32_t i, kept = 0;

	if (spec->group_cnt) { /* who is in them changes: only whole ones can be left out */
		drop_groups(spec, stopped);
		return spec->group_cnt != 0;
	}
	for (i = 0; i < spec->pid_cnt; i++)
		if (!has_pid(stopped, spec->pids[i]))
			spec->pids[kept++] = spec->pids[i];
	memset(&spec->pids[kept], 0, (spec->pid_cnt - kept) * sizeof(spec->pids[0]));
	spec->pid_cnt = kept;
	return kept != 0;
}

const char *stop__why(const struct session_spec *stopped, const struct session_spec *running)
{
	if (!stopped->pid_cnt && !stopped->group_cnt)
		return "stopped";
	return running->group_cnt ? "all its containers were stopped" :
	       running->pid_cnt	  ? "all its processes were stopped" :
				    "processes were stopped, and it profiles the whole host";
}

bool stop__is_rest_of(const struct json_object *config, const struct session_spec *rest,
		      const struct session_spec *running)
{
	struct session_spec same = *running;
	const char *level;
	uint32_t i = 0;

	if (!config || json__get_str(config, "stop_level", &level) || strcmp(level, "process") ||
	    !rest->pid_cnt || running->group_cnt)
		return false;
	while (i < rest->pid_cnt && has_pid(running, rest->pids[i]))
		i++;
	if (i < rest->pid_cnt)
		return false;
	memcpy(same.pids, rest->pids, sizeof(same.pids));
	same.pid_cnt = rest->pid_cnt;
	return session_spec__equal(&same, rest);
}
