/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A profile as the Performance Studio takes it: one header line of JSON, then collapsed stacks. Here it is
 * made as a parcel: a line of JSON with the members of the body and of the header, a line with the page (a
 * JSON string or null), then the stacks; studio_body.c makes bodies of it. The web app refuses the whole file when one of 23 metadata keys is missing, null
 * or of another type; the indexer refuses it for a wrong type in the other keys. Times are UTC without
 * a zone, since one with a zone is refused. Secrets never come here: run_arguments are made from the
 * profile, not copied from a command line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/compress.h"
#include "pp/base/err.h"
#include "pp/base/intern.h"
#include "pp/base/json.h"
#include "pp/encode.h"
#include "pp/proc_cloud.h"
#include "pp/profile.h"

#define REPORT_BYTES_MAX  (2u << 20)
#define REPORT_GZIP_LEVEL 6

/* Text of the host made valid UTF-8; never empty, since the web app wants text everywhere. */
static int add_text(struct json_object *json, const char *name, const char *value)
{
	_auto_buf_ struct buf text;
	int err;

	buf__init(&text, ENCODE_TEXT_BYTES);
	err = encode__safe_text(value, strlen(value), &text);
	return err ? err : json__add_str(json, name, text.data);
}

static int add_time(struct json_object *json, const char *name, uint64_t real_ns)
{
	char text[CLOCK_TEXT_BYTES];

	return json__add_str(json, name, clock_utc_text(real_ns, text));
}

/* A percentage, or null when it is not known. */
static int add_pct(struct json_object *json, const char *name, double pct)
{
	return pct < 0 ? json__add_null(json, name) : json__add_double(json, name, pct);
}

static int compare_str(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_containers(struct json_object *json, const struct profile *profile)
{
	_auto_free_ const char **names = calloc((size_t)profile->process_cnt + 1, sizeof(*names));
	struct json_object *array = json__new_array();
	uint32_t cnt = 0;
	int err = names && array ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < profile->process_cnt && !err; i++) {
		if (profile->processes[i].container)
			names[cnt++] =
				intern__str(profile->strings, profile->processes[i].container);
	}
	if (!err)
		qsort(names, cnt, sizeof(*names), compare_str);
	for (uint32_t i = 0; i < cnt && !err; i++) {
		if (!i || strcmp(names[i], names[i - 1]))
			err = add_text(array, NULL, names[i]);
	}
	if (err) {
		json__put(array);
		return err;
	}
	return json__add(json, "containers", array);
}

static int add_run_arguments(struct json_object *json, const struct profile *profile,
			     const struct encode_host *host)
{
	const struct profile_meta *meta = &profile->meta;
	struct json_object *arguments = json__new_object();
	int err = arguments ? 0 : -ENOMEM;

	if (!err)
		err = add_text(arguments, "service_name", host->service_name);
	if (!err)
		err = json__add_null(arguments, "profile_api_version");
	if (!err)
		err = json__add_str(arguments, "perf_mode", meta->tables.on ? "smart" : "fp");
	if (!err)
		err = add_text(arguments, "perf_events",
			       intern__str(profile->strings, meta->event));
	if (!err)
		err = json__add_u64(arguments, "frequency", meta->rate_hz);
	if (!err)
		err = json__add_u64(arguments, "duration",
				    (meta->duration_ns + 500000000) / 1000000000);
	if (err) {
		json__put(arguments);
		return err;
	}
	return json__add(json, "run_arguments", arguments);
}

/* Where there is no cloud, null would be refused. */
static int add_cloud(struct json_object *json, const struct cloud_facts *cloud)
{
	struct json_object *info;
	int err;

	if (!cloud)
		return 0;
	info = json__new_object();
	err = info ? json__add_str(info, "instance_type", cloud->instance_type) : -ENOMEM;
	if (!err && cloud->instance_id[0])
		err = json__add_str(info, "instance_id", cloud->instance_id);
	if (!err && cloud->region[0])
		err = json__add_str(info, "region", cloud->region);
	if (!err && cloud->zone[0])
		err = json__add_str(info, "zone", cloud->zone);
	if (err) {
		json__put(info);
		return err;
	}
	return json__add(json, "cloud_info", info);
}

