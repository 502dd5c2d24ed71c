/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What hosts tell of their containers, kept by the store: whom an order means, what workload status counts,
 * whom a subscription enrols. What is recorded of the real web app is replayed by studio_replay.t.
 */
#include "../../user/studio/check.c"
#include "../../user/studio/heartbeat.c"
#include "../../user/studio/inventory.c"
#include "../../user/studio/secret.c"
#include "../../user/studio/store.c"
#include "../../user/studio/store_commands.c"
#include "../../user/studio/store_fleet.c"
#include "../../user/studio/store_hosts.c"
#include "../../user/studio/store_inventory.c"
#include "../../user/studio/store_orders.c"
#include "../../user/studio/store_profiles.c"
#include "../../user/studio/store_runs.c"
#include "../../user/studio/store_subscriptions.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW	      1700000000000
#define TARGETS_BYTES 512

static struct store *store;
static int64_t clock_ms;

static int set_up(void **state)
{
	clock_ms = NOW;
	return store__open(":memory:", &store);
}

static int tear_down(void **state)
{
	store__close(store);
	return 0;
}

#define CONTAINER(name, pod, space, processes)                                                     \
	"{\"container_name\":\"" name "\",\"podName\":\"" pod "\",\"namespace\":" space            \
	",\"workload_name\":\"" name "-load\",\"workload_kind\":\"k8s\",\"processes\":[" processes \
	"]}"
#define PROCESS(pid, name) "{\"pid\":" #pid ",\"process_name\":\"" name "\"}"
#define SHOP		   CONTAINER("cart", "cart-1", "\"shop\"", PROCESS(10, "java") "," PROCESS(11, "sh"))
#define BARE		   CONTAINER("cart", "cart-9", "null", PROCESS(20, "java"))
#define KUBE		   CONTAINER("proxy", "proxy-1", "\"kube\"", PROCESS(30, "proxy"))

/* The detail of a refused heartbeat, "" if it was taken. command: the type that it brought. */
static const char *beat(const char *hostname, const char *containers, char *ret_type)
{
	static char said[4096];
	struct command command = { 0 };
	struct check check = { 0 };
	struct heartbeat_body body;
	struct json_object *json = NULL;
	struct buf detail;
	int err;

	snprintf(said, sizeof(said),
		 "{\"hostname\":\"%s\",\"service_name\":\"s\",\"ip_address\":\"10.0.0.1\","
		 "\"perf_supported_events\":[\"cpu-cycles\"],\"containers\":[%s]}",
		 hostname, containers);
	assert_int_equal(json__parse(said, strlen(said), &json), 0);
	check.body = json;
	assert_int_equal(heartbeat_body__read(&body, &check), 0);
	said[0] = '\0';
	if (check.detail) {
		buf__init(&detail, sizeof(said));
		assert_int_equal(json__print(check.detail, false, &detail), 0);
		snprintf(said, sizeof(said), "%s", detail.data);
		buf__clear(&detail);
		json__put(check.detail);
	} else {
		err = store__heartbeat(store, &body.beat, (uint64_t)clock_ms, &command);
		assert_true(!err || err == -ENOENT);
		if (ret_type)
			snprintf(ret_type, 8, "%s", err ? "none" : command.type);
		command__clear(&command);
	}
	heartbeat_body__clear(&body);
	json__put(json);
	return said;
}

static void three_hosts(void)
{
	assert_string_equal(beat("a", SHOP "," KUBE, NULL), "");
	assert_string_equal(beat("b", SHOP, NULL), "");
	assert_string_equal(beat("c", BARE, NULL), "");
}

static int add_target(void *arg, const char *hostname, int64_t pid)
{
	char *text = arg;

	const size_t len = strlen(text);

	snprintf(text + len, TARGETS_BYTES - len, "%s:%d ", hostname, (int)pid);
	return 0;
}

static const char *targets(enum workload_scope scope, const char *entities)
{
	static char text[TARGETS_BYTES];

	text[0] = '\0';
	assert_int_equal(store__each_target(store,
					    &(struct target_query){
						    .scope = scope,
						    .service = "s",
						    .since_ms = clock_ms - HOST_OFFLINE_MS,
						    .entities = entities,
					    },
					    add_target, text),
			 0);
	return text;
}

