/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the operator at this host may ask through the socket: runs beside the studio's, what goes on, counters and
 * commands. The local policy holds for these runs, too: it is about what this host bears, not about who asks; who
 * may edit it may also record without a daemon. A run of the studio can be stopped here, but only the studio
 * changes it: it would not know what its profile is of.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/config.h"
#include "pp/control.h"
#include "pp/metrics.h"
#include "pp/record.h"
#include "pp/rpc.h"

#define SHOWN_MAX 8 /* processes or names of a target, in its text */

static int refuse(struct rpc_call *call, int err, const char *why)
{
	buf__puts(call->why, why ? why : "");
	return err;
}

static const char *state_of(const struct daemon_run *run)
{
	if (!run->record_run)
		return run->jobs_cnt ? "saving" : run->why[0] ? "failed" : "done";
	return run->is_sampling ? "sampling" : "starting";
}

static int add_target(struct json_object *row, const struct session_spec *spec)
{
	_auto_buf_ struct buf text = { .max_bytes = 65536 };

	if (!spec->pid_cnt && !spec->comm_cnt && !spec->cgroup_cnt && !spec->group_cnt)
		buf__puts(&text, "host");
	for (uint32_t i = 0; i < spec->pid_cnt && i < SHOWN_MAX; i++)
		buf__printf(&text, "%s%u", i ? "," : "pid ", (unsigned int)spec->pids[i]);
	if (spec->pid_cnt > SHOWN_MAX)
		buf__printf(&text, " and %u more", (unsigned int)(spec->pid_cnt - SHOWN_MAX));
	if (spec->children)
		buf__puts(&text, " with children");
	for (uint32_t i = 0; i < spec->comm_cnt && i < SHOWN_MAX; i++)
		buf__printf(&text, "%s%s", i ? "," : text.len ? " comm " : "comm ", spec->comms[i]);
	if (spec->comm_cnt > SHOWN_MAX)
		buf__printf(&text, " and %u more", (unsigned int)(spec->comm_cnt - SHOWN_MAX));
	for (uint32_t i = 0; i < spec->cgroup_cnt && i < SHOWN_MAX; i++)
		buf__printf(&text, "%s%s",
			    i	     ? "," :
			    text.len ? " cgroup " :
				       "cgroup ",
			    spec->cgroups[i]);
	if (spec->cgroup_cnt > SHOWN_MAX)
		buf__printf(&text, " and %u more", (unsigned int)(spec->cgroup_cnt - SHOWN_MAX));
	for (uint32_t i = 0; i < spec->group_cnt; i++)
		buf__printf(&text, "%s%s", text.len ? " " : "", spec->groups[i]);
	return text.err ? text.err : json__add_str(row, "target", text.data);
}

struct json_object *daemon_run__row(const struct daemon_run *run)
{
	_auto_json_ struct json_object *row = json__new_object();
	uint64_t elapsed_ns = clock_mono_ns() - run->begin_ns;
	struct json_object *spec = NULL;
	int err = json__add_str(row, "id", run->command_id);

	if (!err)
		err = json__add_str(row, "origin", run->is_local ? "local" : "studio");
	if (!err)
		err = json__add_str(row, "state", state_of(run));
	if (!err)
		err = json__add_u64(row, "rate_hz", run->spec.rate_hz);
	if (!err)
		err = add_target(row, &run->spec);
	if (!err)
		err = json__add_u64(row, "elapsed_s", elapsed_ns / 1000000000);
	if (!err)
		err = json__add_u64(row, "samples", run->samples + run->samples_now);
	if (!err)
		err = json__add_u64(row, "lost", run->lost + run->lost_now);
	if (!err)
		err = json__add_str(row, "reason", run->why);
	if (!err)
		err = session_spec__to_json(&run->spec, &spec);
	if (!err)
		err = json__add(row, "session", spec);
	return err ? NULL : take_ptr(row);
}

static int session_list(struct daemon *self, struct rpc_call *call)
{
	struct json_object *rows = json__new_array();
	int err = json__add(call->reply, "sessions", rows);

	for (uint32_t i = 0; i < self->pasts_cnt && !err; i++)
		err = json__add(rows, NULL, json__get(self->pasts[i]));
	for (const struct daemon_run *run = self->runs; run && !err; run = run->next)
		err = json__add(rows, NULL, daemon_run__row(run));
	return err;
}

/* May this begin or go on, beside so many others? */
static int check_policy(struct daemon *self, struct rpc_call *call, const struct session_spec *spec,
			const struct daemon_run *changed)
{
	time_t now = time(NULL);
	const char *why = NULL;
	struct tm local;
	int err;

	localtime_r(&now, &local);
	err = spec_policy__check(&self->policy, spec, (uint32_t)(local.tm_hour * 60 + local.tm_min),
				 daemon__runs_going_on(self, changed), &why);
	return err ? refuse(call, err, why) : 0;
}

static int read_spec(struct rpc_call *call, struct session_spec *spec)
{
	struct json_object *json = NULL;
	const char *why = NULL;
	int err = json__get_object(call->params, "session", &json);

	if (err)
		return refuse(call, -EINVAL, "a member 'session' is missing");
	err = session_spec__from_json(json, spec, &why);
	if (err)
		return refuse(call, err, why);
	if (spec->children && !spec->pid_cnt)
		return refuse(call, -EINVAL, "children of no process");
	return 0;
}

/* Nothing but a file: a pipe could hold a worker for ever. */
static int read_output(struct rpc_call *call, const struct encode_format **ret_format)
{
	const char *name = "html";
	struct stat stat;
	int err = json__get_str(call->params, "format", &name);

	if (err && err != -ENOENT)
		return refuse(call, -EINVAL, "'format' is a text");
	*ret_format = encode_format__find(name);
	if (!*ret_format)
		return refuse(call, -EINVAL, "no such format");
	if (call->fd >= 0 && (fstat(call->fd, &stat) < 0 || !S_ISREG(stat.st_mode)))
		return refuse(call, -EINVAL, "the output is not a regular file");
	return 0;
}

