/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A heartbeat as any agent may send it to the studio, with what runs on its host: read, and what was well
 * kept twice, of which the second time must change nothing.
 */
#include "../../user/studio/check.c"
#include "../../user/studio/heartbeat.c"
#include "../../user/studio/inventory.c"
#include "../../user/studio/secret.c"
#include "../../user/studio/store.c"
#include "../../user/studio/store_commands.c"
#include "../../user/studio/store_hosts.c"
#include "../../user/studio/store_inventory.c"
#include "../../user/studio/store_orders.c"
#include "../../user/studio/store_profiles.c"
#include "../../user/studio/store_runs.c"
#include "../../user/studio/store_subscriptions.c"

#include "pp/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep_twice(struct store *store, const struct heartbeat *beat)
{
	struct command command;
	int i, before = 0;

	for (i = 0; i < 2; i++) {
		before = sqlite3_total_changes(store->db);
		pp_assert(store__heartbeat(store, beat, 1700000000000, &command) == -ENOENT);
	}
	pp_assert(sqlite3_total_changes(store->db) - before <= 1); /* that it was seen */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct store *store;
	struct json_object *json = NULL;
	struct heartbeat_body body;
	struct check check = { 0 };

	if (!store && store__open(":memory:", &store))
		return 0;
	if (json__parse((const char *)data, size, &json))
		return 0;
	check.body = json;
	if (json__is_object(json)) {
		if (!heartbeat_body__read(&body, &check) && !check.detail) {
			body.beat.runs = NULL; /* writes each time that it is told of a run */
			keep_twice(store, &body.beat);
		}
		heartbeat_body__clear(&body);
	}
	json__put(check.detail);
	json__put(json);
	return 0;
}
