/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Start, wait, stop. Always true: what was started is undone in reverse order, whether starting failed
 * half-way or a signal came; a run that goes on then ends early and its window is kept in the spool; a
 * second signal ends the program at once. While nothing runs, only the timer of the heartbeat is left.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/collect.h"
#include "pp/config.h"
#include "pp/container.h"
#include "pp/control.h"
#include "pp/net.h"
#include "pp/perf.h"
#include "pp/proc_host.h"
#include "pp/record.h"
#include "pp/rpc.h"
#include "pp/ship.h"
#include "pp/ship_logs.h"
#include "pp/symbol_debuginfod.h"

#define LOCK_NAME	   "pulseprofd.lock"
#define SYMBOL_CACHE_BYTES (4u << 20) /* some 60,000 places */
#define HEARTBEAT_WAIT_S   25 /* below what proxies usually allow a server */

static void on_stop_signal(void *arg, int signo)
{
	struct daemon *self = arg;

	if (self->is_stopping)
		_exit(DAEMON_FAILED);
	self->is_stopping = true;
	daemon_notify__say(&self->notify, "STOPPING=1");
	log_info("daemon: stops, signal=%d%s", signo, self->runs ? ", ends its runs first" : "");
	/* Nobody starts or hears anything any more. */
	control__free(self->control);
	self->control = NULL;
	daemon__stop_runs(self);
	daemon__stop_if_idle(self);
}

static void on_hangup(void *arg, int signo)
{
	log_warn("daemon: settings are read at start only, ignoring signal=%d", signo);
}

void daemon__stop_if_idle(struct daemon *self)
{
	bool is_alone = !config__bool(self->config, CONFIG_ENABLE_HEARTBEAT_SERVER);

	if (!self->runs && (self->is_stopping || is_alone))
		loop__stop(self->loop);
}

static int open_place(const char *what, const char *path, int *ret_fd)
{
	int err = dir__open_private(path, ret_fd);

	if (err == -EPERM)
		log_error("daemon: %s '%s' belongs to another user or others may write it: %s",
			  what, path, errname(err));
	else if (err)
		log_error("daemon: %s '%s' cannot be used: %s", what, path, errname(err));
	return err;
}

/* The lock is held until we end, however that comes about. */
static int take_places(struct daemon *self)
{
	const char *run_dir = config__str(self->config, CONFIG_RUN_DIR);
	int run_fd, state_fd, err;
	pid_t holder = 0;

	err = open_place("run directory", run_dir, &run_fd);
	if (err)
		return DAEMON_FAILED;
	err = file__lock(run_fd, LOCK_NAME, &self->lock_fd, &holder);
	close(run_fd);
	if (err == -EWOULDBLOCK) {
		log_error("daemon: another pulseprofd runs on this host, pid=%d", (int)holder);
		return DAEMON_FAILED;
	}
	if (err) {
		log_error("daemon: no lock in '%s': %s", run_dir, errname(err));
		return DAEMON_FAILED;
	}
	err = open_place("state directory", config__str(self->config, CONFIG_STATE_DIR), &state_fd);
	if (err)
		return DAEMON_FAILED;
	close(state_fd);
	return DAEMON_DONE;
}

#define COPY_TEXT(to, from) snprintf((to), sizeof(to), "%s", (from))

/* What no server can override, and what the operator adds to requests. */
static int read_settings(struct daemon *self)
{
	const struct config *config = self->config;
	_auto_buf_ struct buf why = { .max_bytes = 8192 };
	int err;

	if (daemon__read_policy(config, &self->policy))
		return DAEMON_USAGE;
	err = daemon_headers__load(&self->api_headers,
				   config__str(config, CONFIG_API_BASIC_AUTH_FILE),
				   config__str(config, CONFIG_API_HEADERS_FILE), &why);
	if (!err)
		err = daemon_headers__load(&self->server_headers,
					   config__str(config, CONFIG_SERVER_BASIC_AUTH_FILE),
					   config__str(config, CONFIG_SERVER_HEADERS_FILE), &why);
	if (!err)
		return DAEMON_DONE;
	log_error("daemon: %s", why.data ? why.data : errname(err));
	return DAEMON_USAGE;
}

