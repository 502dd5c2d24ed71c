/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_CONFIG_H
#define PP_CONFIG_H
/*
 * One table of the daemon's settings: file < environment < flag. Every effective value knows where it
 * came from. Flags and variables have the gProfiler agent's names where it has them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum config_origin { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };
const char *config_origin__name(enum config_origin origin);

/* id, name in the file, flag, environment variable, kind, default, help */
#define PP_SETTINGS(X)                                                                                        \
	X(ENABLE_HEARTBEAT_SERVER, "enable_heartbeat_server", "GPROFILER_ENABLE_HEARTBEAT_SERVER", BOOL, "no", \
	  "send heartbeats and obey commands")                                                                \
	X(UPLOAD_RESULTS, "upload_results", "GPROFILER_UPLOAD_RESULTS", BOOL, "no", "upload profiles")        \
	X(SERVICE_NAME, "service_name", "GPROFILER_SERVICE_NAME", STR, "", "name of the service")             \
	X(API_SERVER, "api_server", "GPROFILER_API_SERVER", STR, "", "base address for heartbeats")           \
	X(SERVER_HOST, "server_host", "GPROFILER_SERVER_HOST", STR, "", "base address for uploads")           \
	X(HEARTBEAT_INTERVAL, "heartbeat_interval", "GPROFILER_HEARTBEAT_INTERVAL", UINT, "30",               \
	  "seconds between heartbeats")                                                                       \
	X(TOKEN_FILE, "token_file", "PULSEPROF_TOKEN_FILE", STR, "", "file that holds the token")             \
	X(TOKEN, "token", "GPROFILER_TOKEN", SECRET, "", "the token (environment only)")                      \
	X(HOSTNAME, "hostname", "PULSEPROF_HOSTNAME", STR, "", "name of this host; default: the kernel's")    \
	X(RATE_HZ, "profiling_frequency", "GPROFILER_PROFILING_FREQUENCY", UINT, "99",                        \
	  "rate for commands that name none")                                                                 \
	X(CA_BUNDLE, "tls_ca_bundle", "GPROFILER_TLS_CA_BUNDLE", STR, "", "CA certificates for TLS")          \
	X(STATE_DIR, "state_dir", "PULSEPROF_STATE_DIR", STR, "/var/lib/pulseprof", "state directory")        \
	X(RUN_DIR, "run_dir", "PULSEPROF_RUN_DIR", STR, "/run/pulseprof", "run directory: lock, socket")      \
	X(LOG_LEVEL, "log_level", "PULSEPROF_LOG_LEVEL", STR, "info", "error, warn, info or debug")
enum config_id {
#define X(id, name, env, kind, def, help) CONFIG_##id,
	PP_SETTINGS(X)
#undef X
	CONFIG_CNT
};

struct config;

/*
 * Reads the file (PULSEPROF_CONFIG, else /etc/pulseprof/pulseprofd.conf; absent is fine unless named by
 * PULSEPROF_CONFIG), then the environment, then argv (--flag value, --flag=value, --bool; '_' in a name is
 * '-' in its flag). On failure -EINVAL and *why says which file:line, variable or flag.
 * --help and --version are the caller's. Unknown flags: -EINVAL.
 */
int config__load(int argc, char *const *argv, const char *const *environ_list, struct buf *why,
		 struct config **ret_config);
void config__free(struct config *self);
const char *config__str(const struct config *self, enum config_id id); /* "" if unset; borrowed */
bool config__bool(const struct config *self, enum config_id id);
uint64_t config__uint(const struct config *self, enum config_id id);
enum config_origin config__origin(const struct config *self, enum config_id id);
/* The effective view, "name = value  # origin" a line; secrets as "***". */
int config__print(const struct config *self, struct buf *out);
/* The flags with their help, for --help. */
int config__usage(struct buf *out);

#endif