static void orders_find_whom_they_mean(void **state)
{
	three_hosts();
	assert_string_equal(targets(SCOPE_SERVICE, "[]"), "a:-1 b:-1 c:-1 ");
	assert_string_equal(targets(SCOPE_HOST, "[{\"hostname\":\"b\"},{\"hostname\":\"z\"}]"),
			    "b:-1 ");
	assert_string_equal(targets(SCOPE_NAMESPACE, "[{\"namespace\":\"shop\"}]"),
			    "a:10 a:11 b:10 b:11 ");
	assert_string_equal(targets(SCOPE_NAMESPACE, "[{}]"),
			    "c:20 "); /* null is a namespace, too */
	assert_string_equal(targets(SCOPE_WORKLOAD, "[{\"workload_name\":\"cart-load\"}]"),
			    "a:10 a:11 b:10 b:11 c:20 ");
	assert_string_equal(
		targets(SCOPE_POD, "[{\"pod_name\":\"proxy-1\",\"namespace\":\"shop\"}]"), "");
	assert_string_equal(targets(SCOPE_CONTAINER,
				    "[{\"container_name\":\"cart\",\"hostname\":\"b\"}]"),
			    "b:10 b:11 ");
	assert_string_equal(targets(SCOPE_PROCESS,
				    "[{\"process_name\":\"java\"},{\"pid\":30},{\"pid\":10}]"),
			    "a:10 a:30 b:10 c:20 ");
	clock_ms += HOST_OFFLINE_MS;
	assert_string_equal(beat("c", BARE, NULL), "");
	clock_ms += 1;
	assert_string_equal(targets(SCOPE_SERVICE, "[]"), "c:-1 ");
}

static void inventory_is_what_the_last_heartbeat_said(void **state)
{
	three_hosts();
	assert_string_equal(beat("a", KUBE, NULL), "");
	assert_string_equal(targets(SCOPE_NAMESPACE, "[{\"namespace\":\"shop\"}]"), "b:10 b:11 ");
	assert_string_equal(targets(SCOPE_PROCESS, "[{\"pid\":30}]"), "a:30 ");
	assert_string_equal(
		beat("a", CONTAINER("proxy", "proxy-1", "\"kube\"", PROCESS(31, "proxy")), NULL),
		"");
	assert_string_equal(targets(SCOPE_PROCESS, "[{\"process_name\":\"proxy\"}]"), "a:31 ");
	assert_string_equal(beat("a", "", NULL), "");
	assert_string_equal(targets(SCOPE_PROCESS, "[{\"process_name\":\"proxy\"}]"), "");
}

/* Statements that wrote. */
static int changes(const char *containers)
{
	const int before = sqlite3_total_changes(store->db);

	assert_string_equal(beat("a", containers, NULL), "");
	return sqlite3_total_changes(store->db) - before;
}

static void unchanged_inventory_writes_nothing(void **state)
{
	assert_true(changes(SHOP "," KUBE) > 5);
	assert_int_equal(changes(SHOP "," KUBE), 1); /* that the host was seen */
	assert_int_equal(changes(KUBE "," SHOP), 1); /* in whatever order */
	assert_int_equal(changes(SHOP), 1 + 2 + 1); /* what went away, and the new hash */
}