static int describe_host(struct daemon *self)
{
	struct encode_host *host = &self->host;
	const char *name = config__str(self->config, CONFIG_HOSTNAME);
	struct host_facts facts;
	int err = host__read(&self->root, &facts);

	if (err) {
		log_error("daemon: no name of this host: %s", errname(err));
		return DAEMON_FAILED;
	}
	COPY_TEXT(host->hostname, *name ? name : facts.hostname);
	COPY_TEXT(host->private_ip, facts.private_ip);
	COPY_TEXT(host->mac_address, facts.mac_address);
	COPY_TEXT(host->system_name, facts.system_name);
	COPY_TEXT(host->os_name, facts.os_name);
	COPY_TEXT(host->os_release, facts.os_release);
	COPY_TEXT(host->kernel_release, facts.kernel_release);
	COPY_TEXT(host->kernel_version, facts.kernel_version);
	COPY_TEXT(host->hardware_type, facts.hardware_type);
	COPY_TEXT(host->libc_type, facts.libc_type);
	COPY_TEXT(host->libc_version, facts.libc_version);
	COPY_TEXT(host->run_mode, facts.run_mode);
	COPY_TEXT(host->deployment_type, facts.deployment_type);
	COPY_TEXT(host->agent_version, PP_VERSION);
	COPY_TEXT(host->service_name, config__str(self->config, CONFIG_SERVICE_NAME));
	host->processors = facts.processors;
	host->memory_capacity_mb = facts.memory_capacity_mb;
	host->pid = (uint32_t)getpid();
	host->spawn_real_ns = clock_real_ns();
	host->spawn_uptime_ms = facts.uptime_ms;
	return DAEMON_DONE;
}

static int start_loop(struct daemon *self)
{
	int err = loop__new(&self->loop);

	if (!err)
		err = loop_signal__new(self->loop, SIGTERM, on_stop_signal, self,
				       &self->signals[0]);
	if (!err)
		err = loop_signal__new(self->loop, SIGINT, on_stop_signal, self, &self->signals[1]);
	if (!err)
		err = loop_signal__new(self->loop, SIGHUP, on_hangup, self, &self->signals[2]);
	if (!err)
		return DAEMON_DONE;
	log_error("daemon: no event loop: %s", errname(err));
	return DAEMON_FAILED;
}

static int start_debuginfod(struct daemon *self, const char *dir)
{
	const char *urls = config__str(self->config, CONFIG_DEBUGINFOD_URLS);
	int err;

	if (!*urls)
		return DAEMON_DONE;
	err = dir ? debuginfod__new(self->net, urls, dir, &self->debuginfod) : -ENOMEM;
	if (!err)
		return DAEMON_DONE;
	log_error("daemon: debuginfod_urls '%s' with directory '%s': %s", urls, dir ? dir : "",
		  errname(err));
	return err == -EINVAL ? DAEMON_USAGE : DAEMON_FAILED;
}

/* Loaded once, for the life of the daemon. */
static int start_profiler(struct daemon *self)
{
	struct record_options options = { .has_reader = true,
					  .symbol_cache_bytes = SYMBOL_CACHE_BYTES };
	const char *why = "";
	const char *state_dir = config__str(self->config, CONFIG_STATE_DIR);
	char *cache_dir _auto_free_ = NULL, *debug_dir _auto_free_ = NULL;
	char *names_dir _auto_free_ = NULL;
	int err = collect__new(self->loop, &self->root, NULL, &self->collect, &why);

	if (err) {
		log_error("daemon: %s: %s", *why ? why : "the programs cannot be loaded",
			  errname(err));
		return err == -EOPNOTSUPP || err == -EPERM || err == -EACCES ? DAEMON_IMPOSSIBLE :
									       DAEMON_FAILED;
	}
	/* without it tables are made anew after each start */
	if (asprintf(&cache_dir, "%s/unwind", state_dir) >= 0)
		options.cache_dir = cache_dir;
	if (asprintf(&debug_dir, "%s/debug", state_dir) >= 0)
		options.debug_dir = debug_dir;
	if (asprintf(&names_dir, "%s/names", state_dir) >= 0)
		options.symbol_cache_dir = names_dir;
	err = start_debuginfod(self, debug_dir);
	options.debuginfod = self->debuginfod;
	if (err)
		return err;
	err = container_names__new(self->loop, self->net, &self->root, &self->container_names);
	options.container_names = self->container_names;
	if (!err)
		err = container_inventory__new(self->loop, &self->root, self->container_names,
					       &self->inventory);
	if (!err)
		err = record__new(self->loop, &self->root, self->collect, &options, &self->record);
	if (!err)
		return DAEMON_DONE;
	log_error("daemon: no recorder: %s", errname(err));
	return DAEMON_FAILED;
}

