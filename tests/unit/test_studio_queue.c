/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The studio's queue: what agents get for what they say, and what becomes of commands.
 */
#include "../../user/studio/secret.c"
#include "../../user/studio/store.c"
#include "../../user/studio/store_commands.c"
#include "../../user/studio/store_hosts.c"
#include "../../user/studio/store_inventory.c"
#include "../../user/studio/store_orders.c"
#include "../../user/studio/store_profiles.c"
#include "../../user/studio/store_runs.c"
#include "../../user/studio/store_subscriptions.c"

#include "pp/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW 1700000000000ull

static struct store *store;
static char made[64][UUID_TEXT_BYTES];
static uint64_t clock_ms;

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

static const char *uuid(int n)
{
	snprintf(made[n], sizeof(made[n]), "%08x-0000-4000-8000-000000000000", n + 1);
	return made[n];
}

enum kind { AD_HOC, CONTINUOUS, STOP_HOST, STOP_PIDS };

static struct new_request request_of(enum kind kind, const struct new_command *command)
{
	return (struct new_request){
		.id = "request",
		.service = "s",
		.is_start = kind == AD_HOC || kind == CONTINUOUS,
		.continuous = kind == CONTINUOUS,
		.stops_host = kind == STOP_HOST,
		.duration_s = 10,
		.rate_hz = 99,
		.commands = command,
		.command_cnt = 1,
	};
}

/* Orders number n; returns the id that it got. */
static const char *order(int n, enum kind kind, const char *config)
{
	static char id[UUID_TEXT_BYTES];
	const struct new_command command = { id, "h", kind < STOP_HOST ? "start" : "stop", config };
	const struct new_request request = request_of(kind, &command);

	snprintf(id, sizeof(id), "%s", uuid(n));
	assert_int_equal(store__add_request(store, &request, clock_ms), 0);
	return id;
}

static struct command given;

static const char *take(int err, struct command *command)
{
	assert_true(err == 0 || err == -ENOENT);
	command__clear(&given);
	if (!err)
		given = *command;
	return given.id;
}

/* An agent with lists, JSON text; runs may be NULL. */
static const char *beat_with(const char *ids, const char *runs)
{
	struct json_object *received _auto_json_ = NULL, *told _auto_json_ = NULL;
	struct heartbeat beat = { .hostname = "h", .service = "s", .address = "::1" };
	struct command command;

	assert_int_equal(json__parse(ids, strlen(ids), &received), 0);
	if (runs)
		assert_int_equal(json__parse(runs, strlen(runs), &told), 0);
	beat.received_ids = received;
	beat.runs = told;
	return take(store__heartbeat(store, &beat, clock_ms, &command), &command);
}

/* Knows these numbers. */
static const char *beat(int cnt, const int *known)
{
	char text[64 * 40 + 8] = "[";
	int i;

	for (i = 0; i < cnt; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\"%s\"", i ? "," : "",
			 uuid(known[i]));
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "]");
	return beat_with(text, NULL);
}
#define BEAT(...)  beat(sizeof((int[]){ __VA_ARGS__ }) / sizeof(int), (int[]){ __VA_ARGS__ })
#define BEAT_NEW() beat(0, NULL)

static const char *beat_of_seed(const char *last)
{
	const struct heartbeat beat = { .hostname = "h", .service = "s", .last_command_id = last };
	struct command command;

	return take(store__heartbeat(store, &beat, clock_ms, &command), &command);
}

static int take_state(void *arg, const struct stored_command *command)
{
	struct stored_command *wanted = arg;

	if (strcmp(command->id, wanted->id) != 0)
		return 0;
	wanted->state = strdup(command->state);
	wanted->samples = command->samples;
	wanted->profile = command->profile;
	return 0;
}

static const char *state_of(int n)
{
	static char text[64];
	struct stored_command wanted = { .id = uuid(n) };

	assert_int_equal(store__each_command(store, &(struct command_filter){ 0 }, 100, take_state,
					     &wanted),
			 0);
	snprintf(text, sizeof(text), "%s %lld %lld", wanted.state ? wanted.state : "none",
		 (long long)wanted.samples, (long long)wanted.profile);
	free((char *)wanted.state);
	return text;
}

