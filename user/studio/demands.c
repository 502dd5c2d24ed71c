/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether the hosts of an order can do what it wants: perf events that they said they have, settings of
 * profilers, how many hosts may sample at once. Words and rules as the real web app has them.
 */
#include "inventory.h"
#include "order.h"

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS_NAMED_MAX 5 /* in what is said of those that cannot */

struct demand {
	const struct order *order;
	struct api *api;
	const struct json_object *events;
	int64_t since_ms;
	int64_t seen, lacking, idle; /* hosts */
	char names[600];
};

static void demand__name(struct demand *self, const char *hostname, const char *missing)
{
	const size_t len = strlen(self->names);

	if (self->lacking++ < HOSTS_NAMED_MAX)
		snprintf(self->names + len, sizeof(self->names) - len, "\n  - %.60s: missing %s",
			 hostname, missing);
}

/* An event's name as " cycles " in the list of those that the host has. */
static bool has_event(const char *events, const char *name)
{
	char word[80];

	snprintf(word, sizeof(word), " %s ", event_name(name));
	return events && strstr(events, word);
}

static int demand__check_host(void *arg, const char *hostname, struct json_object *pids)
{
	struct demand *self = arg;
	char *events _auto_free_ = NULL;
	char missing[200] = "";
	size_t i, len;
	int err;

	err = store__events(self->api->store, hostname, self->order->request.service,
			    self->since_ms, &events);
	if (err)
		return err == -ENOENT ? 0 : err;
	self->seen++;
	for (i = 0; i < json__len(self->events); i++) {
		const char *name = json__str(json__at(self->events, i));

		if (has_event(events, name))
			continue;
		len = strlen(missing);
		snprintf(missing + len, sizeof(missing) - len, "%s%.40s", len ? ", " : "", name);
	}
	if (missing[0])
		demand__name(self, hostname, missing);
	return 0;
}

static int demand__check_events(struct demand *self, char *ret_why, size_t bytes)
{
	const char *service = self->order->request.service;
	int err;

	err = json__each(self->order->hosts, demand__check_host, self);
	if (err)
		return err;
	if (!self->seen)
		snprintf(ret_why, bytes, "Service '%s': No active hosts found for service '%s'",
			 service, service);
	else if (self->lacking)
		snprintf(ret_why, bytes,
			 "Service '%s': %lld host(s) don't support the selected events:%s%s",
			 service, (long long)self->lacking, self->names,
			 self->lacking > HOSTS_NAMED_MAX ? "\n  - and more" : "");
	return 0;
}

static void check_async_profiler(const char *service, const struct json_object *settings,
				 char *ret_why, size_t bytes)
{
	static const char *const times[] = { "alloc", "auto", "cpu", "itimer", "wall" };
	const char *time, *interval = "";
	size_t i;

	if (json__get_str(settings, "time", &time))
		return;
	for (i = 0; i < ARRAY_SIZE(times) && strcmp(time, times[i]) != 0; i++)
		;
	(void)json__get_str(settings, "alloc_interval", &interval);
	if (i == ARRAY_SIZE(times))
		snprintf(ret_why, bytes,
			 "Service '%s': Invalid async_profiler time mode '%.40s'. Valid modes:"
			 " ['alloc', 'auto', 'cpu', 'itimer', 'wall']",
			 service, time);
	else if (!strcmp(time, "alloc") && !*interval)
		snprintf(ret_why, bytes,
			 "Service '%s': Invalid alloc_interval value '': must be a non-empty string"
			 " (e.g. '2MB', '512KiB')",
			 service);
}

static int count_idle(void *arg, const char *hostname, struct json_object *pids)
{
	struct demand *self = arg;
	const int busy = store__is_busy(self->api->store, hostname, self->order->request.service);

	self->idle += !busy;
	return busy < 0 ? busy : 0;
}

/* Of the hosts of the last day, only so many may sample at once. */
static int demand__check_share(struct demand *self, uint64_t now_ms, char *ret_why, size_t bytes)
{
	const uint32_t percent = self->api->profiling_percent_max;
	int64_t hosts = 0, busy = 0;
	int err;

	if (percent >= 100 || !self->order->request.is_start)
		return 0;
	err = store__capacity(self->api->store, (int64_t)now_ms - 86400000, &hosts, &busy);
	err = err ? err : json__each(self->order->hosts, count_idle, self);
	if (!err && (busy + self->idle) * 100 > hosts * percent)
		snprintf(
			ret_why, bytes,
			"Service '%s': %lld host(s) would be profiled at once, at most %u %% of %lld"
			" may",
			self->order->request.service, (long long)(busy + self->idle), percent,
			(long long)hosts);
	return err;
}

int order__check_demands(const struct order *self, struct api *api, uint64_t now_ms,
			 int64_t *idle_hosts, char *ret_why, size_t bytes)
{
	struct demand demand = { self, api, NULL,	 (int64_t)now_ms - HOST_OFFLINE_MS,
				 0,    0,   *idle_hosts, "" };
	struct json_object *configs = NULL, *perf = NULL, *async = NULL, *events = NULL;
	int err;

	ret_why[0] = '\0';
	(void)json__get_object(self->args, "profiler_configs", &configs);
	/* perf may also be a word, "enabled_restricted": without events of its own. */
	(void)json__get_object(configs, "perf", &perf);
	(void)json__get_array(perf, "events", &events);
	(void)json__get_object(configs, "async_profiler", &async);
	check_async_profiler(self->request.service, async, ret_why, bytes);
	err = demand__check_share(&demand, now_ms, ret_why, bytes);
	*idle_hosts = demand.idle;
	demand.events = events;
	if (!err && json__len(events))
		err = demand__check_events(&demand, ret_why, bytes);
	return err;
}