static void bad_containers_are_refused_with_their_place(void **state)
{
	static const char *const bad[][2] = {
		{ "{\"container_name\":null}", "\"containers\",0,\"containerName\"" },
		{ SHOP ",{}", "\"containers\",1,\"containerName\"" },
		{ "{\"container_name\":\"x\",\"processes\":null}",
		  "\"containers\",0,\"processes\"" },
		{ "{\"container_name\":\"x\",\"processes\":[{\"pid\":\"a\",\"process_name\":\"\"}]}",
		  "\"processes\",0,\"pid\"" },
		{ "{\"container_name\":\"x\",\"processes\":[{\"pid\":-1,\"process_name\":\"\"}]}",
		  "\"processes\",0,\"pid\"" },
		{ "{\"container_name\":\"x\",\"processes\":[{\"pid\":1,\"process_name\":null}]}",
		  "\"processes\",0,\"processName\"" },
		{ "{\"container_name\":\"x\",\"processes\":[7]}", "\"processes\",0]" },
		{ "{\"container_name\":\"x\",\"namespace\":7}", "\"namespace\"" },
		{ "[]", "\"containers\",0]" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (!strstr(beat("a", bad[i][0], NULL), bad[i][1]))
			fail_msg("%s: %s", bad[i][0], beat("a", bad[i][0], NULL));
	assert_string_equal(targets(SCOPE_SERVICE, "[]"), "");
}

static void counts_are_of_each_scope(void **state)
{
	struct filter *filter = calloc(1, sizeof(*filter));
	int64_t counts[SCOPES];

	three_hosts();
	filter->limit = 10;
	assert_int_equal(store__count_workloads(store, filter, 0, counts), 0);
	assert_int_equal(counts[SCOPE_SERVICE], 1);
	assert_int_equal(counts[SCOPE_HOST], 3);
	assert_int_equal(counts[SCOPE_NAMESPACE], 3);
	assert_int_equal(counts[SCOPE_WORKLOAD], 3);
	assert_int_equal(counts[SCOPE_POD], 3); /* the same pod told by two hosts is one */
	assert_int_equal(counts[SCOPE_CONTAINER], 4);
	assert_int_equal(counts[SCOPE_PROCESS], 6);
	filter->texts[FILTER_NAMESPACE] = "[\"SHO\",\"nothing\"]";
	assert_int_equal(store__count_workloads(store, filter, 0, counts), 0);
	assert_int_equal(counts[SCOPE_HOST], 2);
	assert_int_equal(counts[SCOPE_PROCESS], 4);
	free(filter);
}

static void order_service(bool is_start, const char *hostname)
{
	char id[UUID_TEXT_BYTES];
	const struct new_command command = { id, hostname, is_start ? "start" : "stop",
					     is_start ? "{\"command_type\":\"start\"}" :
							"{\"stop_level\":\"host\"}" };

	assert_int_equal(uuid__make(id), 0);
	assert_int_equal(store__add_request(store,
					    &(struct new_request){
						    .id = "request",
						    .service = "s",
						    .is_start = is_start,
						    .continuous = is_start,
						    .stops_host = !is_start,
						    .is_service = true,
						    .duration_s = 60,
						    .rate_hz = 99,
						    .commands = &command,
						    .command_cnt = 1,
					    },
					    (uint64_t)clock_ms),
			 0);
}

static const char *type_for(const char *hostname)
{
	static char type[8];

	assert_string_equal(beat(hostname, "", type), "");
	return type;
}

static void subscription_enrols_hosts_that_come_later(void **state)
{
	three_hosts();
	order_service(true, "a");
	assert_string_equal(type_for("a"), "start");
	assert_string_equal(type_for("new"), "start"); /* with its first heartbeat */
	assert_string_equal(type_for("b"), "start"); /* offline when it was ordered, say */
	order_service(false, "a");
	assert_string_equal(type_for("newer"), "none");
}

static void subscription_does_not_come_back_to_a_host_that_was_stopped(void **state)
{
	char id[UUID_TEXT_BYTES];
	const struct new_command stop = { id, "b", "stop", "{\"stop_level\":\"host\"}" };

	three_hosts();
	order_service(true, "a");
	assert_int_equal(uuid__make(id), 0);
	assert_int_equal(store__add_request(store,
					    &(struct new_request){
						    .id = "r",
						    .service = "s",
						    .stops_host = true,
						    .commands = &stop,
						    .command_cnt = 1,
					    },
					    (uint64_t)clock_ms),
			 0);
	assert_string_equal(type_for("b"), "stop");
	assert_string_equal(type_for("c"), "start");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(orders_find_whom_they_mean),
		TEST(inventory_is_what_the_last_heartbeat_said),
		TEST(unchanged_inventory_writes_nothing),
		TEST(bad_containers_are_refused_with_their_place),
		TEST(counts_are_of_each_scope),
		TEST(subscription_enrols_hosts_that_come_later),
		TEST(subscription_does_not_come_back_to_a_host_that_was_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