static int complete(int n, const char *status)
{
	const struct completion done = { uuid(n), "h", status, NULL, NULL, 0 };
	char was[16];

	return store__complete(store, &done, clock_ms, was);
}

static void delivered_until_the_agent_has_it(void **state)
{
	order(0, AD_HOC, "{}");
	assert_string_equal(BEAT_NEW(), uuid(0));
	assert_int_equal(given.duration_s, 10);
	assert_int_equal(given.rate_hz, 99);
	assert_string_equal(BEAT_NEW(), uuid(0));
	assert_string_equal(state_of(0), "sent -1 0");
	assert_string_equal(BEAT(0), "");
	assert_string_equal(state_of(0), "received -1 0");
	assert_string_equal(BEAT_NEW(), ""); /* an ad hoc run is never repeated */
}

static void completion_counts_once_and_only_after_delivery(void **state)
{
	order(0, AD_HOC, "{}");
	assert_int_equal(complete(0, "completed"), -ENOENT);
	BEAT_NEW();
	assert_int_equal(complete(0, "completed"), 0);
	assert_string_equal(state_of(0), "sampling -1 0");
	assert_int_equal(complete(0, "failed"), -EALREADY);
	assert_string_equal(BEAT_NEW(), "");
	order(1, AD_HOC, "{}");
	BEAT_NEW();
	assert_int_equal(complete(1, "failed"), 0);
	assert_string_equal(state_of(1), "failed -1 0");
	assert_string_equal(BEAT_NEW(), "");
}

static void a_run_tells_its_end(void **state)
{
	char runs[200];

	order(0, AD_HOC, "{}");
	BEAT_NEW();
	snprintf(runs, sizeof(runs), "[{\"command_id\":\"%s\",\"state\":\"running\"},7,null]",
		 uuid(0));
	beat_with("[]", runs);
	assert_string_equal(state_of(0), "sampling -1 0");
	snprintf(runs, sizeof(runs),
		 "[{\"command_id\":\"%s\",\"state\":\"done\",\"samples\":7,\"lost\":1}]", uuid(0));
	beat_with("[]", runs);
	assert_string_equal(state_of(0), "done 7 0");
	snprintf(runs, sizeof(runs),
		 "[{\"command_id\":\"%s\",\"state\":\"failed\",\"samples\":9,\"lost\":1}]",
		 uuid(0));
	beat_with("[]", runs); /* told already */
	assert_string_equal(state_of(0), "done 7 0");
}

static void a_profile_ends_the_command_that_it_names(void **state)
{
	struct stored_profile profile = {
		.id = 5,
		.hostname = "h",
		.service = "s",
		.command_id = uuid(1),
		.samples = 30 /* until the run is told of */
	};

	order(0, AD_HOC, "{}");
	BEAT_NEW();
	order(1, AD_HOC, "{\"x\":1}");
	BEAT(0);
	profile.received_ms = (int64_t)clock_ms;
	assert_int_equal(store__add_profile(store, &profile), 0);
	assert_string_equal(state_of(1), "done 30 5");
	assert_string_equal(state_of(0), "received -1 0");
	profile.id = 6; /* another part of it */
	assert_int_equal(store__add_profile(store, &profile), 0);
	assert_string_equal(state_of(1), "done 60 5");
	assert_string_equal(state_of(0), "received -1 0");
	profile.id = 7; /* of an agent that does not name commands */
	profile.command_id = NULL;
	assert_int_equal(store__add_profile(store, &profile), 0);
	assert_string_equal(state_of(0), "done 30 7");
}