static int add_host_texts(struct json_object *json, const struct encode_host *host,
			  const struct cloud_facts *cloud)
{
	const struct {
		const char *name;
		const char *value;
	} texts[] = {
		{ "hostname", host->hostname },
		{ "private_ip", host->private_ip },
		{ "mac_address", host->mac_address },
		{ "system_name", host->system_name },
		{ "os_name", host->os_name },
		{ "os_release", host->os_release },
		{ "kernel_release", host->kernel_release },
		{ "kernel_version", host->kernel_version },
		{ "hardware_type", host->hardware_type },
		{ "libc_type", host->libc_type },
		{ "libc_version", host->libc_version },
		{ "cloud_provider", cloud ? cloud->provider : "unknown" },
		{ "run_mode", host->run_mode[0] ? host->run_mode : "standalone_executable" },
		{ "deployment_type",
		  host->deployment_type[0] ? host->deployment_type : "instances" },
		{ "agent_version", host->agent_version },
		{ "python_version", "none" },
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts) && !err; i++)
		err = add_text(json, texts[i].name, texts[i].value);
	return err;
}

static int add_metadata(struct json_object *json, const struct profile *profile,
			const struct encode_host *host)
{
	struct json_object *metadata = json__new_object();
	const struct cloud_facts *cloud = __atomic_load_n(&host->cloud, __ATOMIC_ACQUIRE);
	struct profile_totals totals;
	int err = metadata ? add_host_texts(metadata, host, cloud) : -ENOMEM;

	profile__totals(profile, &totals);
	if (!err)
		err = add_cloud(metadata, cloud);
	if (!err)
		err = add_time(metadata, "spawn_time", host->spawn_real_ns);
	if (!err)
		err = add_time(metadata, "current_time", profile->meta.end_real_ns);
	if (!err)
		err = json__add_u64(metadata, "spawn_uptime_ms", host->spawn_uptime_ms);
	if (!err)
		err = json__add_u64(metadata, "processors", max_of(host->processors, 1u));
	if (!err)
		err = json__add_u64(metadata, "memory_capacity_mb",
				    max_of(host->memory_capacity_mb, 1u));
	if (!err)
		err = json__add_u64(metadata, "pid", host->pid);
	if (!err)
		err = json__add_bool(metadata, "continuous", profile->meta.continuous);
	if (!err && totals.user_stacks)
		err = json__add_double(metadata, "user_stacks_complete_pct",
				       100.0 * totals.user_stacks_complete / totals.user_stacks);
	if (!err)
		err = add_run_arguments(metadata, profile, host);
	if (err) {
		json__put(metadata);
		return err;
	}
	return json__add(json, "metadata", metadata);
}

static int add_metrics(struct json_object *json, const struct profile_meta *meta)
{
	struct json_object *metrics = json__new_object();
	int err = metrics ? add_pct(metrics, "cpu_avg", meta->busy_pct) : -ENOMEM;

	if (!err)
		err = add_pct(metrics, "mem_avg", meta->mem_pct);
	if (err) {
		json__put(metrics);
		return err;
	}
	return json__add(json, "metrics", metrics);
}

static int add_application_metadata(struct json_object *json)
{
	struct json_object *array = json__new_array();
	int err = array ? json__add_null(array, NULL) : -ENOMEM;

	if (err) {
		json__put(array);
		return err;
	}
	err = json__add(json, "application_metadata", array);
	if (!err)
		err = json__add_bool(json, "application_metadata_enabled", true);
	return err;
}

static int add_account(struct json_object *json, const struct profile *profile)
{
	const struct profile_account *account = &profile->account;
	const struct {
		const char *name;
		uint64_t cnt;
	} numbers[] = {
		{ "expected", account->expected },
		{ "missed", account->missed },
		{ "taken", account->taken },
		{ "accepted", account->accepted },
		{ "filtered", account->filtered },
		{ "lost", account->lost },
		{ "duration_ms", profile->meta.duration_ns / 1000000 },
	};
	struct json_object *run = json__new_object();
	int err = run ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(numbers) && !err; i++)
		err = json__add_u64(run, numbers[i].name, numbers[i].cnt);
	if (!err)
		err = json__add_bool(run, "stopped_early", profile->meta.interrupted);
	if (err) {
		json__put(run);
		return err;
	}
	return json__add(json, "run", run);
}

static int add_share(struct json_object *json, struct encode_share share)
{
	struct json_object *object = json__new_object();
	int err = object ? json__add_u64(object, "number", share.index + 1) : -ENOMEM;

	if (!err)
		err = json__add_u64(object, "of", share.cnt);
	if (err) {
		json__put(object);
		return err;
	}
	return json__add(json, "share", object);
}

