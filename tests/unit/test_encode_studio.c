/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The file and the upload body for the Performance Studio. Its rules are first held against what its web
 * app and indexer were recorded to accept and refuse, then against what we write.
 */
#include "pp/encode.h"
#include "pp/proc_cloud.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "made_profile.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/file.h"
#include "pp/base/json.h"

#define OUT_BYTES_MAX (64u << 20)

/*
 * What the web app and the indexer demand, as a checker: stricter than they are (types are not coerced),
 * never laxer. Returns NULL, or what is wrong.
 */
static bool is_one_of(const char *value, const char *const *words)
{
	for (; *words; words++) {
		if (!strcasecmp(value, *words))
			return true;
	}
	return false;
}

static bool is_mac(const char *text)
{
	for (int i = 0; i < 17; i++) {
		if (i % 3 == 2 ? text[i] != ':' :
				 !strchr("0123456789abcdefABCDEF", text[i]) || !text[i])
			return false;
	}
	return !text[17];
}

/* X.Y.Z, a -suffix on the last is cut. */
static bool is_version(const char *text)
{
	int len = 0;

	return sscanf(text, "%*u.%*u.%*u%n", &len) == 0 && len > 0 && text[0] >= '0' &&
	       text[0] <= '9' && (!text[len] || text[len] == '-');
}

/* ISO, naive: nothing behind the seconds. */
static bool is_time(const char *text)
{
	int len = 0;

	(void)sscanf(text, "%*4d-%*2d-%*2dT%*2d:%*2d:%*2d%n", &len);
	return len == 19 && !text[len];
}

static const char *metadata_fault(const struct json_object *metadata)
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

static int refuse_null(void *arg, const char *name, struct json_object *value)
{
	const char **fault = arg;

	if (!value || json__is_null(value))
		*fault = name;
	return 0;
}

/* What the web app reads. */
static const char *webapp_fault(const struct json_object *header)
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

static bool is_str_or_absent(const struct json_object *object, const char *name)
{
	const char *text;
	int err = json__get_str(object, name, &text);

	return !err || err == -ENOENT;
}

static bool is_pct_or_absent(const struct json_object *object, const char *name)
{
	double pct;
	int err = json__get_double(object, name, &pct);

	return err == -ENOENT || (!err && pct >= 0 && pct <= 100);
}

/* What the indexer reads: a wrong type refuses the whole file. */
static const char *indexer_fault(const struct json_object *header)
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
static const char *line_fault(const char *line, size_t len)
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

static const char *lines_fault(const char *text)
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