static void stops_come_first_then_ad_hoc_then_continuous(void **state)
{
	order(0, CONTINUOUS, "{}");
	order(1, AD_HOC, "{}");
	order(2, AD_HOC, "{\"x\":1}");
	order(3, STOP_PIDS, "{\"stop_level\":\"process\",\"pids\":[1]}");
	assert_string_equal(BEAT_NEW(), uuid(3));
	assert_string_equal(BEAT(3), uuid(1));
	assert_string_equal(BEAT(3, 1), uuid(2));
	assert_string_equal(BEAT(3, 1, 2), uuid(0));
	assert_string_equal(BEAT(3, 1, 2, 0), "");
	assert_string_equal(state_of(0), "received -1 0");
}

static void an_agent_that_forgot_gets_the_continuous_start_again(void **state)
{
	order(0, CONTINUOUS, "{}");
	BEAT_NEW();
	BEAT(0);
	assert_int_equal(complete(0, "completed"), 0);
	assert_string_equal(BEAT_NEW(), uuid(0));
	assert_string_equal(BEAT(0), "");
	assert_string_equal(beat_of_seed(NULL), uuid(0));
	assert_string_equal(beat_of_seed(uuid(5)), "");
	order(1, CONTINUOUS, "{\"x\":1}");
	assert_string_equal(BEAT(0), uuid(1));
	assert_string_equal(state_of(0), "sampling -1 0"); /* until the new one is there */
	assert_string_equal(BEAT(0, 1), "");
	assert_string_equal(state_of(0), "stopped -1 0");
	order(2, STOP_HOST, "{\"stop_level\":\"host\"}");
	assert_string_equal(BEAT(0, 1), uuid(2));
	assert_string_equal(BEAT(0, 1, 2), "");
	assert_string_equal(state_of(1), "stopped -1 0");
	assert_string_equal(BEAT_NEW(), "");
}

static void a_failed_continuous_start_is_not_repeated(void **state)
{
	order(0, CONTINUOUS, "{}");
	BEAT_NEW();
	assert_int_equal(complete(0, "failed"), 0);
	assert_string_equal(BEAT_NEW(), "");
}

static void an_agent_without_lists_acknowledges_by_its_last_id(void **state)
{
	order(0, AD_HOC, "{}");
	order(1, AD_HOC, "{\"x\":1}");
	assert_string_equal(beat_of_seed(NULL), uuid(0));
	assert_string_equal(beat_of_seed(uuid(0)), uuid(1));
	assert_string_equal(beat_of_seed(uuid(1)), "");
	assert_string_equal(state_of(0), "received -1 0");
	order(2, AD_HOC, "{}");
	order(3, AD_HOC, "{\"x\":1}");
	assert_string_equal(beat_of_seed(uuid(1)), uuid(2));
	assert_string_equal(beat_of_seed(uuid(2)), uuid(3));
}

static void equal_starts_that_wait_are_one(void **state)
{
	struct new_command command = { made[1], "h", "start", "{\"pids\":[1]}" };
	struct new_request request = request_of(AD_HOC, &command);

	order(0, AD_HOC, "{\"pids\":[1]}");
	uuid(1);
	request.duration_s = 30;
	request.rate_hz = 11;
	assert_int_equal(store__add_request(store, &request, clock_ms), 0);
	assert_string_equal(made[1], uuid(0)); /* the caller learns the id */
	assert_string_equal(order(2, AD_HOC, "{\"pids\":[2]}"), uuid(2));
	assert_string_equal(order(3, CONTINUOUS, "{\"pids\":[1]}"), uuid(3));
	assert_string_equal(BEAT_NEW(), uuid(0));
	assert_int_equal(given.duration_s, 30);
	assert_int_equal(given.rate_hz, 99);
	assert_string_equal(order(4, AD_HOC, "{\"pids\":[1]}"),
			    uuid(4)); /* that one is on its way */
}

