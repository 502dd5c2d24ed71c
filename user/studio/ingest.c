/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An upload of an agent: the JSON body, the header line of the profile with its metadata, the lines.
 * Accepts what the real web app and indexer accept, but skips and counts bad lines where the indexer
 * would die. Lines are stored in one form, whatever the agent's was. Nothing here touches a file.
 */
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HTML_MAX_BYTES	   (32u << 20)
#define HOSTNAME_MAX_BYTES 256

/* "2026-11-22T14:26:26", UTC; a fraction or "Z" is let through where is_naive is false. */
static bool parse_time(const char *text, bool is_naive, int64_t *ret_ms)
{
	struct tm tm = { 0 };
	const char *end;

	if (strlen(text) < 19 || text[10] != 'T')
		return false;
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end)
		return false;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (!is_naive && (!strcmp(end, "Z") || !strcmp(end, "+00:00")))
		end = "";
	if (*end)
		return false;
	*ret_ms = (int64_t)timegm(&tm) * 1000;
	return *ret_ms >= 0;
}

static bool is_mac(const char *text)
{
	int digits = 0;

	for (; *text; text++) {
		if (isxdigit((unsigned char)*text))
			digits++;
		else if (*text != ':' && *text != '-' && *text != '.')
			return false;
	}
	return digits == 12;
}

/* Exactly three numbers; a "-suffix" of the last one is cut. */
static bool is_version(const char *text)
{
	int part;

	for (part = 0; part < 3; part++) {
		const size_t digits = strspn(text, "0123456789");

		if (!digits || digits > 9)
			return false;
		text += digits;
		if (part < 2 && *text++ != '.')
			return false;
	}
	return !*text || *text == '-';
}

static bool is_word_of(const char *text, const char *words)
{
	const size_t len = strlen(text);
	const char *at;

	for (at = words; *at; at += strcspn(at, " ") + (at[strcspn(at, " ")] == ' '))
		if (strcspn(at, " ") == len && !strncasecmp(at, text, len))
			return true;
	return false;
}

enum rule {
	RULE_STR,
	RULE_TIME,
	RULE_COUNT,
	RULE_POSITIVE,
	RULE_MAC,
	RULE_VERSION,
	RULE_RUN_MODE,
	RULE_CLOUD,
	RULE_OBJECT
};

static const struct {
	const char *name;
	enum rule rule;
} metadata_keys[] = {
	{ "hostname", RULE_STR },
	{ "current_time", RULE_TIME },
	{ "spawn_time", RULE_TIME },
	{ "spawn_uptime_ms", RULE_COUNT },
	{ "private_ip", RULE_STR },
	{ "cloud_provider", RULE_CLOUD },
	{ "processors", RULE_POSITIVE },
	{ "memory_capacity_mb", RULE_POSITIVE },
	{ "system_name", RULE_STR },
	{ "os_name", RULE_STR },
	{ "os_release", RULE_STR },
	{ "kernel_release", RULE_STR },
	{ "kernel_version", RULE_STR },
	{ "hardware_type", RULE_STR },
	{ "pid", RULE_COUNT },
	{ "mac_address", RULE_MAC },
	{ "agent_version", RULE_VERSION },
	{ "libc_type", RULE_STR },
	{ "libc_version", RULE_STR },
	{ "python_version", RULE_STR },
	{ "run_mode", RULE_RUN_MODE },
	{ "deployment_type", RULE_STR },
	{ "run_arguments", RULE_OBJECT },
};

/* A number, or one in text: the real web app takes both. */
static bool metadata_number(const struct json_object *metadata, const char *name, double *ret)
{
	const char *text = "";
	char *end;

	if (!json__get_double(metadata, name, ret))
		return true;
	if (json__get_str(metadata, name, &text) || !isdigit((unsigned char)*text))
		return false;
	*ret = (double)strtoull(text, &end, 10);
	return !*end;
}

static bool metadata_obeys(const struct json_object *metadata, const char *name, enum rule rule)
{
	struct json_object *object;
	const char *text = "";
	double number = -1;
	int64_t ms;

	if (rule == RULE_OBJECT)
		return !json__get_object(metadata, name, &object);
	if (rule == RULE_COUNT || rule == RULE_POSITIVE)
		return metadata_number(metadata, name, &number) &&
		       number >= (rule == RULE_POSITIVE);
	if (json__get_str(metadata, name, &text))
		return false;
	switch (rule) {
	case RULE_TIME: return parse_time(text, true, &ms);
	case RULE_MAC: return is_mac(text);
	case RULE_VERSION: return is_version(text);
	case RULE_RUN_MODE:
		return is_word_of(text, "k8s container standalone_executable local_python");
	case RULE_CLOUD: return is_word_of(text, "aws gcp azure unknown");
	default: return true;
	}
}

