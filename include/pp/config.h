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
 * '-' for '_', and PULSEPROF_ before the name in capitals is a variable, too. max: a UINT is 1 to
 * max, a STR or SECRET has at most max bytes. New ones go to the end.
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
	  "send our log lines to the api_server")                                                  \
	X(DURATION_S, "profiling_duration", "GPROFILER_PROFILING_DURATION", UINT, 86400, "60",     \
	  "seconds for commands that name none")                                                   \
	X(CONTINUOUS, "continuous", "GPROFILER_CONTINUOUS", BOOL, 0, "no",                         \
	  "without heartbeats: profile all the time")                                              \
	X(NO_VERIFY, "no_verify", "GPROFILER_NO_VERIFY", BOOL, 0, "no",                            \
	  "do not check server certificates")                                                      \
	X(TLS_VERIFY, "tls_verify", "PULSEPROF_TLS_VERIFY", STR, 16, "default",                    \
	  "required refuses no_verify")                                                            \
	X(CLIENT_CERT, "tls_client_cert", "GPROFILER_TLS_CLIENT_CERT", STR, 4000, "",              \
	  "our certificate for TLS, PEM")                                                          \
	X(CLIENT_KEY, "tls_client_key", "GPROFILER_TLS_CLIENT_KEY", STR, 4000, "",                 \
	  "its private key, PEM")                                                                  \
	X(ALLOW_HTTP, "allow_http", "PULSEPROF_ALLOW_HTTP", BOOL, 0, "no",                         \
	  "allow http to another host: clear text")                                                \
	X(PROXY, "proxy", "PULSEPROF_PROXY", STR, 2000, "",                                        \
	  "HTTP proxy, or none; else https_proxy...")                                              \
	X(API_BASIC_AUTH_FILE, "api_basic_auth_file", "PULSEPROF_API_BASIC_AUTH_FILE", STR, 4000,  \
	  "", "file with user:password for api_server")                                            \
	X(API_HEADERS_FILE, "api_headers_file", "PULSEPROF_API_HEADERS_FILE", STR, 4000, "",       \
	  "file with header lines for api_server")                                                 \
	X(SERVER_BASIC_AUTH_FILE, "server_basic_auth_file", "PULSEPROF_SERVER_BASIC_AUTH_FILE",    \
	  STR, 4000, "", "the same for server_host")                                               \
	X(SERVER_HEADERS_FILE, "server_headers_file", "PULSEPROF_SERVER_HEADERS_FILE", STR, 4000,  \
	  "", "the same for server_host")                                                          \
	X(POLICY_MAX_FREQUENCY, "policy_max_frequency", "PULSEPROF_POLICY_MAX_FREQUENCY", UINT,    \
	  10000, "10000", "highest rate in Hz on this host")                                       \
	X(POLICY_MAX_DURATION, "policy_max_duration", "PULSEPROF_POLICY_MAX_DURATION", UINT,       \
	  86400, "86400", "longest run or window in s")                                            \
	X(POLICY_MAX_RUNS, "policy_max_runs", "PULSEPROF_POLICY_MAX_RUNS", UINT, 2, "2",           \
	  "runs at once")                                                                          \
	X(POLICY_CONTINUOUS, "policy_continuous", "PULSEPROF_POLICY_CONTINUOUS", BOOL, 0, "yes",   \
	  "allow continuous runs")                                                                 \
	X(POLICY_MODES, "policy_modes", "PULSEPROF_POLICY_MODES", STR, 1000, "all",                \
	  "allowed modes: cpu")                                                                    \
	X(POLICY_EVENTS, "policy_events", "PULSEPROF_POLICY_EVENTS", STR, 1000, "all",             \
	  "allowed perf events, as cycles")                                                        \
	X(POLICY_TARGETS, "policy_targets", "PULSEPROF_POLICY_TARGETS", STR, 100, "all",           \
	  "allowed targets: host, pids")                                                           \
	X(POLICY_QUIET_HOURS, "policy_quiet_hours", "PULSEPROF_POLICY_QUIET_HOURS", STR, 11, "",   \
	  "no runs then: 22:00-06:00, local time")                                                 \
	X(DEBUGINFOD_URLS, "debuginfod_urls", "PULSEPROF_DEBUGINFOD_URLS", STR, 4000, "",          \
	  "servers to fetch debug files from, in turn")                                            \
	X(CLOUD_METADATA, "cloud_metadata", "PULSEPROF_CLOUD_METADATA", BOOL, 0, "no",             \
	  "ask AWS, GCP, Azure for the instance type")                                             \
	X(LONG_POLL, "long_poll", "PULSEPROF_LONG_POLL", BOOL, 0, "yes",                           \
	  "let a server hold back empty answers")
enum config_id {
#define X(id, name, env, kind, max, def, help) CONFIG_##id,
	PP_SETTINGS(X)
#undef X
		CONFIG_CNT
};

struct config;

/*
 * Reads the file (--config, PULSEPROF_CONFIG, else /etc/pulseprof/pulseprofd.conf; absent is fine
 * unless named), then the environment (an empty variable counts as unset), then argv from argv[1]
 * on (--flag value, --flag=value, --bool). Options and variables of the gProfiler agent that have
 * no setting here are taken, too: config__ignored. The token is --token (which is overwritten in
 * argv before anything else is done), else the environment's, else the first line of token_file,
 * else of $CREDENTIALS_DIRECTORY/token. environ_list ends with NULL. Given: config__free. --help,
 * --version: the caller's.
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
/* The agent's options and variables that were given and have no effect, "a, b"; "" if none. Borrowed. */
const char *config__ignored(const struct config *self);
/*
 * The effective view, "name = value  # origin" a line, as the file has it; secrets as "***" in a
 * comment.
 */
int config__print(const struct config *self, struct buf *out);
/* The flags with their help, for --help. */
int config__usage(struct buf *out);

#endif
