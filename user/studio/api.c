/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The gate of the studio: the table of routes, and who may use them. Everything is decided from the
 * headers, before a body is read: the Host must be ours (DNS rebinding), an Origin must be this very
 * place, a POST must be JSON (a foreign page cannot send that without asking), the token must match.
 * Then the route's own function answers.
 */
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ANSWER_MAX_BYTES (16u << 20)

#define HEADERS_ALWAYS                                                \
	"X-Content-Type-Options: nosniff", "Cache-Control: no-store", \
		"Referrer-Policy: no-referrer", "Cross-Origin-Resource-Policy: same-origin"
static const char *const headers_data[] = {
	HEADERS_ALWAYS, "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'", NULL
};
static const char *const headers_unauthorized[] = {
	HEADERS_ALWAYS, "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
	"WWW-Authenticate: Bearer", NULL
};
static const char *const headers_busy[] = {
	HEADERS_ALWAYS, "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
	"Retry-After: 5", NULL
};
static const char *const headers_page[] = {
	HEADERS_ALWAYS,
	"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self';"
	" connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none';"
	" frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	NULL
};
/* The frame that shows uploaded pages: a place of its own without origin, network or token. */
static const char *const headers_viewer[] = {
	HEADERS_ALWAYS,
	"Content-Security-Policy: sandbox allow-scripts; default-src 'none';"
	" script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
	" form-action 'none'; frame-ancestors 'self'",
	NULL
};

enum auth { AUTH_NONE, AUTH_TOKEN, AUTH_UPLOAD, AUTH_LOGS };

struct route {
	const char *path; /* ends in '/': what follows is handed over */
	bool is_post;
	enum auth auth;
	void (*fn)(struct api *self, const struct httpd_request *request);
	void (*fn_rest)(struct api *self, const struct httpd_request *request, const char *rest);
};

uint64_t now_ms(void)
{
	return clock_real_ns() / 1000000;
}

static void api_health(struct api *self, const struct httpd_request *request)
{
	const char *key = httpd_call__header(request->call, "GPROFILER-API-KEY");

	/* As the real one: a key is looked at only when the service is named too. */
	if (key && httpd_call__header(request->call, "GPROFILER-SERVICE-NAME") &&
	    !token__matches(&self->token, key))
		answer_message(request, 400, "Invalid API key");
	else
		answer_message(request, 200, "ok");
}

static void answer_asset(const struct httpd_request *request, const char *mime,
			 const char *const *headers, const char *begin, const char *end)
{
	(void)httpd_call__answer(request->call, &(struct httpd_answer){
							.status = 200,
							.content_type = mime,
							.headers = headers,
							.body = begin,
							.body_len = (size_t)(end - begin),
						});
}

