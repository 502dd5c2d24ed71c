/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command line of the gProfiler agent (Intel's and Pinterest's), so that a unit file or DaemonSet is
 * switched over by changing the program. Options with a setting of the same name are in PP_SETTINGS; here
 * stand those that have another name there, and those that mean nothing to us: one sampler in the kernel
 * takes the place of the profilers per language. They are taken with their operands and named once.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "internal.h"
#include "pp/base/cleanup.h"

#define NONE  OPERAND_NONE, NULL, NULL
#define ONE   OPERAND_ONE, NULL, NULL
#define MAYBE OPERAND_MAYBE, NULL, NULL

/* clang-format off */
const struct agent_option agent_options[] = {
	{ "verbose", OPERAND_NONE, "log_level", "debug" },
	{ "glogger-server", OPERAND_ONE, "api_server", NULL },
	{ "dont-send-logs", OPERAND_NONE, "upload_logs", "no" },
	/* run and output */
	{ "pid-file", ONE }, { "min-duration", ONE }, { "min-profiling-duration", ONE },
	{ "insert-dso-name", NONE }, { "output-dir", ONE }, { "flamegraph", NONE },
	{ "no-flamegraph", NONE }, { "rotating-output", NONE }, { "mode", ONE },
	{ "alloc-interval", ONE }, { "pids", ONE }, { "max-processes-runtime-profiler", ONE },
	{ "skip-system-profilers-above", ONE }, { "rootless", NONE }, { "log-usage", NONE },
	{ "enable-memory-management", NONE }, { "memory-cleanup-threshold-mb", ONE },
	{ "dont-disable-core-files", NONE }, { "controller-pid", ONE }, { "external-metadata", ONE },
	{ "profile-spawned-processes", NONE }, { "diagnostics", NONE }, { "heartbeat-file", ONE },
	{ "disable-pidns-check", NONE }, { "databricks-job-name-as-service-name", NONE },
	{ "spark-sample-period", ONE }, { "collect-spark-metrics", NONE },
	/* logs, metadata, uploads */
	{ "log-file", ONE }, { "log-rotate-max-size", ONE }, { "log-rotate-backup-count", ONE },
	{ "disable-container-names", NONE }, { "disable-metrics-collection", NONE },
	{ "disable-metadata-collection", NONE }, { "disable-application-identifiers", NONE },
	{ "app-id-args-filter", ONE }, { "disable-application-metadata", NONE },
	{ "server-upload-timeout", ONE }, { "curlify-requests", NONE },
	{ "profile-api-version", ONE }, { "tls-cert-refresh-enabled", NONE },
	{ "tls-cert-refresh-interval", ONE }, { "enable-publish-metrics", NONE },
	{ "metrics-server-url", ONE }, { "sli-metric-uuid", ONE },
	/* limits of heartbeat mode, hardware metrics */
	{ "heartbeat-perf-restricted-max-processes", ONE },
	{ "heartbeat-perf-restricted-max-containers", ONE },
	{ "heartbeat-perf-aggressive-max-processes", ONE },
	{ "heartbeat-perf-aggressive-max-containers", ONE },
	{ "enable-hw-metrics-collection", NONE }, { "perfspect-path", ONE },
	{ "perfspect-duration", ONE },
	/* profilers per language */
	{ "perf-mode", ONE }, { "no-perf", NONE }, { "perf-dwarf-stack-size", ONE },
	{ "perf-no-memory-restart", NONE }, { "perf-use-cgroups", NONE },
	{ "perf-max-cgroups", ONE }, { "perf-max-docker-containers", ONE }, { "perf-event", ONE },
	{ "perf-event-period", ONE }, { "hw-events-file", ONE }, { "perf-events", ONE },
	{ "java-mode", ONE }, { "no-java", NONE }, { "java-async-profiler-mode", ONE },
	{ "java-async-profiler-safemode", ONE }, { "java-async-profiler-features", ONE },
	{ "java-async-profiler-args", ONE }, { "java-async-profiler-mcache", ONE },
	{ "java-async-profiler-no-report-meminfo", NONE }, { "no-java-async-profiler-buildids", NONE },
	{ "java-async-profiler-buildids", NONE }, { "java-safemode", MAYBE },
	{ "java-version-check", NONE }, { "java-no-version-check", NONE },
	{ "java-jattach-timeout", ONE }, { "java-collect-spark-app-name-as-appid", NONE },
	{ "java-collect-jvm-flags", MAYBE }, { "java-full-hserr", NONE },
	{ "java-include-method-modifiers", NONE }, { "java-line-numbers", ONE },
	{ "java-include-thread-names", NONE },
	{ "python-mode", ONE }, { "no-python", NONE }, { "no-python-versions", NONE },
	{ "pyperf-user-stacks-pages", ONE }, { "python-pyperf-verbose", NONE },
	{ "python-pyspy-process", ONE }, { "python-skip-pyperf-profiler-above", ONE },
	{ "skip-pyperf-profiler-above", ONE }, { "php-mode", ONE }, { "no-php", NONE },
	{ "php-proc-filter", ONE }, { "ruby-mode", ONE }, { "no-ruby", NONE },
	{ "dotnet-mode", ONE }, { "no-dotnet", NONE }, { "nodejs-mode", ONE }, { "no-nodejs", NONE },
};
/* clang-format on */
const size_t agent_options_cnt = ARRAY_SIZE(agent_options);