/* These may be missing, but null is refused as the real web app does. */
static int refuse_null(void *arg, const char *name, struct json_object *value)
{
	return json__is_null(value) && is_word_of(name, arg) ? -EBADMSG : 0;
}

static int upload__check_header(struct upload *self, const char **ret_why)
{
	char optional[] = "cloud_info big_data", containers[] = "containers";
	struct json_object *metadata, *ours;
	size_t i;

	*ret_why = "metadata";
	if (json__get_object(self->header, "metadata", &metadata))
		return -EBADMSG;
	for (i = 0; i < ARRAY_SIZE(metadata_keys); i++) {
		*ret_why = metadata_keys[i].name;
		if (!metadata_obeys(metadata, metadata_keys[i].name, metadata_keys[i].rule))
			return -EBADMSG;
	}
	*ret_why = "null where it is not allowed";
	if (json__each(metadata, refuse_null, optional) ||
	    json__each(self->header, refuse_null, containers))
		return -EBADMSG;
	if (!json__get_object(self->header, "pulseprof", &ours))
		(void)json__get_str(ours, "command_id", &self->command_id);
	*ret_why = "hostname";
	(void)json__get_str(metadata, "hostname", &self->hostname);
	return *self->hostname && strlen(self->hostname) <= HOSTNAME_MAX_BYTES ? 0 : -EBADMSG;
}

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Stops at the padding; blanks are skipped; anything else is damage. */
static int base64_decode(const char *text, struct buf *out)
{
	uint32_t bits = 0;
	int bit_cnt = 0, digit;

	for (; *text && *text != '='; text++) {
		if (isspace((unsigned char)*text))
			continue;
		digit = base64_digit(*text);
		if (digit < 0)
			return -EBADMSG;
		bits = bits << 6 | (uint32_t)digit;
		bit_cnt += 6;
		if (bit_cnt >= 8) {
			bit_cnt -= 8;
			(void)buf__putc(out, (char)(bits >> bit_cnt));
		}
	}
	return out->err;
}

/* A page that cannot be read is dropped: one is made from the lines then, so nothing is lost by it. */
static void upload__take_html(struct upload *self)
{
	const char *text;

	buf__init(&self->html, HTML_MAX_BYTES);
	if (json__get_str(self->header, "flamegraph_html", &text))
		return;
	text += strspn(text, " \t\r\n");
	if (*text == '<')
		(void)buf__puts(&self->html, text);
	else if (base64_decode(text, &self->html))
		self->html.err = -EBADMSG;
	if (self->html.err)
		buf__clear(&self->html);
	self->has_html = self->html.len;
}

static struct collapsed_form upload__form(const struct upload *self,
					  const struct json_object *metadata)
{
	struct collapsed_form form = { .has_container = true };
	struct json_object *arguments;
	const char *version;

	(void)json__get_bool(self->header, "application_metadata_enabled", &form.has_index);
	if (!json__get_object(metadata, "run_arguments", &arguments) &&
	    !json__get_str(arguments, "profile_api_version", &version) && !strcmp(version, "v1"))
		form = (struct collapsed_form){ 0 };
	return form;
}

/* Frames are trimmed, empty ones left out, as the indexer does. */
static void add_frames(struct buf *lines, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, ';', len);
		const size_t whole = end ? (size_t)(end - text) : len;
		size_t first = 0, last = whole;

		while (first < last && isspace((unsigned char)text[first]))
			first++;
		while (last > first && isspace((unsigned char)text[last - 1]))
			last--;
		if (last > first) {
			(void)buf__putc(lines, ';');
			(void)buf__append(lines, text + first, last - first);
		}
		text += whole + !!end;
		len -= whole + !!end;
	}
}

static void upload__add_line(struct upload *self, const struct collapsed_line *line)
{
	if (self->lines.len)
		(void)buf__putc(&self->lines, '\n');
	(void)buf__puts(&self->lines, "0;");
	(void)buf__append(&self->lines, line->container, line->container_len);
	(void)buf__putc(&self->lines, ';');
	(void)buf__append(&self->lines, line->comm, line->comm_len);
	add_frames(&self->lines, line->frames, line->frames_len);
	(void)buf__printf(&self->lines, " %llu", (unsigned long long)line->weight);
	self->samples += line->weight;
	self->stacks++;
}

static int upload__take_lines(struct upload *self, const char *text, struct collapsed_form form)
{
	uint64_t user = 0, complete = 0;
	struct collapsed_line line;

	buf__init(&self->lines, UPLOAD_PLAIN_MAX_BYTES);
	while (*text) {
		const size_t len = strcspn(text, "\n");
		const int err = collapsed_line__parse(text, len, form, &line);
		bool has_user;

		if (!err) {
			upload__add_line(self, &line);
			if (collapsed_line__is_complete(&line, &has_user))
				complete += line.weight;
			user += has_user ? line.weight : 0;
		} else if (err == -EBADMSG) {
			self->lines_skipped++;
		}
		text += len + (text[len] == '\n');
	}
	self->complete_pct = user ? 100.0 * (double)complete / (double)user : -1;
	return self->lines.err;
}