static int start_net(struct daemon *self)
{
	const struct net_options options = {
		.no_verify = config__bool(self->config, CONFIG_NO_VERIFY),
		.ca_bundle = config__str(self->config, CONFIG_CA_BUNDLE),
		.client_cert = config__str(self->config, CONFIG_CLIENT_CERT),
		.client_key = config__str(self->config, CONFIG_CLIENT_KEY),
		.proxy = config__str(self->config, CONFIG_PROXY),
	};
	const char *path;
	int err = net__new(self->loop, &options, &self->net);

	if (err) {
		log_error("daemon: no HTTP client: %s", errname(err));
		return DAEMON_FAILED;
	}
	err = net__load_files(self->net, &path);
	if (!err)
		return DAEMON_DONE;
	log_error("daemon: cannot read '%s' for TLS: %s", path, errname(err));
	return DAEMON_USAGE;
}

static int start_ship(struct daemon *self)
{
	const struct ship_options options = {
		.state_dir = config__str(self->config, CONFIG_STATE_DIR),
		.server_host = config__str(self->config, CONFIG_SERVER_HOST),
		.service_name = config__str(self->config, CONFIG_SERVICE_NAME),
		.token = config__str(self->config, CONFIG_TOKEN),
		.headers = (const char *const *)self->server_headers.lines,
		.spool_max_bytes = config__uint(self->config, CONFIG_SPOOL_MAX_BYTES),
		.spool_max_age_s = config__uint(self->config, CONFIG_SPOOL_MAX_AGE_S),
		.body_max_bytes = config__uint(self->config, CONFIG_UPLOAD_MAX_BYTES),
	};
	int err = ship__new(self->loop, self->net, &options, &self->ship);
	if (!err)
		return DAEMON_DONE;
	if (err == -EINVAL)
		log_error("daemon: --server-host is no http or https address: '%s'",
			  options.server_host);
	else
		log_error("daemon: no spool in '%s': %s", options.state_dir, errname(err));
	return err == -EINVAL ? DAEMON_USAGE : DAEMON_FAILED;
}

static int start_logs(struct daemon *self)
{
	const struct ship_logs_options options = {
		.api_server = config__str(self->config, CONFIG_API_SERVER),
		.service_name = config__str(self->config, CONFIG_SERVICE_NAME),
		.hostname = self->host.hostname,
		.agent_version = self->host.agent_version,
		.token = config__str(self->config, CONFIG_TOKEN),
		.headers = (const char *const *)self->api_headers.lines,
	};
	int err;

	if (!config__bool(self->config, CONFIG_UPLOAD_LOGS))
		return DAEMON_DONE;
	err = ship_logs__new(self->loop, self->net, &options, &self->logs);
	if (!err)
		return DAEMON_DONE;
	log_error("daemon: no upload of logs to '%s': %s", options.api_server, errname(err));
	return err == -EINVAL ? DAEMON_USAGE : DAEMON_FAILED;
}

static void read_defaults(const struct daemon *self, struct session_spec *spec)
{
	session_spec__init(spec);
	spec->rate_hz = (uint32_t)config__uint(self->config, CONFIG_RATE_HZ);
	spec->duration_s = (uint32_t)config__uint(self->config, CONFIG_DURATION_S);
}

/* As the agent does without heartbeats: windows back to back. The policy is about servers. */
static int start_alone(struct daemon *self)
{
	const struct control_ops ops = daemon__control_ops(self);
	struct session_spec spec;
	const char *why = NULL;
	int err;

	read_defaults(self, &spec);
	spec.continuous = true;
	ship__release(self->ship, NULL);
	err = ops.start(self, "", &spec, false, &why);
	if (!err)
		return DAEMON_DONE;
	log_error("daemon: cannot profile: %s (%s)", why ? why : "no run", errname(err));
	return DAEMON_FAILED;
}

