/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an answer to an upload means. The Studio and what stands in front of it say the same thing in
 * several ways; here each is one of five verdicts. Decides nothing about when and how to try again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pp/base/json.h"
#include "pp/net.h"

/* The Studio answers 400, not 401, to a key that it does not know. */
static bool says_wrong_key(const char *words)
{
	return strstr(words, "GPROFILER-SERVICE-NAME") || strstr(words, "API key");
}

static bool is_object_or_empty(const struct http_reply *reply)
{
	_auto_json_ struct json_object *json = NULL;

	if (!reply->body_len)
		return true;
	return !json__parse(reply->body, reply->body_len, &json) && json__is_object(json);
}

enum verdict ship_verdict(const struct http_reply *reply, const char *words)
{
	if (reply->err == -E2BIG)
		return VERDICT_LATER;
	if (reply->err || reply->status >= 500 || reply->status == 408 || reply->status == 429)
		return VERDICT_AGAIN;
	if (reply->status >= 200 && reply->status < 300) /* a login page is no receipt */
		return is_object_or_empty(reply) ? VERDICT_ACCEPTED : VERDICT_LATER;
	switch (reply->status) {
	case 401:
	case 403:
	case 404:
	case 405:
	case 407: return VERDICT_LATER;
	case 411:
	case 413: return VERDICT_SMALLER;
	case 400: return says_wrong_key(words) ? VERDICT_LATER : VERDICT_REFUSED;
	default: return reply->status < 400 ? VERDICT_LATER : VERDICT_REFUSED;
	}
}

void ship_learn_gpid(const struct http_reply *reply, char text[ENCODE_GPID_BYTES])
{
	_auto_json_ struct json_object *json = NULL;
	const char *gpid;
	int64_t number;

	if (json__parse(reply->body, reply->body_len, &json) || !json__is_object(json))
		return;
	if (!json__get_str(json, "gpid", &gpid)) {
		if (strlen(gpid) < ENCODE_GPID_BYTES)
			snprintf(text, ENCODE_GPID_BYTES, "%s", gpid);
	} else if (!json__get_int(json, "gpid", 0, INT64_MAX, &number)) {
		snprintf(text, ENCODE_GPID_BYTES, "%lld", (long long)number);
	}
}
