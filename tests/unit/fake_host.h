/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H
/*
 * The daemon below the controller, played: it notes what it is asked to begin and to end, and asserts that
 * it is never asked for two runs at a time. Included after cmocka.h.
 */
#include <stdio.h>
#include <string.h>

#include "fake_loop.h"
#include "fake_net.h"
#include "pp/control.h"

#define BEAT "/api/metrics/heartbeat"
#define DONE "/api/metrics/command_completion"

static struct {
	struct control *control;
	char running[64];
	struct session_spec spec;
	bool stop_asked;
	int refuse; /* the next start fails with this */
	uint32_t starts, stops;
} host;

static int host_start(void *arg, const char *command_id, const struct session_spec *spec,
		      const char **ret_why)
{
	assert_string_equal(host.running, ""); /* one run at a time */
	if (host.refuse) {
		*ret_why = "no BTF";
		return host.refuse;
	}
	snprintf(host.running, sizeof(host.running), "%s", command_id);
	host.spec = *spec;
	host.stop_asked = false;
	host.starts++;
	return 0;
}

static void host_stop(void *arg, const char *command_id)
{
	assert_string_equal(host.running, command_id);
	assert_false(host.stop_asked);
	host.stop_asked = true;
	host.stops++;
}

static void host_ends(const char *why)
{
	char id[64];

	memcpy(id, host.running, sizeof(id));
	assert_string_not_equal(id, "");
	host.running[0] = '\0';
	host.stop_asked = false;
	control__run_ended(host.control, id, why);
}

static int set_up(void **state)
{
	struct control_options options = { .api_server = "http://studio.example:8080/",
					   .service_name = "svc",
					   .hostname = "node-7",
					   .token = "s3cret",
					   .agent_version = "0.1.0",
					   .run_mode = "standalone_executable",
					   .heartbeat_interval_s = 30 };
	struct control_ops ops = { .start = host_start, .stop = host_stop };

	memset(&host, 0, sizeof(host));
	session_spec__init(&options.defaults);
	return control__new(NULL, NULL, &options, &ops, &host.control);
}

static int tear_down(void **state)
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