#define ASSET(name, mime, headers)                                                          \
	extern const char pp_asset_studio_##name[], pp_asset_studio_##name##_end[];         \
	static void api_asset_##name(struct api *self, const struct httpd_request *request) \
	{                                                                                   \
		answer_asset(request, mime, headers, pp_asset_studio_##name,                \
			     pp_asset_studio_##name##_end);                                 \
	}
ASSET(html, "text/html; charset=utf-8", headers_page)
ASSET(css, "text/css; charset=utf-8", headers_data)
ASSET(js, "text/javascript; charset=utf-8", headers_data)
ASSET(call_js, "text/javascript; charset=utf-8", headers_data)
ASSET(commands_js, "text/javascript; charset=utf-8", headers_data)
ASSET(fleet_js, "text/javascript; charset=utf-8", headers_data)
ASSET(order_js, "text/javascript; charset=utf-8", headers_data)
ASSET(profiles_js, "text/javascript; charset=utf-8", headers_data)
ASSET(table_js, "text/javascript; charset=utf-8", headers_data)
ASSET(targets_js, "text/javascript; charset=utf-8", headers_data)
ASSET(viewer_html, "text/html; charset=utf-8", headers_viewer)

static const struct route routes[] = {
	{ "/", false, AUTH_NONE, api_asset_html, NULL },
	{ "/studio.css", false, AUTH_NONE, api_asset_css, NULL },
	{ "/studio.js", false, AUTH_NONE, api_asset_js, NULL },
	{ "/studio.call.js", false, AUTH_NONE, api_asset_call_js, NULL },
	{ "/studio.commands.js", false, AUTH_NONE, api_asset_commands_js, NULL },
	{ "/studio.fleet.js", false, AUTH_NONE, api_asset_fleet_js, NULL },
	{ "/studio.order.js", false, AUTH_NONE, api_asset_order_js, NULL },
	{ "/studio.profiles.js", false, AUTH_NONE, api_asset_profiles_js, NULL },
	{ "/studio.table.js", false, AUTH_NONE, api_asset_table_js, NULL },
	{ "/studio.targets.js", false, AUTH_NONE, api_asset_targets_js, NULL },
	{ "/viewer", false, AUTH_NONE, api_asset_viewer_html, NULL },
	{ "/api/v1/health_check", false, AUTH_NONE, api_health, NULL },
	{ "/api/v2/health_check", false, AUTH_NONE, api_health, NULL },
	{ "/api/v1/health_check/webapp", false, AUTH_NONE, api_health, NULL },
	{ "/api/v2/health_check/webapp", false, AUTH_NONE, api_health, NULL },
	{ "/api/metrics/heartbeat", true, AUTH_TOKEN, api_heartbeat, NULL },
	{ "/api/metrics/command_completion", true, AUTH_TOKEN, api_completion, NULL },
	{ "/api/v1/profiles", true, AUTH_UPLOAD, api_upload, NULL },
	{ "/api/v2/profiles", true, AUTH_UPLOAD, api_upload, NULL },
	{ "/api/v1/logs", true, AUTH_LOGS, api_logs, NULL },
	{ "/api/metrics/profile_request", true, AUTH_TOKEN, api_profile_request, NULL },
	{ "/api/metrics/profile_request/bulk", true, AUTH_TOKEN, api_bulk_request, NULL },
	{ "/api/metrics/profiling/workload_status", false, AUTH_TOKEN, api_workload_status, NULL },
	{ "/api/metrics/profiling/host_status", false, AUTH_TOKEN, api_host_status, NULL },
	{ "/api/studio/hosts", false, AUTH_TOKEN, api_hosts, NULL },
	{ "/api/studio/subscriptions", false, AUTH_TOKEN, api_subscriptions, NULL },
	{ "/api/studio/commands", false, AUTH_TOKEN, api_commands, NULL },
	{ "/api/studio/orders", false, AUTH_TOKEN, api_orders, NULL },
	{ "/api/studio/profiles", false, AUTH_TOKEN, api_profiles, NULL },
	{ "/api/studio/profiles/", false, AUTH_TOKEN, NULL, api_profile },
};

static const struct route *route__find(const char *path)
{
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(routes); i++) {
		len = strlen(routes[i].path);
		if (!strcmp(path, routes[i].path) ||
		    (routes[i].fn_rest && !strncmp(path, routes[i].path, len)))
			return &routes[i];
	}
	return NULL;
}

static void answer_json_with(const struct httpd_request *request, int status,
			     const char *const *headers, struct json_object *json)
{
	struct buf text _auto_buf_ = { 0 };

	buf__init(&text, ANSWER_MAX_BYTES);
	/* Who does not wait for it any more gets no answer. */
	if (request->call && json && !json__print(json, false, &text))
		(void)httpd_call__answer(request->call, &(struct httpd_answer){
								.status = status,
								.content_type = "application/json",
								.headers = headers,
								.body = text.data,
								.body_len = text.len,
							});
	json__put(json);
}

void answer_json(const struct httpd_request *request, int status, struct json_object *json)
{
	answer_json_with(request, status, status == 401 ? headers_unauthorized : headers_data,
			 json);
}

void answer_message(const struct httpd_request *request, int status, const char *message)
{
	struct json_object *json = json__new_object();

	(void)json__add_str(json, "message", message);
	answer_json(request, status, json);
}

void answer_busy(struct api *self, const struct httpd_request *request, const char *counter)
{
	struct json_object *json = json__new_object();

	(void)store__count(self->store, counter, 1);
	(void)json__add_str(json, "message", "too much to do at the moment, try again");
	answer_json_with(request, 503, headers_busy, json);
}

void answer_detail(const struct httpd_request *request, struct json_object *detail)
{
	struct json_object *json = json__new_object();

	(void)json__add(json, "detail", detail);
	answer_json(request, 422, json);
}

void answer_failure(const struct httpd_request *request, const char *what, int err)
{
	static struct log_rate rate;
	const char *reason = err == -EBUSY ?
				     "the database is locked by another program, try again" :
			     err == -ENOSPC ? "the disk of the studio is full, nothing was stored" :
			     err == -EROFS  ? "the disk of the studio is read-only" :
			     err == -EBADMSG ? "stored data is damaged" :
			     err == -ENOMEM  ? "out of memory, try again" :
					       "the studio cannot store or read its data";
	char text[256];

	log_every(&rate, 1000, LOG_LVL_ERROR, "studio: cannot %s: %s", what, errname(err));
	snprintf(text, sizeof(text), "cannot %s: %s", what, reason);
	answer_message(request, err == -EBADMSG ? 500 : 503, text);
}

struct json_object *request_json(const struct httpd_request *request)
{
	struct check check = { 0 };
	struct json_object *json = NULL;
	int err;

