/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wish as JSON: our own canonical form, both ways, and the combined_config of a Performance
 * Studio start command. A command that asks for what we cannot do is refused with the reason,
 * never bent into something else: the operator reads the sentence in the command's failure.
 */
#include "pp/spec.h"

#include <errno.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"

/* A whole number, also as text: 0, -ENOENT if absent or null, -EINVAL. */
static int whole_number(const struct json_object *value, int64_t *ret_number)
{
	const char *text;

	if (json__is_null(value))
		return -ENOENT;
	if (json__is_int(value)) {
		*ret_number = json__int(value);
		return 0;
	}
	text = json__str(value);
	return spec_parse_digits(text, strlen(text), ret_number);
}

static int member_number(const struct json_object *json, const char *name, int64_t *ret_number)
{
	struct json_object *value;
	int err = json__get_any(json, name, &value);

	return err ? err : whole_number(value, ret_number);
}

typedef int (*set_num_fn)(struct session_spec *self, int64_t number, const char **ret_why);

/* An absent or null member leaves what stands. */
static int read_number(struct session_spec *self, const struct json_object *json, const char *name,
		       set_num_fn set, const char **ret_why)
{
	int64_t number;
	int err = member_number(json, name, &number);

	if (err == -ENOENT)
		return 0;
	return set(self, err ? -1 : number, ret_why);
}

static int read_pids(struct session_spec *self, const struct json_object *json,
		     const char **ret_why)
{
	struct json_object *pids;
	int64_t pid;
	int err = json__get_array(json, "pids", &pids);

	if (err == -ENOENT)
		return 0;
	if (err)
		return spec_refuse(-EINVAL, "'pids' is not a list", ret_why);
	for (size_t i = 0; i < json__len(pids); i++) {
		if (whole_number(json__at(pids, i), &pid))
			pid = -1;
		err = session_spec__add_pid_num(self, pid, ret_why);
		if (err)
			return err;
	}
	return 0;
}

typedef int (*add_text_fn)(struct session_spec *self, const char *text, const char **ret_why);

static int read_texts(struct session_spec *self, const struct json_object *json, const char *name,
		      add_text_fn add, const char **ret_why)
{
	struct json_object *texts;
	int err = json__get_array(json, name, &texts);

	if (err == -ENOENT)
		return 0;
	if (err)
		return spec_refuse(-EINVAL, "'comms', 'cgroups' and 'groups' are lists", ret_why);
	for (size_t i = 0; i < json__len(texts); i++) {
		err = add(self, json__str(json__at(texts, i)), ret_why);
		if (err)
			return err;
	}
	return 0;
}

static int read_bool(const struct json_object *json, const char *name, bool *value, const char *why,
		     const char **ret_why)
{
	int err = json__get_bool(json, name, value);

	return err && err != -ENOENT ? spec_refuse(-EINVAL, why, ret_why) : 0;
}

static int check_mode(const struct json_object *config, const char **ret_why)
{
	struct json_object *mode;

	if (json__get_any(config, "profiling_mode", &mode) || !strcmp(json__str(mode), "cpu"))
		return 0;
	if (!strcmp(json__str(mode), "allocation"))
		return spec_refuse(-EOPNOTSUPP,
				   "profiling_mode 'allocation' is not supported, only 'cpu'",
				   ret_why);
	if (!strcmp(json__str(mode), "none"))
		return spec_refuse(-EOPNOTSUPP, "profiling_mode 'none' leaves nothing to profile",
				   ret_why);
	return spec_refuse(-EOPNOTSUPP, "unknown profiling_mode, only 'cpu' is supported", ret_why);
}

static bool is_cpu_event(const struct json_object *event)
{
	static const char *const names[] = { "cycles", "cpu-cycles", "cpu-clock", "task-clock" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(json__str(event), names[i]))
			return true;
	}
	return false;
}

/*
 * perf: {"events": "cycles"} or a list: CPU time, under whatever names, or one other event. Of more than one a run would
 * give a part only of what was asked for.
 */
static int take_events(struct session_spec *spec, const struct json_object *perf,
		       const char **ret_why)
{
	static const char one[] = "perf.events: CPU time, or one other event at a time";
	struct json_object *events;
	size_t cnt;

	if (json__get_any(perf, "events", &events))
		return 0;
	cnt = json__is_array(events) ? json__len(events) : 1;
	for (size_t i = 0; i < cnt; i++) {
		const struct json_object *event = json__is_array(events) ? json__at(events, i) :
									   events;

		if (is_cpu_event(event) && !spec->event[0])
			continue;
		if (cnt > 1 || is_cpu_event(event))
			return spec_refuse(-EOPNOTSUPP, one, ret_why);
		if (!json__is_str(event))
			return spec_refuse(-EINVAL, "perf.events: names of events", ret_why);
		return session_spec__set_event(spec, json__str(event), ret_why);
	}
	return 0;
}

/* Off is "disabled", {"mode": "disabled"} or {"enabled": false}: consoles send each of them. */
static bool is_disabled(const struct json_object *perf)
{
	struct json_object *mode;
	bool enabled;

	if (!json__get_bool(perf, "enabled", &enabled) && !enabled)
		return true;
	return !strcmp(json__str(perf), "disabled") ||
	       (!json__get_any(perf, "mode", &mode) && !strcmp(json__str(mode), "disabled"));
}

static int take_profilers(struct session_spec *spec, const struct json_object *config,
			  const char **ret_why)
{
	struct json_object *profilers, *perf;
	int err = json__get_object(config, "profiler_configs", &profilers);

	if (err == -ENOENT)
		return 0;
	if (err)
		return spec_refuse(-EINVAL, "'profiler_configs' is not an object", ret_why);
	if (json__get_any(profilers, "perf", &perf))
		return 0;
	if (is_disabled(perf))
		return spec_refuse(-EOPNOTSUPP, "perf is disabled and no other profiler can run",
				   ret_why);
	return take_events(spec, perf, ret_why);
}