static void upload__take_rate(struct upload *self, const struct json_object *metadata)
{
	struct json_object *arguments;
	double rate_hz;

	if (json__get_object(metadata, "run_arguments", &arguments))
		return;
	if (!json__get_double(arguments, "frequency", &rate_hz) && rate_hz >= 1 && rate_hz <= 1e6)
		self->rate_hz = (uint32_t)rate_hz;
}

static int upload__parse_profile(struct upload *self, const char *text, const char **ret_why)
{
	const size_t header_len = strcspn(text, "\n");
	struct json_object *metadata;
	double pct;
	int err;

	*ret_why = "no header line";
	if (*text != '#')
		return -EBADMSG;
	err = json__parse(text + 1, header_len - 1, &self->header);
	if (err)
		return err == -ENOMEM ? err : -EBADMSG;
	if (!json__is_object(self->header))
		return -EBADMSG;
	err = upload__check_header(self, ret_why);
	if (err)
		return err;
	(void)json__get_object(self->header, "metadata", &metadata);
	(void)json__get_bool(metadata, "continuous", &self->continuous);
	upload__take_rate(self, metadata);
	upload__take_html(self);
	err = upload__take_lines(self, text + header_len + (text[header_len] == '\n'),
				 upload__form(self, metadata));
	/* An agent that saw the code knows better than the names of the frames tell. */
	if (!json__get_double(metadata, "user_stacks_complete_pct", &pct) && pct >= 0 && pct <= 100)
		self->complete_pct = pct;
	return err;
}

static void upload__check_gpid(struct upload *self, struct check *check)
{
	struct json_object *gpid;

	if (json__get_any(check->body, "gpid", &gpid))
		check__fail(check, "gpid", "value_error.missing", "field required");
	else if (json__is_int(gpid))
		snprintf(self->gpid, sizeof(self->gpid), "%lld", (long long)json__int(gpid));
	else if (json__is_str(gpid))
		snprintf(self->gpid, sizeof(self->gpid), "%s", json__str(gpid));
	else
		check__fail(check, "gpid", "type_error", "str or int expected");
}

int upload__parse(struct upload *self, const char *body, size_t len,
		  struct json_object **ret_detail, const char **ret_why)
{
	struct check check = { 0 };
	const char *start, *end, *text = "";
	int err;

	*self = (struct upload){ .complete_pct = -1 };
	err = json__parse(body, len, &self->json);
	if (err == -ENOMEM)
		return err;
	check.body = self->json;
	if (err || !json__is_object(self->json)) {
		check__fail(&check, "__root__", "value_error.jsondecode",
			    "a JSON object is expected");
		*ret_detail = check.detail;
		return -EINVAL;
	}
	start = check__str(&check, "start_time", true);
	if (*start && !parse_time(start, false, &self->start_ms))
		check__fail(&check, "start_time", "value_error.datetime",
			    "invalid datetime format");
	if (json__get_str(self->json, "end_time", &end) || !parse_time(end, false, &self->end_ms))
		self->end_ms = 0;
	err = json__get_str(self->json, "profile", &text);
	if (err)
		check__fail(&check, "profile",
			    err == -ENOENT ? "value_error.missing" : "type_error.str",
			    err == -ENOENT ? "field required" : "str type expected");
	upload__check_gpid(self, &check);
	if (check.detail) {
		*ret_detail = check.detail;
		return -EINVAL;
	}
	return upload__parse_profile(self, text, ret_why);
}

void upload__shrink(struct upload *self)
{
	json__put(take_ptr(self->json));
	buf__clear(&self->lines);
	buf__clear(&self->html);
}

struct stored_profile upload__row(const struct upload *self, int64_t id, uint64_t bytes)
{
	return (struct stored_profile){
		.id = id,
		.hostname = self->hostname,
		.command_id = self->command_id,
		.start_ms = self->start_ms,
		.end_ms = self->end_ms,
		.samples = self->samples,
		.stacks = self->stacks,
		.lines_skipped = self->lines_skipped,
		.bytes = bytes,
		.complete_pct = self->complete_pct,
		.rate_hz = self->rate_hz,
		.continuous = self->continuous,
		.has_html = self->has_html,
	};
}

void upload__clear(struct upload *self)
{
	json__put(self->json);
	json__put(self->header);
	buf__clear(&self->lines);
	buf__clear(&self->html);
	*self = (struct upload){ 0 };
}
