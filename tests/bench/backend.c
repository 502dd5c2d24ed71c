/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A backend with a stopwatch: backend ROUNDS HOLD_MS HZ. Listens on a free loopback port and prints it. In
 * each round it answers one heartbeat with a start and one, HOLD_MS after sampling began, with a stop,
 * and prints, until it is ended,
 *	start_ms N	from the start's answer to the report that the first sample is there
 *	stop_ms N	from the stop's answer to the upload of the profile and its flame graph, received
 * and "done" after the last round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pp/base/json.h"
#include "pp/base/loop.h"
#include "pp/httpd.h"

enum step { IDLE, STARTING, SAMPLING, STOPPING };

struct backend {
	struct loop *loop;
	unsigned long rounds;
	unsigned long hold_ms;
	unsigned long hz;
	unsigned long ids;
	enum step step;
	uint64_t since_ns;
};

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static double elapsed_ms(const struct backend *self)
{
	return (double)(now_ns() - self->since_ns) / 1e6;
}

static void go_to(struct backend *self, enum step step)
{
	self->step = step;
	self->since_ns = now_ns();
}

static void print_heartbeat(struct backend *self, char *text, size_t text_bytes)
{
	static const char *const no_command =
		"{\"success\":true,\"message\":\"Heartbeat received. No profiling commands.\","
		"\"profiling_command\":null,\"command_id\":null}";
	const char *type = NULL;

	if (self->step == IDLE && self->rounds)
		type = "start";
	else if (self->step == SAMPLING && elapsed_ms(self) >= (double)self->hold_ms)
		type = "stop";
	if (!type) {
		snprintf(text, text_bytes, "%s", no_command);
		return;
	}
	snprintf(
		text, text_bytes,
		"{\"success\":true,\"message\":\"Heartbeat received. New profiling command available.\","
		"\"profiling_command\":{\"command_type\":\"%s\",\"combined_config\":{\"command_type\":\"%s\","
		"\"stop_level\":\"host\",\"continuous\":false,\"duration\":600,\"frequency\":%lu,"
		"\"profiling_mode\":\"cpu\"}},\"command_id\":\"00000000-0000-4000-8000-%012lu\"}",
		type, type, self->hz, ++self->ids);
	go_to(self, self->step == IDLE ? STARTING : STOPPING);
}

static void on_completion(struct backend *self, const struct httpd_request *request)
{
	if (!strstr(request->body, "\"completed\""))
		printf("failed %s\n", request->body);
	if (self->step != STARTING)
		return;
	printf("start_ms %.2f\n", elapsed_ms(self));
	go_to(self, SAMPLING);
}

static void on_upload(struct backend *self, const struct httpd_request *request)
{
	if (self->step != STOPPING)
		return;
	printf("stop_ms %.2f\nupload_bytes %zu\n", elapsed_ms(self), request->body_len);
	self->rounds--;
	go_to(self, IDLE);
	if (!self->rounds)
		printf("done\n");
}

static void on_request(void *arg, const struct httpd_request *request)
{
	struct backend *self = arg;
	char text[640] = "{\"success\":true,\"message\":\"ok\",\"gpid\":\"1\"}";
	struct httpd_answer answer = { .status = 200, .content_type = "application/json" };

	if (!strcmp(request->path, "/api/metrics/heartbeat"))
		print_heartbeat(self, text, sizeof(text));
	else if (!strcmp(request->path, "/api/metrics/command_completion"))
		on_completion(self, request);
	else if (!strcmp(request->path, "/api/v2/profiles"))
		on_upload(self, request);
	fflush(stdout);
	answer.body = text;
	answer.body_len = strlen(text);
	httpd_call__answer(request->call, &answer);
}

int main(int argc, char **argv)
{
	struct httpd_options options = {
		.address = "127.0.0.1",
		.body_max_bytes = 64u << 20,
		.connections_max = 16,
	};
	struct backend self = { 0 };
	struct httpd *httpd = NULL;

	if (argc != 4)
		return 2;
	self.rounds = strtoul(argv[1], NULL, 10);
	self.hold_ms = strtoul(argv[2], NULL, 10);
	self.hz = strtoul(argv[3], NULL, 10);
	self.ids = (unsigned long)getpid() * 1000; /* the daemon never runs an id twice */
	if (loop__new(&self.loop) || httpd__new(self.loop, &options, on_request, &self, &httpd))
		return 1;
	printf("port %u\n", httpd__port(httpd));
	fflush(stdout);
	loop__run(self.loop);
	httpd__free(httpd);
	loop__free(self.loop);
	return 0;
}