const struct agent_option *agent_option__find(const char *name, size_t len)
{
	for (size_t i = 0; i < agent_options_cnt; i++) {
		if (strlen(agent_options[i].name) == len &&
		    !memcmp(agent_options[i].name, name, len))
			return &agent_options[i];
	}
	return NULL;
}

const char *agent_letter__name(char letter)
{
	switch (letter) {
	case 'f': return "profiling-frequency";
	case 'd': return "profiling-duration";
	case 'c': return "continuous";
	case 'u': return "upload-results";
	case 'v': return "verbose";
	case 'o': return "output-dir";
	default: return NULL;
	}
}

/* An option may be given many times. */
static bool is_named(const struct config *self, const char *where)
{
	size_t len = strlen(where);

	for (const char *at = self->ignored.data; at; at = strstr(at, ", ")) {
		at += strspn(at, ", ");
		if (!strncmp(at, where, len) && (!at[len] || at[len] == ','))
			return true;
	}
	return false;
}

int config__set_agent(struct config *self, const struct agent_option *option, const char *value,
		      enum config_origin origin, const char *where, struct buf *why)
{
	enum config_id id;

	if (option->setting) {
		if (setting__find(option->setting, strlen(option->setting), '_', &id))
			return -ENOENT;
		value = option->value ? option->value : value;
		return config__set(self, id, value, strlen(value), origin, where, why);
	}
	if (!is_named(self, where))
		buf__printf(&self->ignored, "%s%s", self->ignored.len ? ", " : "", where);
	return 0;
}

/* "perf-mode" is GPROFILER_PERF_MODE. */
static void name_variable(const char *option, char *text, size_t text_bytes)
{
	size_t len = (size_t)snprintf(text, text_bytes, "GPROFILER_%s", option);

	for (size_t i = 0; i < len && i < text_bytes; i++)
		text[i] = text[i] == '-' ? '_' : (char)toupper((unsigned char)text[i]);
}

static bool is_no(const char *value)
{
	return !strcasecmp(value, "false") || !strcasecmp(value, "no") || !strcmp(value, "0");
}

int config__load_agent_environment(struct config *self, const char *const *environ_list,
				   struct buf *why)
{
	for (size_t i = 0; i < agent_options_cnt; i++) {
		const struct agent_option *option = &agent_options[i];
		char name[80];
		const char *value;
		int err;

		name_variable(option->name, name, sizeof(name));
		value = find_env(environ_list, name);
		if (!value || (option->operand == OPERAND_NONE && is_no(value)))
			continue;
		err = config__set_agent(self, option, value, CONFIG_ENVIRONMENT, name, why);
		if (err)
			return err;
	}
	return 0;
}
