/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `pulseprof counter list`: what this machine counts, and why not what it does not. `pulseprof counter stat`: counts and
 * metrics by CPU, cgroup, container or process, now and then or while a command runs.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "counter.h"
#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/base/loop.h"
#include "pp/container.h"
#include "pp/net.h"
#include "run.h"

#define SPARE_NS	 20000000
#define COST_MAX_PERCENT 1

enum {
	STAT_PER = CLI_OPTION_OWN,
	STAT_INTERVAL,
	STAT_EVENTS,
	STAT_DURATION,
	STAT_COST,
	STAT_PROMETHEUS
};
const struct cli_option counter_stat_options[] = {
	{ STAT_PER, "per", "SCOPE", "system (default), socket, cpu, cgroup, container, process" },
	{ STAT_INTERVAL, "interval", "S",
	  "a table so often (1; with a command: once, at its end)" },
	{ STAT_DURATION, "duration", "S",
	  "end after so long; else at Ctrl-C or the command's end" },
	{ STAT_COST, "cost-max", "PERCENT",
	  "of all CPU time (1): above it not by process; 0: none" },
	{ STAT_PROMETHEUS, "prometheus", NULL,
	  "as a node exporter's text file collector takes it" },
	{ STAT_EVENTS, "events", "NAMES", "these only, separated by commas; see 'counter list'" },
	{ 0 },
};

struct stat {
	struct cli *cli;
	enum counter_scope_kind per;
	double interval_s, duration_s; /* 0: none */
	double cost_max_percent;
	const char *events; /* NULL: the default ones */
	char *const *argv; /* NULL: no command */
	struct counter_set set;
	struct counter_run *run;
	struct loop *loop;
	struct net *net;
	struct container_names *names;
	struct loop_timer *timer, *deadline;
	struct loop_signal *signals[2];
	struct command command;
	struct loop_io *command_io;
	int command_fd;
	uint64_t shown_ns;
	bool for_prometheus;
	bool is_over;
	int code;
};

struct list {
	struct cli *cli;
	struct counter_cpu cpu;
	struct json_object *rows;
};

static int add_row(void *arg, const char *name)
{
	struct list *self = arg;
	struct json_object *row = json__new_object();
	struct counter_event event;
	int err = counter_event__find(&self->cli->root, &self->cpu, name, &event);

	if (!err)
		counter_event__probe(&event);
	if (!err)
		err = json__add_str(row, "event", name);
	if (!err)
		err = json__add_str(row, "status", counter_status__name(event.status));
	if (!err)
		err = json__add_str(row, "counts", event.what);
	if (!err)
		err = json__add_str(row, "why", event.why);
	return json__add(self->rows, NULL, row) ?: err;
}

int cmd_counter_list(struct cli *cli, int argc, char **argv)
{
	static const struct view_column columns[] = {
		{ "event", false }, { "status", false }, { "counts", false }, { "why", false }
	};
	_auto_json_ struct json_object *rows = json__new_array();
	struct list list = { .cli = cli, .rows = rows };
	int err;

	if (argc)
		return cli__usage(cli, "unexpected word '%s'", argv[0]);
	err = counter_cpu__read(&cli->root, &list.cpu);
	if (!err && !cli->json) {
		uint32_t free_cnt = counter_pmu__free(&list.cpu);

		printf("CPU %s (%s), ", list.cpu.id[0] ? list.cpu.id : "unknown",
		       list.cpu.uarch ? list.cpu.uarch : "not in our table");
		if (list.cpu.pmu[0])
			printf("PMU '%s' with %u free counters\n\n", list.cpu.pmu, free_cnt);
		else
			printf("no PMU: this machine offers no hardware counters\n\n");
	}
	if (!err)
		err = counter_events__each_name(add_row, &list);
	if (err || !rows)
		return cli__fail(cli, CLI_FAILED, err ?: -ENOMEM, NULL, "the list failed (%s)",
				 errname(err ?: -ENOMEM));
	return view__print_rows(cli, rows, columns, ARRAY_SIZE(columns));
}

