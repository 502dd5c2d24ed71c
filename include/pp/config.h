/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_CONFIG_H
#define PP_CONFIG_H
/*
 * One table of the daemon's settings: file < environment < flag. Every effective value knows where
 * it came from. Flags and variables have the gProfiler agent's names where it has them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum config_origin { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };
const char *config_origin__name(enum config_origin origin);

/*
 * id, name in the file, environment variable, kind, max, default, help. The flag is the name with
 * '-' for '_'. max: a UINT is 1 to max, a STR or SECRET has at most max bytes.
 */
#define PP_SETTINGS(X)                                                                             \
	X(ENABLE_HEARTBEAT_SERVER, "enable_heartbeat_server", "GPROFILER_ENABLE_HEARTBEAT_SERVER", \
	  BOOL, 0, "no", "send heartbeats and obey commands")                                      \
	X(UPLOAD_RESULTS, "upload_results", "GPROFILER_UPLOAD_RESULTS", BOOL, 0, "no",             \
	  "upload profiles")                                                                       \
	X(SERVICE_NAME, "service_name", "GPROFILER_SERVICE_NAME", STR, 200, "",                    \
	  "name of the service")                                                                   \
	X(API_SERVER, "api_server", "GPROFILER_API_SERVER", STR, 2000, "",                         \
	  "base address for heartbeats")                                                           \
	X(SERVER_HOST, "server_host", "GPROFILER_SERVER_HOST", STR, 2000, "",                      \
	  "base address for uploads")                                                              \
	X(HEARTBEAT_INTERVAL, "heartbeat_interval", "GPROFILER_HEARTBEAT_INTERVAL", UINT, 86400,   \
	  "30", "seconds between heartbeats")                                                      \
	X(TOKEN_FILE, "token_file", "PULSEPROF_TOKEN_FILE", STR, 4000, "",                         \
	  "file that holds the token")                                                             \
	X(TOKEN, "token", "GPROFILER_TOKEN", SECRET, 1000, "",                                     \
	  "the token; from the environment or token_file")                                         \
	X(HOSTNAME, "hostname", "PULSEPROF_HOSTNAME", STR, 253, "",                                \
	  "name of this host; default: the kernel's")                                              \
	X(RATE_HZ, "profiling_frequency", "GPROFILER_PROFILING_FREQUENCY", UINT, 10000, "99",      \
	  "rate in Hz for commands that name none")                                                \
	X(CA_BUNDLE, "tls_ca_bundle", "GPROFILER_TLS_CA_BUNDLE", STR, 4000, "",                    \
	  "CA certificates for TLS")                                                               \
	X(STATE_DIR, "state_dir", "PULSEPROF_STATE_DIR", STR, 4000, "/var/lib/pulseprof",          \
	  "state directory")                                                                       \
	X(RUN_DIR, "run_dir", "PULSEPROF_RUN_DIR", STR, 4000, "/run/pulseprof",                    \
	  "run directory: lock, socket")                                                           \
	X(LOG_LEVEL, "log_level", "PULSEPROF_LOG_LEVEL", LEVEL, 0, "info",                         \
	  "error, warn, info or debug")                                                            \
	X(UPLOAD_MAX_BYTES, "upload_max_bytes", "PULSEPROF_UPLOAD_MAX_BYTES", UINT, 25165824,      \
	  "921600", "largest upload; others go in pieces")                                         \
	X(SPOOL_MAX_BYTES, "spool_max_bytes", "PULSEPROF_SPOOL_MAX_BYTES", UINT, 4294967295,       \
	  "268435456", "room for unsent profiles")                                                 \
	X(SPOOL_MAX_AGE_S, "spool_max_age_s", "PULSEPROF_SPOOL_MAX_AGE_S", UINT, 315360000,        \
	  "604800", "how long they may wait")                                                      \
	X(UPLOAD_LOGS, "upload_logs", "PULSEPROF_UPLOAD_LOGS", BOOL, 0, "no",                      \
	  "send our log lines to the api_server")
enum config_id {
#define X(id, name, env, kind, max, def, help) CONFIG_##id,
	PP_SETTINGS(X)
#undef X
		CONFIG_CNT
};

struct config;

/*
 * Reads the file (PULSEPROF_CONFIG, else /etc/pulseprof/pulseprofd.conf; absent is fine unless
 * named by PULSEPROF_CONFIG), then the environment (an empty variable counts as unset), then argv
 * from argv[1] on (--flag value, --flag=value, --bool). The token, if not in the environment, is
 * then read from token_file. environ_list ends with NULL. Given: config__free. --help, --version:
 * the caller's.
 *
 * -EINVAL: *why says which file:line, variable or flag, and what is wrong. -EPERM, -EBADMSG,
 * -ENOENT and others: a file that cannot be read or that others may write, *why says which.
 */
int config__load(int argc, char *const *argv, const char *const *environ_list, struct buf *why,
		 struct config **ret_config);
void config__free(struct config *self);
const char *config__str(const struct config *self, enum config_id id); /* "" if unset; borrowed */
bool config__bool(const struct config *self, enum config_id id);
uint64_t config__uint(const struct config *self, enum config_id id);
enum config_origin config__origin(const struct config *self, enum config_id id);
/*
 * The effective view, "name = value  # origin" a line, as the file has it; secrets as "***" in a
 * comment.
 */
int config__print(const struct config *self, struct buf *out);
/* The flags with their help, for --help. */
int config__usage(struct buf *out);

#endif