/* What the Studio does not ask for: the true account of the run, and how it came about. */
static int add_own(struct json_object *json, const struct profile *profile,
		   const struct encode_upload *upload)
{
	struct json_object *own = json__new_object();
	int err = own ? 0 : -ENOMEM;

	if (!err && upload->command_id && upload->command_id[0])
		err = add_text(own, "command_id", upload->command_id);
	if (!err)
		err = json__add_bool(own, "restarted", upload->is_restarted);
	if (!err && upload->share.cnt > 1)
		err = add_share(own, upload->share);
	if (!err)
		err = add_account(own, profile);
	if (err) {
		json__put(own);
		return err;
	}
	return json__add(json, PARCEL_OWN, own);
}

/* Our own text; null where there is none. */
static int add_json(struct json_object *json, const char *name, const char *text)
{
	struct json_object *value;
	int err;

	if (!text)
		return json__add_null(json, name);
	err = json__parse(text, strlen(text), &value);
	return err ? err : json__add(json, name, value);
}

/* As the web app reads it: gzip, as base64. */
static int add_report(struct json_object *json, const char *html)
{
	_auto_buf_ struct buf packed = { .max_bytes = REPORT_BYTES_MAX };
	_auto_buf_ struct buf text = { .max_bytes = 2 * REPORT_BYTES_MAX };
	int err;

	if (!html)
		return json__add_null(json, "htmlblob");
	err = gzip__pack(html, strlen(html), REPORT_GZIP_LEVEL, &packed);
	if (!err)
		err = buf__base64(&text, packed.data, packed.len);
	return err ? err : json__add_str(json, "htmlblob", text.data);
}

static int make_header(const struct profile *profile, const struct encode_host *host,
		       const struct encode_upload *upload, struct json_object *json)
{
	int err = json ? add_containers(json, profile) : -ENOMEM;

	if (!err)
		err = json__add_bool(json, "container_names_enabled", true);
	if (!err)
		err = add_metadata(json, profile, host);
	if (!err)
		err = add_metrics(json, &profile->meta);
	if (!err)
		err = add_application_metadata(json);
	if (!err)
		err = json__add_str(json, "profiling_mode", "cpu");
	if (!err)
		err = add_json(json, "hwmetrics", profile->counters_flat);
	if (!err && profile->counters_detail)
		err = add_json(json, "hwmetrics_detail", profile->counters_detail);
	if (!err)
		err = add_report(json, profile->counters_html);
	if (!err)
		err = add_own(json, profile, upload);
	return err;
}

static int make_body(const struct profile *profile, const struct encode_host *host,
		     struct json_object *json)
{
	int err = json ? add_time(json, "start_time", profile->meta.start_real_ns) : -ENOMEM;

	if (!err)
		err = add_time(json, "end_time", profile->meta.end_real_ns);
	if (!err)
		err = add_text(json, "hostname", host->hostname);
	if (!err)
		err = add_pct(json, "cpu_avg", profile->meta.busy_pct);
	if (!err)
		err = add_pct(json, "mem_avg", profile->meta.mem_pct);
	if (!err)
		err = add_time(json, "spawn_time", host->spawn_real_ns);
	return err;
}

int encode__parcel(const struct profile *profile, const struct encode_host *host,
		   const struct encode_upload *upload, struct buf *out)
{
	_auto_json_ struct json_object *body = json__new_object();
	_auto_json_ struct json_object *header = json__new_object();
	int err = make_body(profile, host, body);

	if (!err)
		err = make_header(profile, host, upload, header);
	if (err)
		return err;
	buf__puts(out, "{\"" PARCEL_BODY "\":");
	err = json__print(body, false, out);
	if (err)
		return err;
	buf__puts(out, ",\"" PARCEL_HEADER "\":");
	err = json__print(header, false, out);
	if (err)
		return err;
	buf__puts(out, "}\n");
	if (upload->page && upload->page[0])
		json_quote__append(out, upload->page, strlen(upload->page));
	else
		buf__puts(out, "null");
	buf__putc(out, '\n');
	if (out->err)
		return out->err;
	if (upload->share.cnt > 1)
		return collapsed_share__append(profile, upload->share, out);
	return encode__collapsed(profile, out);
}
