/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The controller and the sender over real HTTP, without a profiler: a start is answered with "sampling"
 * at once and with "ended" when asked. Runs until SIGTERM. For tests that play a bad server.
 *
 *   control_probe heartbeat BASE_URL [CA_FILE]       prints "start ID" and "stop ID"
 *   control_probe upload BASE_URL STATE_DIR CNT      spools CNT profiles of 1,000 samples and 1 MB, prints "waiting 0"
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/err.h"
#include "pp/base/loop.h"
#include "pp/control.h"
#include "pp/net.h"
#include "pp/ship.h"

static struct loop *loop;
static struct net *net;
static struct control *control;
static struct ship *ship;
static struct loop_timer *timer;
static char running[64];
static bool ending;

static int on_start(void *arg, const char *command_id, const struct session_spec *spec,
		    bool is_again, const char **ret_why)
{
	printf("start %s\n", command_id);
	snprintf(running, sizeof(running), "%s", command_id);
	return loop_timer__start(timer, 10, 0);
}

static void on_stop(void *arg, const char *command_id)
{
	printf("stop %s\n", command_id);
	ending = true;
	loop_timer__start(timer, 10, 0);
}

static void on_timer(void *arg)
{
	if (ship) {
		if (ship__waiting(ship))
			return;
		printf("waiting 0\n");
		loop_timer__stop(timer);
	} else if (ending) {
		ending = false;
		control__run_ended(control, running, &(struct control_end){ 0 });
	} else {
		control__run_sampling(control, running);
	}
}

static void on_signal(void *arg, int signo)
{
	loop__stop(loop);
}

static int begin_heartbeat(const char *url)
{
	struct control_options options = {
		.api_server = url,
		.service_name = "svc",
		.hostname = "node-7",
		.token = "s3cret",
		.agent_version = "0.1.0",
		.run_mode = "standalone_executable",
		.heartbeat_interval_s = 1,
	};
	struct control_ops ops = { .start = on_start, .stop = on_stop };
	int err;

	session_spec__init(&options.defaults);
	err = control__new(loop, net, &options, &ops, &control);
	if (!err)
		control__start(control);
	return err;
}

/* Text that gzip makes about 10 times smaller, another one each time. */
static int put_profile(uint32_t number)
{
	_auto_buf_ struct buf parcel;
	const struct ship_item item = { .parcel = &parcel };
	uint32_t x = number + 1;

	buf__init(&parcel, 4 << 20);
	buf__printf(
		&parcel,
		"{\"body\":{\"start_time\":\"2026-11-22T14:26:26\",\"number\":%u},\"header\":{}}\n"
		"null",
		number);
	for (uint32_t i = 0; i < 1000; i++) {
		buf__printf(&parcel, "\n0;;comm_%03u", i);
		for (uint32_t j = 0; j < 80; j++) {
			x = x * 1664525 + 1013904223;
			buf__printf(&parcel, ";frame_%u", x >> 20);
		}
		buf__puts(&parcel, " 1");
	}
	return parcel.err ? parcel.err : ship__put(ship, &item, NULL, NULL);
}

static int begin_upload(const char *url, const char *state_dir, uint32_t cnt)
{
	struct ship_options options = {
		.state_dir = state_dir, .server_host = url, .service_name = "svc", .token = "s3cret"
	};
	uint32_t i;
	int err = ship__new(loop, net, &options, &ship);

	for (i = 0; !err && i < cnt; i++)
		err = put_profile(i);
	return err ? err : loop_timer__start(timer, 20, 20);
}

int main(int argc, char **argv)
{
	struct net_options net_options = { 0 };
	struct loop_signal *signal_handle;
	int err;

	if (argc < 3)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(argv[1], "heartbeat") && argc > 3)
		net_options.ca_bundle = argv[3];
	err = loop__new(&loop);
	if (!err)
		err = net__new(loop, &net_options, &net);
	if (!err)
		err = loop_timer__new(loop, on_timer, NULL, &timer);
	if (!err)
		err = loop_signal__new(loop, SIGTERM, on_signal, NULL, &signal_handle);
	if (!err && !strcmp(argv[1], "heartbeat"))
		err = begin_heartbeat(argv[2]);
	else if (!err && !strcmp(argv[1], "upload") && argc == 5)
		err = begin_upload(argv[2], argv[3], (uint32_t)atoi(argv[4]));
	if (err) {
		fprintf(stderr, "control_probe: %s\n", errname(err));
		return 1;
	}
	loop__run(loop);
	control__free(control);
	ship__free(ship);
	net__free(net);
	loop__free(loop);
	return 0;
}
