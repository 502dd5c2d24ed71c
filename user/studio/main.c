/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprof-studio: the embedded backend. Reads the command line, opens the state directory, makes the
 * token at first start, listens on loopback unless told otherwise, and stops cleanly on SIGTERM. Prints
 * one line with its URL when it is ready; everything else goes to the log. No other logic here.
 */
#include "internal.h"
#include "slow.h"
#include "waiting.h"

#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define CONNECTIONS_MAX	    8192
#define CONNECTIONS_MAX_MAX 100000
#define DESCRIPTORS_BESIDE  256 /* files, the database, connections on their way out */
#define PEM_MAX_BYTES	    (256u << 10)

struct options {
	char address[64];
	uint16_t port;
	uint32_t connections_max, request_hosts_max, profiling_percent_max;
	const char *state_dir;
	const char *tls_cert, *tls_key;
	const char *server_name;
};

struct studio {
	struct options options;
	int state_fd, lock_fd;
	char state_path[4096];
	struct loop *loop;
	struct loop_signal *signals[2];
	struct store *store;
	struct shelf shelf;
	struct api api;
	struct httpd *httpd;
};

static const char usage_text[] =
	"usage: pulseprof-studio [OPTIONS]\n"
	"\n"
	"The embedded backend: agents' heartbeats, orders and profiles, and a page for operators.\n"
	"\n"
	"  --listen ADDRESS:PORT  numeric address; port 0 picks a free one (default 127.0.0.1:7878)\n"
	"  --state-dir DIR        default $PULSEPROF_STATE_DIR, else /var/lib/pulseprof; the studio uses\n"
	"                         its subdirectory studio: token, studio.db, profiles\n"
	"  --tls-cert FILE        PEM; with --tls-key required on any address but loopback\n"
	"  --tls-key FILE\n"
	"  --server-name NAME     a host name that the studio is reached by, besides its address\n"
	"  --connections-max N    agents and pages connected at the same time, 16 to 100000 (default 8192)\n"
	"  --max-request-hosts N  hosts that one order may name, 1 to 50000 (default 1000)\n"
	"  --max-profiling-percent N  of the hosts of the last day, so many may sample at once by orders of\n"
	"                         the bulk route, 1 to 100 (default 100)\n"
	"  --log-level LEVEL      error, warn, info or debug\n"
	"  --help, --version\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 usage.\n";

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "pulseprof-studio: %s '%s'\nsee pulseprof-studio --help\n", what, value);
	return 2;
}

/* "127.0.0.1:7878", "[::1]:7878" */
static bool parse_listen(const char *text, struct options *options)
{
	const char *colon = strrchr(text, ':');
	struct in6_addr addr;
	size_t len;
	char *end;
	long port;

	if (!colon)
		return false;
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(options->address))
		return false;
	snprintf(options->address, sizeof(options->address), "%.*s", (int)len, text);
	port = strtol(colon + 1, &end, 10);
	if (*end || end == colon + 1 || port < 0 || port > 65535)
		return false;
	options->port = (uint16_t)port;
	return inet_pton(AF_INET, options->address, &addr) == 1 ||
	       inet_pton(AF_INET6, options->address, &addr) == 1;
}

static bool is_loopback(const char *address)
{
	return !strncmp(address, "127.", 4) || !strcmp(address, "::1");
}

/* 0, or the exit code + 1. */
static int parse_number(const char *text, long min, long max, uint32_t *ret)
{
	char *end;
	const long number = strtol(text, &end, 10);

	if (*end || end == text || number < min || number > max)
		return 1 + usage_error("bad number", text);
	*ret = (uint32_t)number;
	return 0;
}

/* 0 go on, else the exit code + 1 (so that --help can end with 0). */
static int parse_option(int option, struct options *options)
{
	enum log_level level;

	switch (option) {
	case 'l': return parse_listen(optarg, options) ? 0 : 1 + usage_error("bad address", optarg);
	case 's': options->state_dir = optarg; return 0;
	case 'c': options->tls_cert = optarg; return 0;
	case 'k': options->tls_key = optarg; return 0;
	case 'n': options->server_name = optarg; return 0;
	case 'm': return parse_number(optarg, 16, CONNECTIONS_MAX_MAX, &options->connections_max);
	case 'r': return parse_number(optarg, 1, 50000, &options->request_hosts_max);
	case 'p': return parse_number(optarg, 1, 100, &options->profiling_percent_max);
	case 'v':
		if (!log_level__parse(optarg, &level))
			return 1 + usage_error("bad log level", optarg);
		log_set_level(level);
		return 0;
	case 'h': fputs(usage_text, stdout); return 1;
	case 'V': puts("pulseprof-studio " PP_VERSION); return 1;
	default: return 1 + usage_error("see above, at", "options");
	}
}