static struct json_object *load(const char *name)
{
	_auto_close_ int dir = open("tests/data/exchanges", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct json_object *json = NULL;
	_auto_buf_ struct buf text;

	assert_true(dir >= 0);
	buf__init(&text, 1 << 20);
	assert_int_equal(file__read_at(dir, name, &text), 0);
	assert_int_equal(json__parse(text.data, text.len, &json), 0);
	return json;
}

static struct encode_host a_host(void)
{
	return (struct encode_host){
		.hostname = "node-7",
		.private_ip = "10.0.0.5",
		.mac_address = "02:42:AC:11:00:02",
		.system_name = "Linux",
		.os_name = "Debian GNU/Linux",
		.os_release = "12",
		.kernel_release = "6.1.0-28-amd64",
		.kernel_version = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1",
		.hardware_type = "x86_64",
		.libc_type = "glibc",
		.libc_version = "2.36",
		.agent_version = "1.2.3",
		.service_name = "checkout",
		.processors = 8,
		.memory_capacity_mb = 32000,
		.pid = 4242,
		.spawn_real_ns = 1795341600000000000ull, /* 2026-11-22T10:00:00 */
		.spawn_uptime_ms = 86400000,
	};
}

struct changed {
	const char *key;
	struct json_object *value; /* NULL: null */
	bool is_removed;
	struct json_object *copy;
};

static int copy_member(void *arg, const char *name, struct json_object *value)
{
	const struct changed *change = arg;

	if (!strcmp(name, change->key))
		return 0;
	return value ? json__add(change->copy, name, json__get(value)) :
		       json__add_null(change->copy, name);
}

/* The verdict on the recorded metadata with one key changed as the case says. */
static const char *fault_of_case(const struct json_object *metadata, struct json_object *one)
{
	_auto_json_ struct json_object *copy = json__new_object();
	_auto_json_ struct json_object *header = json__new_object();
	struct changed change = { .copy = copy };
	struct json_object *value = NULL;

	assert_int_equal(json__get_str(one, "key", &change.key), 0);
	assert_int_equal(json__each(metadata, copy_member, &change), 0);
	if (json__len(one) == 4 && json__get_any(one, "value", &value))
		assert_int_equal(json__add_null(copy, change.key), 0);
	else if (value)
		assert_int_equal(json__add(copy, change.key, json__get(value)), 0);
	assert_int_equal(json__add(header, "containers", json__new_array()), 0);
	assert_int_equal(json__add(header, "metadata", json__get(copy)), 0);
	return webapp_fault(header);
}

static void the_rules_refuse_what_the_web_app_refused(void **state)
{
	_auto_json_ struct json_object *json = load("metadata_fields.json");
	struct json_object *header, *metadata, *cases;
	uint32_t refused = 0;

	assert_int_equal(json__get_object(json, "header", &header), 0);
	assert_int_equal(json__get_object(header, "metadata", &metadata), 0);
	assert_int_equal(json__get_array(json, "cases", &cases), 0);
	assert_null(webapp_fault(header));
	for (size_t i = 0; i < json__len(cases); i++) {
		struct json_object *one = json__at(cases, i);
		const char *fault = fault_of_case(metadata, one), *name = "";
		bool accepted;

		assert_int_equal(json__get_bool(one, "accepted", &accepted), 0);
		assert_int_equal(json__get_str(one, "case", &name), 0);
		if (accepted != !fault)
			fail_msg("%s: %s", name, fault ? fault : "accepted");
		refused += !accepted;
	}
	assert_true(refused > 40);
}

static void the_rules_refuse_what_crashed_the_indexer(void **state)
{
	_auto_json_ struct json_object *json = load("indexer_cases.json");
	struct json_object *cases, *headers;
	uint32_t crashed_cnt = 0;

	assert_int_equal(json__get_array(json, "cases", &cases), 0);
	for (size_t i = 0; i < json__len(cases); i++) {
		struct json_object *lines;
		_auto_buf_ struct buf text;
		const char *name;
		bool crashed;

		buf__init(&text, 1 << 20);
		buf__puts(&text, "");
		assert_int_equal(json__get_bool(json__at(cases, i), "crashed", &crashed), 0);
		assert_int_equal(json__get_array(json__at(cases, i), "lines", &lines), 0);
		assert_int_equal(json__get_str(json__at(cases, i), "case", &name), 0);
		for (size_t j = 0; j < json__len(lines); j++) {
			buf__puts(&text, j ? "\n" : "");
			buf__puts(&text, json__str(json__at(lines, j)));
		}
		if (crashed && !lines_fault(text.data))
			fail_msg("%s", name);
		crashed_cnt += crashed;
	}
	assert_true(crashed_cnt >= 5);
	assert_null(lines_fault("0;;myapp;main;work;do_syscall_64_[k] 7\n0;web;nginx;ngx 2"));
	assert_int_equal(json__get_array(json, "refused_headers", &headers), 0);
	assert_true(json__len(headers) >= 3);
	for (size_t i = 0; i < json__len(headers); i++) {
		struct json_object *header;

		assert_int_equal(json__get_object(json__at(headers, i), "header", &header), 0);
		assert_non_null(indexer_fault(header));
	}
}

/* The upload body of a whole profile. */
static void make_body(const struct profile *profile, const struct encode_host *host,
		      const char *page, const char *gpid, struct buf *out)
{
	const struct encode_upload upload = { .page = page };
	const struct encode_piece whole = { .cnt = 1 };
	struct encode_body_facts facts;
	_auto_buf_ struct buf parcel;

	buf__init(&parcel, OUT_BYTES_MAX);
	assert_int_equal(encode__parcel(profile, host, &upload, &parcel), 0);
	assert_int_equal(encode__parcel_body(parcel.data, parcel.len, &whole, gpid, out, &facts),
			 0);
	assert_int_equal(facts.samples, profile->account.accepted);
}

/* The profile file in it. */
static void make_file(const struct profile *profile, const struct encode_host *host,
		      const char *page, struct buf *out)
{
	_auto_json_ struct json_object *body = NULL;
	_auto_buf_ struct buf text;
	const char *file;

	buf__init(&text, OUT_BYTES_MAX);
	make_body(profile, host, page, "", &text);
	assert_int_equal(json__parse(text.data, text.len, &body), 0);
	assert_int_equal(json__get_str(body, "profile", &file), 0);
	assert_int_equal(buf__puts(out, file), 0);
}

/* Splits a file into its parsed header (given) and its lines (in text). */
static struct json_object *parse_file(char *text, char **ret_lines)
{
	char *end = strchr(text, '\n');
	struct json_object *header = NULL;

