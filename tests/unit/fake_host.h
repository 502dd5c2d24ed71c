/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H
/*
 * The daemon below the controller, played: it notes what it is asked to begin and to end, and asserts that
 * it is never asked for two runs of a kind at a time. Included after cmocka.h.
 */
#include <stdio.h>
#include <string.h>

#include "fake_loop.h"
#include "fake_net.h"
#include "pp/control.h"

#define BEAT "/api/metrics/heartbeat"
#define DONE "/api/metrics/command_completion"

struct host_run {
	char id[64]; /* "": none */
	struct session_spec spec;
	bool stop_asked, is_again;
};

static struct {
	struct control *control;
	struct host_run runs[2]; /* ad hoc, continuous */
	int refuse, refuse_change; /* the next start, change fails with this */
	const char *state_dir, *kept_id; /* the spool holds a profile of it */
	uint32_t starts, stops, changes, wait_s;
	void (*on_start)(const char *command_id);
	const struct spec_policy *policy;
	const char *const *headers;
} host;

static struct host_run *host_run(const char *id)
{
	return !strcmp(host.runs[0].id, id) ? &host.runs[0] :
	       !strcmp(host.runs[1].id, id) ? &host.runs[1] :
					      NULL;
}

static int host_start(void *arg, const char *command_id, const struct session_spec *spec,
		      bool is_again, const char **ret_why)
{
	struct host_run *run = &host.runs[spec->continuous];

	assert_string_equal(run->id, ""); /* one of each kind at a time */
	if (host.refuse) {
		*ret_why = "no BTF";
		return host.refuse;
	}
	*run = (struct host_run){ .spec = *spec, .is_again = is_again };
	snprintf(run->id, sizeof(run->id), "%s", command_id);
	host.starts++;
	if (host.on_start)
		host.on_start(command_id);
	return 0;
}

static void host_stop(void *arg, const char *command_id)
{
	struct host_run *run = host_run(command_id);

	assert_non_null(run);
	assert_false(run->stop_asked);
	run->stop_asked = true;
	host.stops++;
}

static int host_change(void *arg, const char *command_id, const struct session_spec *spec,
		       const char **ret_why)
{
	struct host_run *run = host_run(command_id);

	assert_non_null(run);
	assert_false(run->stop_asked);
	assert_int_equal(run->spec.rate_hz, spec->rate_hz);
	assert_true(spec->pid_cnt || spec->group_cnt);
	if (host.refuse_change)
		return host.refuse_change;
	run->spec = *spec;
	host.changes++;
	return 0;
}

static bool host_is_kept(void *arg, const char *command_id)
{
	return host.kept_id && !strcmp(host.kept_id, command_id);
}

static void host_ends(const char *command_id, const char *why)
{
	struct control_end end = { .why = why, .samples = 7, .lost = 1 };
	struct host_run *run = host_run(command_id);

	assert_non_null(run);
	run->id[0] = '\0';
	control__run_ended(host.control, command_id, &end);
}

static int host_begin(void)
{
	struct control_options options = { .api_server = "http://studio.example:8080/",
					   .service_name = "svc",
					   .hostname = "node-7",
					   .token = "s3cret",
					   .agent_version = "0.1.0",
					   .run_mode = "standalone_executable",
					   .state_dir = host.state_dir,
					   .wait_s = host.wait_s,
					   .policy = host.policy,
					   .headers = host.headers,
					   .heartbeat_interval_s = 30 };
	struct control_ops ops = { .start = host_start,
				   .stop = host_stop,
				   .change = host_change,
				   .is_kept = host_is_kept };

	session_spec__init(&options.defaults);
	return control__new(NULL, NULL, &options, &ops, &host.control);
}

static inline int set_up(void **state)
{
	memset(&host, 0, sizeof(host));
	return host_begin();
}

static inline int tear_down(void **state)
{
	control__free(host.control);
	wire_reset();
	return 0;
}

/* The beat that is open, or the next one: time passes until it is sent. */
static struct net_call *beat(void)
{
	struct net_call *call = wire_open(BEAT);

	if (!call) {
		wire_expire();
		call = wire_open(BEAT);
	}
	assert_non_null(call);
	return call;
}

#endif