static void show(struct stat *self)
{
	struct counter_window window;
	int err;

	if (self->is_over)
		return;
	err = counter_run__read(self->run, self->names, &window);
	if (err) {
		self->code = cli__fail(self->cli, CLI_FAILED, err, NULL,
				       "the counts cannot be read (%s)", errname(err));
		self->is_over = true;
		loop__stop(self->loop);
		return;
	}
	if (counter_view__print(self->cli, self->for_prometheus, &self->set, &window, self->per))
		self->code = CLI_FAILED;
	counter_window__clear(&window);
	self->shown_ns = clock_mono_ns();
}

static void on_interval(void *arg)
{
	show(arg);
}

static void end(struct stat *self)
{
	if (!self->shown_ns ||
	    clock_mono_ns() - self->shown_ns > SPARE_NS) /* an interval ended just now */
		show(self);
	self->is_over = true;
	loop__stop(self->loop);
}

static void on_end(void *arg)
{
	end(arg);
}

static void on_signal(void *arg, int signo)
{
	end(arg);
}

static void on_command_end(void *arg, int events, int err)
{
	struct stat *self = arg;

	command__reap(&self->command);
	end(self);
}

static int parse_seconds(struct stat *self, const char *option, const char *text, double *ret_s)
{
	char *rest;
	double s = strtod(text, &rest);

	if (rest == text || *rest || !(s >= 0.1 && s <= 86400))
		return cli__usage(self->cli, "--%s '%s': seconds from 0.1 to 86400", option, text);
	*ret_s = s;
	return 0;
}

static int parse_cost(struct stat *self, const char *text)
{
	char *rest;
	double percent = strtod(text, &rest);

	if (rest == text || *rest || !(percent >= 0 && percent <= 100))
		return cli__usage(self->cli, "--cost-max '%s': percent from 0 to 100", text);
	self->cost_max_percent = percent;
	return 0;
}

static int parse_per(struct stat *self, const char *text)
{
	for (int kind = 0; kind < COUNTER_SCOPE_CNT; kind++)
		if (!strcmp(text, counter_scope__kind_name(kind))) {
			self->per = kind;
			return 0;
		}
	return cli__usage(self->cli,
			  "--per '%s': system, socket, cpu, cgroup, container or process", text);
}

static int parse(struct stat *self, int argc, char **argv)
{
	const char *value;
	int code = 0, pos = 0;

	while (pos < argc && !code) {
		if (!strcmp(argv[pos], "--")) {
			self->argv = argv + pos + 1;
			if (!*self->argv)
				return cli__usage(self->cli, "'--' without a command");
			return 0;
		}
		if (argv[pos][0] != '-')
			return cli__usage(self->cli, "unexpected word '%s'", argv[pos]);
		switch (cli__option(self->cli, argc, argv, &pos, &value)) {
		case STAT_PER: code = parse_per(self, value); break;
		case STAT_INTERVAL:
			code = parse_seconds(self, "interval", value, &self->interval_s);
			break;
		case STAT_DURATION:
			code = parse_seconds(self, "duration", value, &self->duration_s);
			break;
		case STAT_PROMETHEUS: self->for_prometheus = true; break;
		case STAT_COST: code = parse_cost(self, value); break;
		case STAT_EVENTS: self->events = value; break;
		case CLI_OPTION_JSON:
		case CLI_OPTION_PRETTY: break;
		case CLI_OPTION_HELP: cli__print_help(self->cli, "counter"); return -1;
		default: return CLI_USAGE;
		}
	}
	return code;
}

static int choose_events(struct stat *self)
{
	const char *name = "";
	int err = self->events ?
			  counter_set__parse(&self->cli->root, self->events, &self->set, &name) :
			  counter_set__default(&self->cli->root, &self->set);

	if (err == -EINVAL)
		return cli__usage(self->cli,
				  "--events: '%s' is no event; 'pulseprof counter list' has them",
				  name);
	if (err == -E2BIG)
		return cli__usage(self->cli, "--events: at most %d", PP_EVENTS_MAX);
	if (err)
		return cli__fail(self->cli, CLI_FAILED, err, NULL, "no events (%s)", errname(err));
	return 0;
}