int session_spec__from_config(const struct json_object *combined_config,
			      const struct session_spec *defaults, struct session_spec *ret_spec,
			      const char **ret_why)
{
	struct session_spec spec = *defaults;
	int err;

	if (!json__is_object(combined_config))
		return spec_refuse(-EINVAL, "'combined_config' is not an object", ret_why);
	if (!spec.duration_s)
		spec.duration_s = SPEC_DURATION_DEFAULT_S;
	err = check_mode(combined_config, ret_why);
	if (!err)
		err = take_profilers(&spec, combined_config, ret_why);
	if (!err)
		err = read_number(&spec, combined_config, "frequency", spec_set_rate_num, ret_why);
	if (!err)
		err = read_number(&spec, combined_config, "duration", spec_set_duration_num,
				  ret_why);
	if (!err)
		err = read_bool(combined_config, "continuous", &spec.continuous,
				"'continuous' is neither true nor false", ret_why);
	if (!err)
		err = read_bool(combined_config, "inline", &spec.inlined,
				"'inline' is neither true nor false", ret_why);
	if (!err)
		err = read_bool(combined_config, "enable_perfspect", &spec.counters,
				"'enable_perfspect' is neither true nor false", ret_why);
	if (!err)
		err = read_texts(&spec, combined_config, "groups", session_spec__add_group,
				 ret_why);
	/* for agents that know no groups: who was in them when the order was made */
	if (!err && !spec.group_cnt)
		err = read_pids(&spec, combined_config, ret_why);
	if (!err)
		*ret_spec = spec;
	return err;
}

int session_spec__to_json(const struct session_spec *self, struct json_object **ret_json)
{
	_auto_json_ struct json_object *json = json__new_object();
	struct json_object *pids = json__new_array();
	struct json_object *comms = json__new_array();
	struct json_object *cgroups = json__new_array();
	struct json_object *groups = json__new_array();
	int err = 0;

	for (uint32_t i = 0; i < self->pid_cnt; i++)
		err |= json__add_int(pids, NULL, self->pids[i]);
	for (uint32_t i = 0; i < self->comm_cnt; i++)
		err |= json__add_str(comms, NULL, self->comms[i]);
	for (uint32_t i = 0; i < self->cgroup_cnt; i++)
		err |= json__add_str(cgroups, NULL, self->cgroups[i]);
	for (uint32_t i = 0; i < self->group_cnt; i++)
		err |= json__add_str(groups, NULL, self->groups[i]);
	err |= json__add_int(json, "rate_hz", self->rate_hz);
	err |= json__add_int(json, "duration_s", self->duration_s);
	err |= json__add_bool(json, "continuous", self->continuous);
	err |= json__add_bool(json, "idle", self->idle);
	err |= json__add_bool(json, "children", self->children);
	err |= json__add_bool(json, "inline", self->inlined);
	if (self->counters)
		err |= json__add_bool(json, "counters", true);
	if (self->event[0])
		err |= json__add_str(json, "event", self->event);
	err |= json__add(json, "pids", pids);
	err |= json__add(json, "comms", comms);
	err |= json__add(json, "cgroups", cgroups);
	err |= json__add(json, "groups", groups);
	if (err)
		return -ENOMEM;
	*ret_json = take_ptr(json);
	return 0;
}

static int read_event(struct session_spec *spec, const struct json_object *json,
		      const char **ret_why)
{
	struct json_object *value;
	const char *name;

	if (json__get_any(json, "event", &value) || json__is_null(value))
		return 0;
	if (json__get_str(json, "event", &name))
		return spec_refuse(-EINVAL, "'event' is the name of one", ret_why);
	return session_spec__set_event(spec, name, ret_why);
}

/* Our own form says 0 for "until stopped". */
static int set_duration_or_none(struct session_spec *self, int64_t duration_s, const char **ret_why)
{
	if (duration_s)
		return spec_set_duration_num(self, duration_s, ret_why);
	self->duration_s = 0;
	return 0;
}

int session_spec__from_json(const struct json_object *json, struct session_spec *ret_spec,
			    const char **ret_why)
{
	static const char not_bool[] =
		"'continuous', 'idle', 'children', 'inline' and 'counters' are true or false";
	struct session_spec spec;
	int err;

	if (!json__is_object(json))
		return spec_refuse(-EINVAL, "the wish is not an object", ret_why);
	session_spec__init(&spec);
	err = read_number(&spec, json, "rate_hz", spec_set_rate_num, ret_why);
	if (!err)
		err = read_number(&spec, json, "duration_s", set_duration_or_none, ret_why);
	if (!err)
		err = read_bool(json, "continuous", &spec.continuous, not_bool, ret_why);
	if (!err)
		err = read_bool(json, "idle", &spec.idle, not_bool, ret_why);
	if (!err)
		err = read_bool(json, "children", &spec.children, not_bool, ret_why);
	if (!err)
		err = read_bool(json, "inline", &spec.inlined, not_bool, ret_why);
	if (!err)
		err = read_bool(json, "counters", &spec.counters, not_bool, ret_why);
	if (!err)
		err = read_event(&spec, json, ret_why);
	if (!err)
		err = read_pids(&spec, json, ret_why);
	if (!err)
		err = read_texts(&spec, json, "comms", session_spec__add_comm, ret_why);
	if (!err)
		err = read_texts(&spec, json, "cgroups", session_spec__add_cgroup, ret_why);
	if (!err)
		err = read_texts(&spec, json, "groups", session_spec__add_group, ret_why);
	if (!err)
		*ret_spec = spec;
	return err;
}