static void what_was_not_fetched_gives_way(void **state)
{
	order(0, CONTINUOUS, "{}");
	order(1, CONTINUOUS, "{\"x\":1}");
	assert_string_equal(state_of(0), "superseded -1 0");
	order(2, AD_HOC, "{}");
	order(3, STOP_HOST, "{\"stop_level\":\"host\"}");
	assert_string_equal(state_of(1), "superseded -1 0");
	assert_string_equal(state_of(2), "superseded -1 0");
	assert_string_equal(BEAT_NEW(), uuid(3));
	assert_string_equal(BEAT(3), "");
}

static void a_superseded_one_that_was_on_its_way_may_be_completed(void **state)
{
	order(0, AD_HOC, "{}");
	BEAT_NEW();
	order(1, STOP_HOST, "{\"stop_level\":\"host\"}");
	assert_int_equal(complete(0, "completed"), 0);
	assert_string_equal(state_of(0), "superseded -1 0");
}

static void pids_are_taken_out_of_a_start_that_waits(void **state)
{
	order(0, AD_HOC, "{\"pids\":[1,2,3]}");
	assert_string_equal(order(1, STOP_PIDS, "{\"stop_level\":\"process\",\"pids\":[2]}"),
			    uuid(0));
	assert_string_equal(BEAT_NEW(), uuid(0));
	assert_string_equal(given.config, "{\"pids\":[1,3]}");
	assert_string_equal(BEAT(0), "");
}

static void an_agent_that_tells_of_its_runs_takes_pids_out_itself(void **state)
{
	order(0, AD_HOC, "{\"pids\":[1,2]}");
	beat_with("[]", "[]");
	BEAT(0);
	order(1, STOP_PIDS, "{\"stop_level\":\"process\",\"pids\":[2]}");
	assert_string_equal(BEAT(0), uuid(1));
	assert_string_equal(given.type, "stop");
	assert_string_equal(given.config, "{\"stop_level\":\"process\",\"pids\":[2]}");
}

/* Nobody knows yet whether the start arrived: what it says is mended, and the stop follows it. */
static void a_stop_of_pids_follows_a_start_on_its_way(void **state)
{
	const char *stop = "{\"stop_level\":\"process\",\"pids\":[2]}";

	order(0, AD_HOC, "{\"pids\":[1,2]}");
	beat_with("[]", "[]");
	assert_string_equal(order(1, STOP_PIDS, stop), uuid(1));
	assert_string_equal(BEAT(0), uuid(1));
	assert_string_equal(given.config, stop);
	assert_string_equal(BEAT(0, 1), "");
	order(2, AD_HOC, "{\"pids\":[1,2]}");
	BEAT(0, 1);
	order(3, STOP_PIDS, stop);
	assert_string_equal(BEAT(0, 1), uuid(3)); /* number 2 was lost */
	assert_string_equal(BEAT(0, 1, 3), uuid(2));
	assert_string_equal(given.config, "{\"pids\":[1]}");
	order(4, AD_HOC, "{\"pids\":[1,9]}"); /* waits */
	assert_string_equal(order(5, STOP_PIDS, "{\"stop_level\":\"process\",\"pids\":[1]}"),
			    uuid(5));
	assert_string_equal(state_of(4), "pending -1 0");
}

static void a_start_by_groups_waits_for_who_is_left(void **state)
{
	order(0, AD_HOC, "{\"pids\":[1,2],\"groups\":[\"pod:a\",\"pod:b\"]}");
	order(1, STOP_PIDS, "{\"pids\":[2],\"groups\":[\"pod:b\"]}");
	assert_string_equal(BEAT_NEW(), uuid(0));
	assert_string_equal(given.config, "{\"pids\":[1]}");
	order(2, CONTINUOUS, "{\"pids\":[1,2],\"groups\":[\"pod:a\",\"pod:b\"]}");
	order(3, STOP_PIDS, "{\"pids\":[2],\"groups\":[\"pod:b\",\"pod:a\"]}");
	assert_string_equal(state_of(2),
			    "superseded -1 0"); /* all of them, whoever is in them now */
}