static int session_start(struct daemon *self, struct rpc_call *call)
{
	struct session_spec spec;
	char id[COMMAND_ID_BYTES];
	struct daemon_wish wish = {
		.command_id = id, .spec = &spec, .is_local = true, .output_fd = call->fd
	};
	const char *why = NULL;
	int err = read_spec(call, &spec);

	if (err)
		return err;
	if (spec.continuous || !spec.duration_s)
		return refuse(call, -EOPNOTSUPP, "a local session has a duration and one profile");
	err = read_output(call, &wish.format);
	if (!err)
		err = check_policy(self, call, &spec, NULL);
	if (err)
		return err;
	snprintf(id, sizeof(id), "local-%u", (unsigned int)(self->locals_cnt + 1));
	err = daemon__start_run(self, &wish, &why);
	if (err == -EBUSY && !why)
		why = "two sessions go on already";
	if (err == -ESRCH && !why)
		why = "none of the processes exists";
	if (err)
		return refuse(call, err, why);
	call->fd = -1;
	self->locals_cnt++;
	daemon__note_locals(self, NULL);
	log_info(
		"daemon: local session '%s' begins, rate_hz=%u duration_s=%u pids=%u comms=%u cgroups=%u",
		id, spec.rate_hz, spec.duration_s, spec.pid_cnt, spec.comm_cnt, spec.cgroup_cnt);
	return json__add_str(call->reply, "id", id);
}

static int find_session(struct daemon *self, struct rpc_call *call, struct daemon_run **ret_run)
{
	const char *id;

	if (json__get_str(call->params, "id", &id))
		return refuse(call, -EINVAL, "a text 'id' is missing");
	*ret_run = daemon__find_run(self, id);
	if (*ret_run && (*ret_run)->record_run)
		return 0;
	return refuse(call, -ENOENT, *ret_run ? "it has ended" : "no such session goes on");
}

static int session_stop(struct daemon *self, struct rpc_call *call)
{
	struct daemon_run *run;
	int err = find_session(self, call, &run);

	if (err)
		return err;
	log_info("daemon: session '%s' is stopped by the operator", run->command_id);
	record_run__stop(run->record_run);
	return 0;
}

static int session_change(struct daemon *self, struct rpc_call *call)
{
	struct session_spec target, spec;
	struct daemon_run *run;
	int err = find_session(self, call, &run);

	if (!err)
		err = read_spec(call, &target);
	if (err)
		return err;
	if (!run->is_local)
		return refuse(call, -EPERM, "only the studio changes its sessions");
	spec = target;
	spec.rate_hz = run->spec.rate_hz;
	spec.duration_s = run->spec.duration_s;
	spec.continuous = run->spec.continuous;
	spec.idle = run->spec.idle;
	spec.inlined = run->spec.inlined;
	spec.counters = run->spec.counters;
	memcpy(spec.event, run->spec.event, sizeof(spec.event));
	err = check_policy(self, call, &spec, run);
	if (err)
		return err;
	err = record_run__change(run->record_run, &spec);
	if (err)
		return refuse(call, err,
			      err == -ESRCH	? "none of the processes exists" :
			      err == -ENOENT	? "none of the cgroups exists" :
			      err == -ECANCELED ? "it has ended" :
						  NULL);
	log_info("daemon: local session '%s' is changed, pids=%u comms=%u cgroups=%u",
		 run->command_id, spec.pid_cnt, spec.comm_cnt, spec.cgroup_cnt);
	run->spec = spec;
	return 0;
}

static int metrics_show(struct daemon *self, struct rpc_call *call)
{
	struct json_object *rows = json__new_array();
	int err = json__add(call->reply, "metrics", rows);

	for (enum metric_id id = 0; id < METRIC_CNT && !err; id++) {
		struct json_object *row = json__new_object();

		err = json__add_str(row, "name", metric__name(id));
		if (!err)
			err = json__add_u64(row, "value", metric__get(id));
		if (!err)
			err = json__add_str(row, "text", metric__text(id));
		if (err)
			json__put(row);
		else
			err = json__add(rows, NULL, row);
	}
	return err;
}

static int command_list(struct daemon *self, struct rpc_call *call)
{
	struct json_object *rows = json__new_array();
	int err = json__add(call->reply, "commands", rows);

	if (!err && self->control)
		err = control__list(self->control, rows);
	return err;
}

static int on_call(void *arg, struct rpc_call *call)
{
	static const struct {
		const char *name;
		int (*run)(struct daemon *self, struct rpc_call *call);
	} methods[] = {
		{ "session.list", session_list }, { "session.start", session_start },
		{ "session.stop", session_stop }, { "session.change", session_change },
		{ "metrics.show", metrics_show }, { "command.list", command_list },
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(call->method, methods[i].name))
			return methods[i].run(arg, call);
	return -ENOSYS;
}

int daemon__serve(struct daemon *self)
{
	const char *run_dir = config__str(self->config, CONFIG_RUN_DIR);
	int err;

	daemon__restore_pasts(self);
	err = rpc_server__new(self->loop, run_dir, PP_VERSION, on_call, self, &self->rpc);

	/* Its server can still be obeyed: no reason to profile nothing. */
	if (err)
		log_warn("daemon: no socket '%s/%s', pulseprof session cannot ask: %s", run_dir,
			 RPC_SOCKET_NAME, errname(err));
	return DAEMON_DONE;
}