static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "state-dir", required_argument, NULL, 's' },
		{ "tls-cert", required_argument, NULL, 'c' },
		{ "tls-key", required_argument, NULL, 'k' },
		{ "server-name", required_argument, NULL, 'n' },
		{ "connections-max", required_argument, NULL, 'm' },
		{ "max-request-hosts", required_argument, NULL, 'r' },
		{ "max-profiling-percent", required_argument, NULL, 'p' },
		{ "log-level", required_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *dir = getenv("PULSEPROF_STATE_DIR");
	int option, end;

	*options = (struct options){
		.address = "127.0.0.1",
		.port = 7878,
		.connections_max = CONNECTIONS_MAX,
		.request_hosts_max = 1000,
		.profiling_percent_max = 100,
		.state_dir = dir && *dir ? dir : "/var/lib/pulseprof",
	};
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		end = parse_option(option, options);
		if (end)
			return end;
	}
	if (optind < argc)
		return 1 + usage_error("unexpected word", argv[optind]);
	if (!options->tls_cert != !options->tls_key)
		return 1 +
		       usage_error(
			       "--tls-cert and --tls-key belong together, only one is given with",
			       options->tls_cert ? options->tls_cert : options->tls_key);
	if (!is_loopback(options->address) && !options->tls_cert)
		return 1 + usage_error("refusing to listen without --tls-cert and --tls-key on",
				       options->address);
	return 0;
}

static int fail(const char *what, const char *subject, int err)
{
	log_error("studio: %s '%s': %s", what, subject, errname(err));
	return err;
}

/* DIR and DIR/studio, both ours alone; the second holds everything. */
static int studio__open_state(struct studio *self)
{
	int dir_fd _auto_close_ = -1;
	pid_t holder = 0;
	int err;

	err = dir__open_private(self->options.state_dir, &dir_fd);
	if (err)
		return fail(err == -EPERM ?
				    "state directory of another owner or writable by others" :
				    "cannot open the state directory",
			    self->options.state_dir, err);
	snprintf(self->state_path, sizeof(self->state_path), "%s/studio", self->options.state_dir);
	err = dir__open_private(self->state_path, &self->state_fd);
	if (err)
		return fail("cannot open the state directory", self->state_path, err);
	err = file__lock(self->state_fd, "lock", &self->lock_fd, &holder);
	if (err == -EWOULDBLOCK)
		log_error("studio: another studio (pid %d) uses '%s'", (int)holder,
			  self->state_path);
	else if (err)
		return fail("cannot lock", self->state_path, err);
	return err;
}

static int studio__open_data(struct studio *self)
{
	char path[sizeof(self->state_path) + 16];
	bool is_new = false;
	int err;

	err = token__load(self->state_fd, &self->api.token, &is_new);
	if (err)
		return fail(err == -EBADMSG ?
				    "the file holds no token (remove it to get a new one)" :
				    "cannot read or make the token in",
			    "token", err);
	log_info("studio: the token is %sin '%s/token'", is_new ? "new, " : "", self->state_path);
	snprintf(path, sizeof(path), "%s/studio.db", self->state_path);
	err = store__open(path, &self->store);
	if (err)
		return fail(err == -EPROTO  ? "database made by a newer version" :
			    err == -EBADMSG ? "database damaged" :
					      "cannot open the database",
			    path, err);
	err = store__open(path, &self->api.view);
	if (err)
		return fail("cannot open the database again", path, err);
	err = shelf__open(&self->shelf, self->state_fd, self->store);
	return err ? fail("cannot open the profiles in", self->state_path, err) : 0;
}

static int read_pem(const char *path, struct buf *out)
{
	int err;

	buf__init(out, PEM_MAX_BYTES);
	if (!path)
		return 0;
	err = file__read_at(AT_FDCWD, path, out);
	return err ? fail("cannot read", path, err) : 0;
}