/* What cannot be counted is said once, before the first table. */
static void tell_missing(const struct stat *self)
{
	if (self->cli->json)
		return;
	for (uint32_t i = 0; i < self->set.cnt; i++) {
		const struct counter_event *event = &self->set.events[i];

		if (event->status != COUNTER_OK)
			fprintf(stderr, "%s: %s: %s\n", event->name,
				counter_status__name(event->status), event->why);
	}
}

static int prepare(struct stat *self)
{
	const struct net_options net_options = { 0 };
	int err = loop__new(&self->loop);

	if (!err)
		err = net__new(self->loop, &net_options, &self->net);
	if (!err)
		err = container_names__new(self->loop, self->net, &self->cli->root, &self->names);
	if (!err)
		err = loop_timer__new(self->loop, on_interval, self, &self->timer);
	if (!err)
		err = loop_timer__new(self->loop, on_end, self, &self->deadline);
	if (!err)
		err = loop_signal__new(self->loop, SIGINT, on_signal, self, &self->signals[0]);
	if (!err)
		err = loop_signal__new(self->loop, SIGTERM, on_signal, self, &self->signals[1]);
	if (!err && self->command.pid) {
		self->command_fd = (int)syscall(SYS_pidfd_open, self->command.pid, 0);
		err = self->command_fd < 0 ? -errno :
					     loop_io__new(self->loop, self->command_fd, LOOP_READ,
							  on_command_end, self, &self->command_io);
	}
	return err ? cli__fail(self->cli, CLI_FAILED, err, NULL, "no event loop (%s)",
			       errname(err)) :
		     0;
}

static int count(struct stat *self)
{
	const char *why = "";
	int err = counter_run__start(&self->cli->root, &self->set, (uint32_t)self->command.pid,
				     self->cost_max_percent, &self->run, &why);

	if (err)
		return cli__fail(self->cli, cli__code_of(err), err, NULL, "%s (%s)",
				 *why ? why : "counting cannot begin", errname(err));
	tell_missing(self);
	if (self->interval_s > 0)
		err = loop_timer__start(self->timer, (uint64_t)(self->interval_s * 1000),
					(uint64_t)(self->interval_s * 1000));
	if (!err && self->duration_s > 0)
		err = loop_timer__start(self->deadline, (uint64_t)(self->duration_s * 1000), 0);
	if (!err && self->command.pid) {
		err = command__go(&self->command);
		if (err)
			return cli__fail(self->cli, CLI_FAILED, err, NULL, "'%s' cannot be run: %s",
					 self->argv[0], strerror(-err));
	}
	if (!err)
		(void)loop__run(self->loop);
	return err ? cli__fail(self->cli, CLI_FAILED, err, NULL, "no timer (%s)", errname(err)) :
		     self->code;
}

static void clear(struct stat *self)
{
	counter_run__free(self->run);
	loop_io__free(self->command_io);
	for (int i = 0; i < 2; i++)
		loop_signal__free(self->signals[i]);
	loop_timer__free(self->timer);
	loop_timer__free(self->deadline);
	container_names__free(self->names);
	net__free(self->net);
	if (self->loop)
		loop__free(self->loop);
	if (self->command_fd >= 0)
		close(self->command_fd);
	if (self->command.pid)
		command__close(&self->command);
}

int cmd_counter_stat(struct cli *cli, int argc, char **argv)
{
	struct stat *self = calloc(1, sizeof(*self));
	int code, err;

	if (!self)
		return cli__fail(cli, CLI_FAILED, -ENOMEM, NULL, "out of memory");
	self->cli = cli;
	self->command_fd = -1;
	self->cost_max_percent = COST_MAX_PERCENT;
	code = parse(self, argc, argv);
	if (!code)
		code = choose_events(self);
	if (!self->argv && self->interval_s <= 0)
		self->interval_s = 1;
	if (!code && self->argv) {
		err = command__start(&self->command, cli, self->argv);
		if (err)
			code = cli__fail(cli, CLI_FAILED, err, NULL, "no process (%s)",
					 errname(err));
	}
	if (!code)
		code = prepare(self);
	if (!code)
		code = count(self);
	clear(self);
	free(self);
	return code < 0 ? CLI_DONE : code;
}
