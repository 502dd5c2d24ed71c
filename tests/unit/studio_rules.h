/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef STUDIO_RULES_H
#define STUDIO_RULES_H
/*
 * What the Performance Studio's web app and indexer demand of a profile file, as a checker. Stricter than
 * they are (types are not coerced), never laxer: its verdicts are compared with recorded ones before it
 * judges what we write. Returns NULL, or what is wrong.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

static inline bool is_one_of(const char *value, const char *const *words)
{
	for (; *words; words++) {
		if (!strcasecmp(value, *words))
			return true;
	}
	return false;
}

static inline bool is_mac(const char *text)
{
	for (int i = 0; i < 17; i++) {
		if (i % 3 == 2 ? text[i] != ':' :
				 !strchr("0123456789abcdefABCDEF", text[i]) || !text[i])
			return false;
	}
	return !text[17];
}

/* X.Y.Z, a -suffix on the last is cut. */
static inline bool is_version(const char *text)
{
	int len = 0;

	return sscanf(text, "%*u.%*u.%*u%n", &len) == 0 && len > 0 && text[0] >= '0' &&
	       text[0] <= '9' && (!text[len] || text[len] == '-');
}

/* ISO, naive: nothing behind the seconds. */
static inline bool is_time(const char *text)
{
	int len = 0;

	(void)sscanf(text, "%*4d-%*2d-%*2dT%*2d:%*2d:%*2d%n", &len);
	return len == 19 && !text[len];
}

static inline const char *metadata_fault(const struct json_object *metadata)
{
	static const char *const texts[] = {
		"hostname",	  "current_time",    "spawn_time",    "private_ip",
		"cloud_provider", "system_name",     "os_name",	      "os_release",
		"kernel_release", "kernel_version",  "hardware_type", "mac_address",
		"agent_version",  "libc_type",	     "libc_version",  "python_version",
		"run_mode",	  "deployment_type",
	};
	static const char *const numbers[] = { "spawn_uptime_ms", "processors",
					       "memory_capacity_mb", "pid" };
	static const char *const modes[] = { "k8s", "container", "standalone_executable",
					     "local_python", NULL };
	static const char *const clouds[] = { "aws", "gcp", "azure", "unknown", NULL };
	struct json_object *object;
	const char *text;
	int64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (json__get_str(metadata, texts[i], &text))
			return texts[i];
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		bool may_be_0 = i == 0 || i == 3;

		if (json__get_int(metadata, numbers[i], may_be_0 ? 0 : 1, INT64_MAX, &number))
			return numbers[i];
	}
	if (json__get_str(metadata, "mac_address", &text) || !is_mac(text))
		return "mac_address is none";
	if (json__get_str(metadata, "agent_version", &text) || !is_version(text))
		return "agent_version is none";
	if (json__get_str(metadata, "run_mode", &text) || !is_one_of(text, modes))
		return "run_mode is none";
	if (json__get_str(metadata, "cloud_provider", &text) || !is_one_of(text, clouds))
		return "cloud_provider is none";
	if (json__get_str(metadata, "spawn_time", &text) || !is_time(text))
		return "spawn_time is none";
	if (json__get_str(metadata, "current_time", &text) || !is_time(text))
		return "current_time is none";
	if (json__get_object(metadata, "run_arguments", &object))
		return "run_arguments";
	return NULL;
}

static inline int refuse_null(void *arg, const char *name, struct json_object *value)
{
	const char **fault = arg;

	if (!value || json__is_null(value))
		*fault = name;
	return 0;
}

/* What the web app reads. */
static inline const char *webapp_fault(const struct json_object *header)
{
	struct json_object *metadata, *containers;
	const char *fault = NULL;

	if (json__get_array(header, "containers", &containers))
		return "containers";
	if (json__get_object(header, "metadata", &metadata))
		return "metadata";
	json__each(metadata, refuse_null, &fault);
	return fault ? fault : metadata_fault(metadata);
}

static inline bool is_str_or_absent(const struct json_object *object, const char *name)
{
	const char *text;
	int err = json__get_str(object, name, &text);

	return !err || err == -ENOENT;
}

static inline bool is_pct_or_absent(const struct json_object *object, const char *name)
{
	double pct;
	int err = json__get_double(object, name, &pct);

	return err == -ENOENT || (!err && pct >= 0 && pct <= 100);
}

/* What the indexer reads: a wrong type refuses the whole file. */
static inline const char *indexer_fault(const struct json_object *header)
{
	struct json_object *metadata, *arguments, *metrics;
	bool flag;
	int err;

	if (json__get_object(header, "metadata", &metadata))
		return "metadata";
	err = json__get_bool(metadata, "continuous", &flag);
	if (err && err != -ENOENT)
		return "metadata.continuous";
	if (!json__get_object(metadata, "run_arguments", &arguments) &&
	    (!is_str_or_absent(arguments, "profile_api_version") ||
	     !is_str_or_absent(arguments, "service_name") ||
	     !is_str_or_absent(arguments, "perf_mode") ||
	     !is_str_or_absent(arguments, "perf_events")))
		return "metadata.run_arguments";
	if (!json__get_object(header, "metrics", &metrics) &&
	    (!is_pct_or_absent(metrics, "cpu_avg") || !is_pct_or_absent(metrics, "mem_avg")))
		return "metrics";
	if (json__get_bool(header, "application_metadata_enabled", &flag) || !flag)
		return "application_metadata_enabled";
	if (!is_str_or_absent(header, "htmlblob") || !is_str_or_absent(header, "flamegraph_html"))
		return "htmlblob or flamegraph_html";
	return NULL;
}

/* "0;container;comm[;frame]... COUNT" with a comm and frames that are kept as they are. */
static inline const char *line_fault(const char *line, size_t len)
{
	const char *blank = len ? memrchr(line, ' ', len) : NULL;
	const char *field = line, *end = line + len;
	char *rest;
	uint32_t fields = 0;
	unsigned long long cnt;

	if (!blank || blank + 1 == end)
		return "no count";
	cnt = strtoull(blank + 1, &rest, 10);
	if (rest != end || cnt < 1 || cnt > UINT32_MAX)
		return "not a count";
	while (field <= blank) {
		const char *stop = memchr(field, ';', (size_t)(blank - field));

		if (!stop)
			stop = blank;
		if (fields != 1 && (stop == field || field[0] == ' ' || stop[-1] == ' '))
			return "a field that would be dropped or cut";
		if (fields == 0 && (stop != field + 1 || field[0] != '0'))
			return "no index";
		if (memchr(field, '\t', (size_t)(stop - field)) || field[0] == '#')
			return "a field that could be taken for something else";
		fields++;
		field = stop + 1;
	}
	return fields < 4 ? "too few fields" : NULL;
}

static inline const char *lines_fault(const char *text)
{
	while (*text) {
		const char *end = strchrnul(text, '\n');
		const char *fault = line_fault(text, (size_t)(end - text));

		if (fault)
			return fault;
		if (*end && !end[1])
			return "a newline at the end";
		text = *end ? end + 1 : end;
	}
	return NULL;
}

#endif