/* The limit of open files follows the connections, or, where it must not, they follow it. */
static uint32_t fit_connections(uint32_t wanted)
{
	struct rlimit limit;
	rlim_t max;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return min_of(wanted, 512u);
	max = max_of(limit.rlim_cur, (rlim_t)wanted + DESCRIPTORS_BESIDE);
	if (!setrlimit(RLIMIT_NOFILE, &(struct rlimit){ max, max_of(max, limit.rlim_max) }) ||
	    !setrlimit(RLIMIT_NOFILE,
		       &(struct rlimit){ min_of(max, limit.rlim_max), limit.rlim_max }))
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= (rlim_t)wanted + DESCRIPTORS_BESIDE)
		return wanted;
	wanted = (uint32_t)max_of(limit.rlim_cur, (rlim_t)DESCRIPTORS_BESIDE + 16) -
		 DESCRIPTORS_BESIDE;
	log_warn("studio: only '%u' connections at the same time: the limit of open files is %llu",
		 wanted, (unsigned long long)limit.rlim_cur);
	return wanted;
}

static int studio__listen(struct studio *self)
{
	const struct options *options = &self->options;
	struct buf cert _auto_buf_ = { 0 }, key _auto_buf_ = { 0 };
	const bool is_ip6 = strchr(options->address, ':');
	struct httpd_options httpd;
	int err;

	err = read_pem(options->tls_cert, &cert);
	err = err ? err : read_pem(options->tls_key, &key);
	if (err)
		return err;
	httpd = (struct httpd_options){
		.address = options->address,
		.port = options->port,
		.tls_cert_pem = cert.data,
		.tls_key_pem = key.data,
		.body_max_bytes = UPLOAD_WIRE_MAX_BYTES,
		.connections_max = fit_connections(options->connections_max),
		.head = api__head,
	};
	/* From this machine come proxies and tunnels: those who are behind them look like one. */
	if (!is_loopback(options->address))
		httpd.strangers_per_address_max = httpd.connections_max / 8;
	self->api.store = self->store;
	self->api.shelf = &self->shelf;
	self->api.state_fd = self->state_fd;
	self->api.address = options->address;
	self->api.server_name = options->server_name;
	self->api.is_tls = options->tls_cert;
	self->api.request_hosts_max = options->request_hosts_max;
	self->api.profiling_percent_max = options->profiling_percent_max;
	err = api__start_waiting(&self->api, self->loop, httpd.connections_max / 4 * 3);
	err = err ? err : slow__new(self->loop, &self->api.slow);
	if (err)
		return fail("cannot start", "queues", err);
	err = httpd__new(self->loop, &httpd, api__handle, &self->api, &self->httpd);
	if (err)
		return fail("cannot listen on", options->address, err);
	printf("listening on http%s://%s%s%s:%u\n", options->tls_cert ? "s" : "", is_ip6 ? "[" : "",
	       options->address, is_ip6 ? "]" : "", httpd__port(self->httpd));
	return fflush(stdout) ? -errno : 0;
}

static void on_signal(void *arg, int signo)
{
	struct studio *self = arg;

	log_info("studio: stopping");
	loop__stop(self->loop);
}

static int studio__start(struct studio *self)
{
	int err;

	err = studio__open_state(self);
	err = err ? err : studio__open_data(self);
	if (err)
		return err;
	err = loop__new(&self->loop);
	err = err ? err : loop_signal__new(self->loop, SIGTERM, on_signal, self, &self->signals[0]);
	err = err ? err : loop_signal__new(self->loop, SIGINT, on_signal, self, &self->signals[1]);
	if (err)
		return fail("cannot start", "event loop", err);
	return studio__listen(self);
}

static void studio__stop(struct studio *self)
{
	httpd__free(self->httpd);
	waiting__free(self->api.waiting);
	loop_signal__free(self->signals[0]);
	loop_signal__free(self->signals[1]);
	loop__free(self->loop);
	slow__free(self->api.slow);
	shelf__close(&self->shelf);
	store__close(self->api.view);
	store__close(self->store);
	if (self->lock_fd >= 0)
		close(self->lock_fd);
	if (self->state_fd >= 0)
		close(self->state_fd);
}

int main(int argc, char **argv)
{
	static struct studio studio = { .state_fd = -1, .lock_fd = -1, .shelf.dir_fd = -1 };
	int err;

	if (stdio__fill())
		return 1; /* nowhere to say why */
	err = parse_options(argc, argv, &studio.options);
	if (err)
		return err - 1;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(077); /* SQLite makes files by itself */
	err = studio__start(&studio);
	if (!err)
		err = loop__run(studio.loop);
	studio__stop(&studio);
	return err ? 1 : 0;
}