static int start_control(struct daemon *self)
{
	const struct control_ops ops = daemon__control_ops(self);
	struct control_options options = {
		.api_server = config__str(self->config, CONFIG_API_SERVER),
		.service_name = config__str(self->config, CONFIG_SERVICE_NAME),
		.hostname = self->host.hostname,
		.token = config__str(self->config, CONFIG_TOKEN),
		.agent_version = self->host.agent_version,
		.run_mode = self->host.run_mode,
		.state_dir = config__str(self->config, CONFIG_STATE_DIR),
		.headers = (const char *const *)self->api_headers.lines,
		.supported_events = self->supported_events,
		.policy = &self->policy,
		.wait_s = config__bool(self->config, CONFIG_LONG_POLL) ? HEARTBEAT_WAIT_S : 0,
		.heartbeat_interval_s =
			(uint32_t)config__uint(self->config, CONFIG_HEARTBEAT_INTERVAL),
	};
	int err;

	if (!config__bool(self->config, CONFIG_ENABLE_HEARTBEAT_SERVER))
		return start_alone(self);
	perf_events__supported(self->supported_events);
	read_defaults(self, &options.defaults);
	err = control__new(self->loop, self->net, &options, &ops, &self->control);
	if (!err) {
		ship__release(self->ship, NULL);
		control__start(self->control);
		return DAEMON_DONE;
	}
	if (err == -EINVAL)
		log_error("daemon: --api-server is no http or https address: '%s'",
			  options.api_server);
	else
		log_error("daemon: no controller: %s", errname(err));
	return err == -EINVAL ? DAEMON_USAGE : DAEMON_FAILED;
}

static void clear(struct daemon *self)
{
	daemon_notify__close(&self->notify);
	loop_timer__free(self->quiet_timer);
	rpc_server__free(self->rpc);
	daemon__forget_pasts(self);
	control__free(self->control);
	ship_logs__free(self->logs);
	ship__free(self->ship);
	container_inventory__free(self->inventory);
	container_names__free(self->container_names);
	daemon_cloud__free(self->cloud);
	record__free(self->record);
	debuginfod__free(self->debuginfod);
	net__free(self->net);
	collect__free(self->collect);
	for (uint32_t i = 0; i < DAEMON_SIGNALS_MAX; i++)
		loop_signal__free(self->signals[i]);
	loop__free(self->loop);
	daemon_headers__clear(&self->api_headers);
	daemon_headers__clear(&self->server_headers);
	if (self->lock_fd >= 0)
		close(self->lock_fd);
	sysroot__close(&self->root);
}

int daemon__run(struct daemon *self, const struct config *config)
{
	int (*const steps[])(struct daemon *) = { take_places,
						  read_settings,
						  describe_host,
						  start_loop,
						  start_net,
						  daemon__ask_cloud,
						  start_profiler,
						  start_ship,
						  start_logs,
						  start_control,
						  daemon__watch_quiet_hours,
						  daemon__serve,
						  daemon_notify__ready };
	int code = DAEMON_DONE;

	memset(self, 0, sizeof(*self));
	self->config = config;
	self->lock_fd = -1;
	daemon_notify__open(&self->notify);
	if (sysroot__open_root(&self->root, "/")) {
		log_error("daemon: cannot open '/'");
		return DAEMON_FAILED;
	}
	for (uint32_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !code; i++)
		code = steps[i](self);
	if (!code) {
		log_info(
			"daemon: started, version=%s host='%s' service='%s' heartbeat_interval_s=%u",
			PP_VERSION, self->host.hostname, self->host.service_name,
			(unsigned int)config__uint(config, CONFIG_HEARTBEAT_INTERVAL));
		(void)loop__run(self->loop);
		log_info("daemon: stopped, profiles_waiting=%u", ship__waiting(self->ship));
		if (!self->is_stopping) /* profiling alone, it has ended by itself */
			code = DAEMON_FAILED;
	}
	clear(self);
	return code;
}