static void other_agents_get_the_rest_behind_a_start_on_its_way(void **state)
{
	order(0, AD_HOC, "{\"pids\":[1,2]}");
	BEAT_NEW();
	order(1, STOP_PIDS, "{\"stop_level\":\"process\",\"pids\":[2]}");
	assert_string_equal(BEAT(0), uuid(1));
	assert_string_equal(given.type, "start");
	assert_string_equal(given.config, "{\"pids\":[1]}");
}

static void other_agents_get_a_start_with_the_rest_or_a_stop(void **state)
{
	order(0, AD_HOC, "{\"pids\":[1,2]}");
	BEAT_NEW();
	BEAT(0);
	order(1, STOP_PIDS, "{\"stop_level\":\"process\",\"pids\":[2]}");
	assert_string_equal(BEAT(0), uuid(1));
	assert_string_equal(given.type, "start");
	assert_string_equal(given.config, "{\"pids\":[1]}");
	BEAT(0, 1);
	order(2, STOP_PIDS, "{\"stop_level\":\"process\",\"pids\":[1]}");
	assert_string_equal(BEAT(0, 1), uuid(2));
	assert_string_equal(given.type, "stop");
	assert_string_equal(given.config, "{\"stop_level\":\"host\"}");
}

static void an_ad_hoc_command_expires(void **state)
{
	order(0, AD_HOC, "{}");
	clock_ms += COMMAND_EXPIRES_MS;
	assert_string_equal(BEAT_NEW(), uuid(0));
	clock_ms++;
	assert_string_equal(BEAT_NEW(), "");
	assert_string_equal(state_of(0), "expired -1 0");
	order(1, AD_HOC, "{}");
	BEAT_NEW();
	BEAT(1);
	clock_ms += 10000 + RESULT_GRACE_MS + 1;
	BEAT(1);
	assert_string_equal(state_of(1), "expired -1 0");
	order(2, CONTINUOUS, "{}");
	clock_ms += 100 * COMMAND_EXPIRES_MS;
	assert_string_equal(BEAT(1), uuid(2));
}

static void services_of_one_host_are_apart(void **state)
{
	const struct heartbeat other = { .hostname = "h", .service = "t" };
	struct command command;

	order(0, AD_HOC, "{}");
	assert_int_equal(store__heartbeat(store, &other, clock_ms, &command), -ENOENT);
	assert_string_equal(BEAT_NEW(), uuid(0));
}

static void the_queue_of_a_host_is_bounded(void **state)
{
	char id[UUID_TEXT_BYTES], config[32];
	const struct new_command command = { id, "h", "start", config };
	const struct new_request request = request_of(AD_HOC, &command);
	int i;

	for (i = 0; i <= COMMANDS_OPEN_MAX; i++) {
		snprintf(id, sizeof(id), "%08x-0000-4000-8000-000000000000", i);
		snprintf(config, sizeof(config), "{\"x\":%d}", i);
		assert_int_equal(store__add_request(store, &request, clock_ms),
				 i < COMMANDS_OPEN_MAX ? 0 : -EDQUOT);
	}
}

/* Random orders and beats: nothing is delivered after the agent has it, and all that counts arrives. */
static void nothing_is_lost_or_repeated(void **state)
{
	uint32_t seed, step;

	for (seed = 1; seed <= 200; seed++) {
		uint64_t random = seed * 0x9e3779b97f4a7c15ull;
		int known[64], known_cnt = 0, order_cnt = 0, i;
		char config[32];

		store__close(store);
		assert_int_equal(store__open(":memory:", &store), 0);
		for (step = 0; step < 200; step++) {
			const char *id;

			random = random * 6364136223846793005ull + 1442695040888963407ull;
			if (order_cnt < 40 && random >> 62 == 0) {
				const enum kind kind = random >> 40 & 7;

				snprintf(config, sizeof(config), "{\"x\":%d}", order_cnt);
				order(order_cnt++, kind > STOP_HOST ? AD_HOC : kind, config);
				continue;
			}
			id = beat(known_cnt, known);
			if (!*id || random >> 60 & 1) /* the answer was lost */
				continue;
			i = (int)strtol(id, NULL, 16) - 1;
			for (int k = 0; k < known_cnt; k++)
				assert_int_not_equal(known[k], i);
			known[known_cnt++] = i;
		}
		while (*beat(known_cnt, known))
			known[known_cnt++] = (int)strtol(given.id, NULL, 16) - 1;
		for (i = 0; i < order_cnt; i++) {
			const char *now = state_of(i);

			assert_true(!strncmp(now, "received", 8) ||
				    !strncmp(now, "superseded", 10) || !strncmp(now, "stopped", 7));
		}
	}
}

