/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Operators' orders, one or several at once, and the subscriptions that came of them. What an order is:
 * order.h.
 */
#include "order.h"

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BULK_MAX 100

static void answer_words(const struct httpd_request *request, const char *words)
{
	struct json_object *holder _auto_json_ = json__new_array();

	(void)json__add_str(holder, NULL, words);
	answer_json(request, 422, json__get(json__at(holder, 0)));
}

void api_profile_request(struct api *self, const struct httpd_request *request)
{
	struct json_object *json _auto_json_ = request_json(request);
	struct order order = { .check.body = json };
	const uint64_t now = now_ms();
	int err;

	if (!json)
		return;
	err = order__read(&order, self, now);
	if (!err && order__is_well(&order))
		err = order__submit(&order, self, now);
	if (order.check.detail)
		answer_detail(request, order.check.detail);
	else if (err)
		answer_failure(request, "submit the request", err);
	else if (order.error[0])
		answer_words(request, order.error);
	else
		answer_json(request, 200, order__answer(&order, now));
	order__clear(&order);
}

struct bulk { /* bulk__clear */
	struct api *api;
	struct check check; /* of all of them */
	struct order *orders;
	size_t cnt, hosts;
	uint64_t now;
};

static void bulk__clear(struct bulk *self)
{
	size_t i;

	for (i = 0; i < self->cnt; i++) {
		json__put(self->orders[i].check.detail);
		order__clear(&self->orders[i]);
	}
	free(self->orders);
}

/* A fault of one body is a fault of the whole: its place is put before. */
static void bulk__tell(struct bulk *self, size_t at, const struct json_object *detail)
{
	const char *msg, *type;
	struct json_object *item, *from, *loc;
	size_t i, k;

	for (i = 0; i < json__len(detail); i++) {
		item = json__at(detail, i);
		msg = type = "";
		from = NULL;
		(void)json__get_str(item, "msg", &msg);
		(void)json__get_str(item, "type", &type);
		(void)json__get_array(item, "loc", &from);
		loc = check_loc("body", "requests");
		(void)json__add_int(loc, NULL, (int64_t)at);
		for (k = 1; k < json__len(from); k++)
			(void)json__add(loc, NULL, json__get(json__at(from, k)));
		check__fail_at(&self->check, loc, type, msg);
	}
}

static int bulk__read(struct bulk *self, const struct json_object *list, bool is_dry)
{
	char why[1400];
	int64_t idle_hosts = 0;
	size_t i;
	int err = 0;

	for (i = 0; !err && i < self->cnt; i++) {
		struct order *order = &self->orders[i];

		order->check.body = json__at(list, i);
		order->is_dry = is_dry;
		if (json__is_object(order->check.body))
			err = order__read(order, self->api, self->now);
		else
			check__fail(&order->check, "__root__", "type_error.dict",
				    "value is not a valid dict");
		bulk__tell(self, i, order->check.detail);
		self->hosts += order->cnt;
	}
	if (!err && !self->check.detail && self->hosts > self->api->request_hosts_max) {
		snprintf(why, sizeof(why), "at most %u hosts at once",
			 self->api->request_hosts_max);
		check__fail(&self->check, "requests", "value_error", why);
	}
	for (i = 0; !err && i < self->cnt && !self->check.detail; i++) {
		if (!order__is_well(&self->orders[i]))
			continue;
		err = order__check_demands(&self->orders[i], self->api, self->now, &idle_hosts, why,
					   sizeof(why));
		if (!err && why[0])
			check__fail(&self->check, "requests", "value_error", why);
	}
	return err;
}

/* Each for itself: what fails does not keep the others back. */
static void bulk__answer(struct bulk *self, const struct httpd_request *request)
{
	struct json_object *json = json__new_object();
	struct json_object *results = json__new_array();
	int64_t done = 0;
	size_t i;

	for (i = 0; i < self->cnt; i++) {
		struct order *order = &self->orders[i];
		struct json_object *item = json__new_object();
		const int err = order__is_well(order) ? order__submit(order, self->api, self->now) :
							0;
		const bool is_well = !err && order__is_well(order);

		if (err)
			snprintf(order->error, sizeof(order->error), "cannot be stored, try again");
		(void)json__add_u64(item, "index", i);
		(void)json__add_str(item, "service_name", order->request.service);
		(void)json__add_bool(item, "success", is_well);
		if (is_well)
			(void)json__add(item, "response", order__answer(order, self->now));
		else
			(void)json__add_null(item, "response");
		(void)json__add_str(item, "error", is_well ? NULL : order->error);
		(void)json__add(results, NULL, item);
		done += is_well;
	}
	(void)json__add_u64(json, "total_submitted", self->cnt);
	(void)json__add_int(json, "successful_count", done);
	(void)json__add_int(json, "failed_count", (int64_t)self->cnt - done);
	(void)json__add(json, "results", results);
	answer_json(request, 200, json);
}

void api_bulk_request(struct api *self, const struct httpd_request *request)
{
	struct json_object *json _auto_json_ = request_json(request);
	struct bulk bulk = { .api = self, .check.body = json, .now = now_ms() };
	struct json_object *list = NULL;
	bool is_dry;
	int err;

	if (!json)
		return;
	err = json__get_array(json, "requests", &list);
	is_dry = check__bool(&bulk.check, "dry_run", false);
	if (err == -EBADMSG || json__len(list) > BULK_MAX)
		check__fail(&bulk.check, "requests", "type_error.list",
			    "a list of at most 100 requests is expected");
	else if (!json__len(list))
		check__fail(&bulk.check, "requests", "value_error",
			    "requests list cannot be empty");
	if (bulk.check.detail) {
		answer_detail(request, bulk.check.detail);
		return;
	}
	bulk.cnt = json__len(list);
	bulk.orders = calloc(bulk.cnt, sizeof(*bulk.orders));
	if (!bulk.orders)
		bulk.cnt = 0;
	err = bulk.orders ? bulk__read(&bulk, list, is_dry) : -ENOMEM;
	if (bulk.check.detail)
		answer_detail(request, bulk.check.detail);
	else if (err)
		answer_failure(request, "submit the requests", err);
	else
		bulk__answer(&bulk, request);
	bulk__clear(&bulk);
}

static int list_subscription(void *arg, const struct stored_subscription *one)
{
	struct json_object *item = json__new_object();

	(void)json__add_str(item, "service", one->service);
	(void)json__add_str(item, "request_id", one->request_id);
	(void)json__add_int(item, "rate_hz", one->rate_hz);
	(void)json__add_int(item, "made_ms", one->made_ms);
	(void)json__add_int(item, "hosts", one->host_cnt);
	return json__add(arg, NULL, item);
}

static int read_subscriptions(void *arg, struct store *store, struct json_object **ret_json)
{
	struct json_object *list = json__new_array();
	const int err = store__each_subscription(store, list_subscription, list);

	*ret_json = json__new_object();
	(void)json__add(*ret_json, "subscriptions", list);
	return err;
}

void api_subscriptions(struct api *self, const struct httpd_request *request)
{
	api__read(self, request, read_subscriptions, NULL);
}