	err = json__parse(request->body, request->body_len, &json);
	if (!err && json__is_object(json))
		return json;
	json__put(json);
	if (err == -ENOMEM) {
		answer_failure(request, "read a request", err);
		return NULL;
	}
	check__fail(&check, "__root__", "value_error.jsondecode", "a JSON object is expected");
	answer_detail(request, check.detail);
	return NULL;
}

/* The name in a Host header, without its port: a tunnel may change the port, not the name. */
static bool host_name(const char *host, char *name, size_t name_bytes)
{
	const char *begin = host, *end;

	if (*host == '[') {
		begin = host + 1;
		end = strchr(begin, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		if (strspn(end + 1 + !!end[1], "0123456789") != strlen(end + 1 + !!end[1]))
			return false;
	} else {
		end = host + strcspn(host, ":");
		if (*end && strspn(end + 1, "0123456789") != strlen(end + 1))
			return false;
	}
	if (end == begin || (size_t)(end - begin) >= name_bytes)
		return false;
	snprintf(name, name_bytes, "%.*s", (int)(end - begin), begin);
	return true;
}

static bool host_is_ours(const struct api *self, const char *host)
{
	struct in6_addr addr;
	char name[256];

	if (!host || !host_name(host, name, sizeof(name)))
		return false;
	if (!strcasecmp(name, "localhost") || !strcmp(name, "127.0.0.1") || !strcmp(name, "::1") ||
	    !strcmp(name, self->address))
		return true;
	if (self->server_name && !strcasecmp(name, self->server_name))
		return true;
	/* Listening on all addresses: any address, but no name, is ours. */
	return (!strcmp(self->address, "0.0.0.0") || !strcmp(self->address, "::")) &&
	       (inet_pton(AF_INET, name, &addr) == 1 || inet_pton(AF_INET6, name, &addr) == 1);
}

static bool origin_is_ours(const struct api *self, const char *origin, const char *host)
{
	const char *scheme = self->is_tls ? "https://" : "http://";

	return !strncmp(origin, scheme, strlen(scheme)) &&
	       !strcasecmp(origin + strlen(scheme), host);
}

static bool content_is_json(const struct httpd_request *request, bool may_be_packed)
{
	const char *type = httpd_call__header(request->call, "Content-Type");
	const char *coding = httpd_call__header(request->call, "Content-Encoding");
	const size_t len = type ? strcspn(type, "; \t") : 0;

	if (len != strlen("application/json") || strncasecmp(type, "application/json", len))
		return false;
	return !coding || !strcasecmp(coding, "identity") ||
	       (may_be_packed && !strcasecmp(coding, "gzip"));
}

static bool is_authorized(const struct api *self, const struct httpd_request *request,
			  enum auth auth)
{
	const char *value = httpd_call__header(request->call, "Authorization");

	if (auth == AUTH_NONE)
		return true;
	if (value && !strncasecmp(value, "Bearer ", 7) && token__matches(&self->token, value + 7))
		return true;
	if (auth == AUTH_TOKEN)
		return false;
	value = httpd_call__header(request->call, auth == AUTH_LOGS ? "X-Token" : "");
	return token__matches(&self->token, value) ||
	       token__matches(&self->token, httpd_call__header(request->call, "GPROFILER-API-KEY"));
}

void api__head(void *arg, const struct httpd_request *request)
{
	const struct api *self = arg;
	const bool is_post = !strcmp(request->method, "POST");
	const char *host = httpd_call__header(request->call, "Host");
	const char *origin = httpd_call__header(request->call, "Origin");
	const struct route *route = route__find(request->path);

	if (!host_is_ours(self, host))
		answer_message(request, 421, "this Host is not served here");
	else if (origin && !origin_is_ours(self, origin, host))
		answer_message(request, 403, "requests from other sites are refused");
	else if (!route)
		answer_message(request, 404, "no such place");
	else if (route->is_post != is_post)
		answer_message(request, 405,
			       route->is_post ? "POST is expected" : "GET is expected");
	else if (is_post && !content_is_json(request, route->auth != AUTH_TOKEN))
		answer_message(request, 415, "Content-Type must be application/json");
	else if (!is_authorized(self, request, route->auth))
		answer_message(request, 401, "the token is missing or wrong");
	else if (route->auth == AUTH_UPLOAD && !httpd_call__header(request->call, "Content-Length"))
		answer_message(request, 411, "Content-Length is missing");
	else if (route->auth != AUTH_NONE)
		httpd_call__know(request->call);
}

void api__handle(void *arg, const struct httpd_request *request)
{
	struct api *self = arg;
	const struct route *route = route__find(request->path);

	pp_assert(route); /* api__head let it pass */
	if (route->fn_rest)
		route->fn_rest(self, request, request->path + strlen(route->path));
	else
		route->fn(self, request);
}