static void a_file_of_version_one_is_taken_over(void **state)
{
	char dir[] = "/tmp/pulseprof-test.XXXXXX", path[64];
	struct store *old;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/studio.db", dir);
	store__close(store);
	assert_int_equal(store__open(path, &old), 0);
	/* as version 1 left it */
	assert_int_equal(store__exec(old,
				     "DROP TABLE commands; DROP TABLE profiles; DROP TABLE hosts;"
				     "DROP TABLE containers; DROP TABLE processes;"
				     "DROP TABLE subscriptions; DROP TABLE agents;"
				     "DROP TABLE counters; PRAGMA user_version = 0"),
			 0);
	assert_int_equal(store__exec(old, pp_asset_schema_1_sql), 0);
	assert_int_equal(
		store__exec(
			old,
			"INSERT INTO commands VALUES(1,'00000001-0000-4000-8000-000000000000','r',"
			"'h','s','start',1,0,60,'{\"duration\":60,\"frequency\":49,\"pids\":[3]}',"
			"'completed',1,2,3,4,0,NULL,NULL,NULL);"
			"INSERT INTO commands VALUES(2,'00000002-0000-4000-8000-000000000000','r',"
			"'h','s','start',0,0,9,'{\"duration\":9,\"frequency\":11}','pending',"
			"1700000000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL);"
			"PRAGMA user_version = 1"),
		0);
	store__close(old);
	assert_int_equal(store__open(path, &store), 0);
	assert_string_equal(state_of(0), "sampling -1 0");
	assert_string_equal(BEAT(0), uuid(1));
	assert_int_equal(given.duration_s, 9);
	assert_int_equal(given.rate_hz, 11);
	assert_string_equal(given.config, "{}");
	assert_string_equal(BEAT(1), uuid(0));
	assert_string_equal(given.config, "{\"pids\":[3]}");
	store__close(store);
	store = NULL;
	unlink(path);
	rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(delivered_until_the_agent_has_it),
		TEST(completion_counts_once_and_only_after_delivery),
		TEST(a_run_tells_its_end),
		TEST(a_profile_ends_the_command_that_it_names),
		TEST(stops_come_first_then_ad_hoc_then_continuous),
		TEST(an_agent_that_forgot_gets_the_continuous_start_again),
		TEST(a_failed_continuous_start_is_not_repeated),
		TEST(an_agent_without_lists_acknowledges_by_its_last_id),
		TEST(equal_starts_that_wait_are_one),
		TEST(what_was_not_fetched_gives_way),
		TEST(a_superseded_one_that_was_on_its_way_may_be_completed),
		TEST(pids_are_taken_out_of_a_start_that_waits),
		TEST(an_agent_that_tells_of_its_runs_takes_pids_out_itself),
		TEST(a_stop_of_pids_follows_a_start_on_its_way),
		TEST(a_start_by_groups_waits_for_who_is_left),
		TEST(other_agents_get_the_rest_behind_a_start_on_its_way),
		TEST(other_agents_get_a_start_with_the_rest_or_a_stop),
		TEST(an_ad_hoc_command_expires),
		TEST(services_of_one_host_are_apart),
		TEST(the_queue_of_a_host_is_bounded),
		TEST(nothing_is_lost_or_repeated),
		TEST(a_file_of_version_one_is_taken_over),
	};
	const int failed = cmocka_run_group_tests(tests, NULL, NULL);

	command__clear(&given);
	return failed;
}