	assert_non_null(end);
	assert_int_equal(strncmp(text, "# ", 2), 0);
	assert_int_equal(json__parse(text + 2, (size_t)(end - text - 2), &header), 0);
	*ret_lines = end + 1;
	return header;
}

static void check_file(const struct profile *profile, const struct encode_host *host,
		       const char *html)
{
	_auto_json_ struct json_object *header = NULL;
	_auto_buf_ struct buf out, collapsed;
	char *lines;

	buf__init(&out, OUT_BYTES_MAX);
	buf__init(&collapsed, OUT_BYTES_MAX);
	make_file(profile, host, html, &out);
	header = parse_file(out.data, &lines);
	if (webapp_fault(header))
		fail_msg("%s", webapp_fault(header));
	if (indexer_fault(header))
		fail_msg("%s", indexer_fault(header));
	if (lines_fault(lines))
		fail_msg("%s", lines_fault(lines));
	assert_int_equal(encode__collapsed(profile, &collapsed), 0);
	assert_string_equal(lines, collapsed.data ? collapsed.data : "");
}

static void our_file_obeys_every_rule(void **state)
{
	struct profile *profile = made_small(), *empty = NULL;
	struct encode_host host = a_host(),
			   bare = { .mac_address = "02:00:00:00:00:01", .agent_version = "0.1.0" };

	check_file(profile, &host, NULL);
	check_file(profile, &host, "<html>\n\"fg\"</html>");
	check_file(profile, &bare, NULL);
	snprintf(host.hostname, sizeof(host.hostname), "%s", "ho\"st\n\xff;");
	profile->meta.busy_pct = -1;
	profile->meta.mem_pct = -1;
	profile->meta.continuous = 1;
	check_file(profile, &host, NULL);
	host.cloud = &(struct cloud_facts){ .provider = "aws", .instance_type = "m5.large" };
	check_file(profile, &host, NULL);
	assert_int_equal(profile__new(&empty), 0);
	check_file(empty, &host, NULL);
	profile__free(empty);
	profile__free(profile);
}

static void the_header_says_what_the_profile_is(void **state)
{
	struct profile *profile = made_small();
	struct json_object *metadata, *arguments, *containers, *metrics;
	_auto_json_ struct json_object *header = NULL;
	struct encode_host host = a_host();
	_auto_buf_ struct buf out;
	const char *text;
	int64_t number;
	double pct;
	bool flag;
	char *lines;

	buf__init(&out, OUT_BYTES_MAX);
	profile->meta.continuous = 1;
	make_file(profile, &host, "<p>\"page\"\n</p>", &out);
	header = parse_file(out.data, &lines);
	assert_int_equal(json__get_object(header, "metadata", &metadata), 0);
	assert_int_equal(json__get_bool(metadata, "continuous", &flag), 0);
	assert_true(flag);
	assert_int_equal(json__get_str(metadata, "spawn_time", &text), 0);
	assert_string_equal(text, "2026-11-22T10:00:00");
	assert_int_equal(json__get_str(metadata, "current_time", &text), 0);
	assert_string_equal(text, "2026-11-22T14:26:36");
	assert_int_equal(json__get_int(metadata, "spawn_uptime_ms", 0, INT64_MAX, &number), 0);
	assert_int_equal(number, 86400000);
	assert_int_equal(json__get_object(metadata, "run_arguments", &arguments), 0);
	assert_int_equal(json__get_str(arguments, "perf_events", &text), 0);
	assert_string_equal(text, "cpu-clock");
	assert_int_equal(json__get_int(arguments, "frequency", 0, 10000, &number), 0);
	assert_int_equal(number, 99);
	assert_int_equal(json__get_array(header, "containers", &containers), 0);
	assert_int_equal(json__len(containers), 1);
	assert_string_equal(json__str(json__at(containers, 0)), "web");
	assert_int_equal(json__get_object(header, "metrics", &metrics), 0);
	assert_int_equal(json__get_double(metrics, "cpu_avg", &pct), 0);
	assert_true(pct == 12.5);
	assert_int_equal(json__get_str(header, "flamegraph_html", &text), 0);
	assert_string_equal(text, "<p>\"page\"\n</p>");
	profile__free(profile);
}

static void the_body_wraps_the_file_and_leaves_the_gpid_last(void **state)
{
	struct profile *profile = made_small();
	_auto_json_ struct json_object *body = NULL;
	struct encode_host host = a_host();
	_auto_buf_ struct buf out, file;
	const char *text, *tail = ",\"gpid\":\"\"}";

	buf__init(&out, OUT_BYTES_MAX);
	buf__init(&file, OUT_BYTES_MAX);
	make_body(profile, &host, "<html>", "", &out);
	assert_string_equal(out.data + out.len - strlen(tail), tail);
	assert_int_equal(json__parse(out.data, out.len, &body), 0);
	assert_int_equal(json__get_str(body, "start_time", &text), 0);
	assert_string_equal(text, "2026-11-22T14:26:26");
	assert_int_equal(json__get_str(body, "end_time", &text), 0);
	assert_string_equal(text, "2026-11-22T14:26:36");
	assert_int_equal(json__get_str(body, "hostname", &text), 0);
	assert_string_equal(text, "node-7");
	make_file(profile, &host, "<html>", &file);
	assert_int_equal(json__get_str(body, "profile", &text), 0);
	assert_string_equal(text, file.data);
	profile__free(profile);
}

static void a_whole_page_survives_the_wrapping(void **state)
{
	struct profile *profile = made_small();
	_auto_json_ struct json_object *header = NULL;
	struct encode_host host = a_host();
	_auto_buf_ struct buf page, out;
	const char *text;
	char *lines;

	buf__init(&page, OUT_BYTES_MAX);
	buf__init(&out, OUT_BYTES_MAX);
	assert_int_equal(encode__html(profile, &page), 0);
	make_file(profile, &host, page.data, &out);
	header = parse_file(out.data, &lines);
	assert_int_equal(json__get_str(header, "flamegraph_html", &text), 0);
	assert_string_equal(text, page.data);
	profile__free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_refuse_what_the_web_app_refused),
		cmocka_unit_test(the_rules_refuse_what_crashed_the_indexer),
		cmocka_unit_test(our_file_obeys_every_rule),
		cmocka_unit_test(the_header_says_what_the_profile_is),
		cmocka_unit_test(the_body_wraps_the_file_and_leaves_the_gpid_last),
		cmocka_unit_test(a_whole_page_survives_the_wrapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
