/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What runs on hosts, in the store: containers and processes. A heartbeat that says what the last one said
 * writes nothing here, and a container that did not change keeps its rows.
 */
#include "inventory.h"
#include "store_db.h"

#include "pp/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>

struct kept_container {
	int64_t id, hash;
};

static int store__forget_container(struct store *self, int64_t id)
{
	const int err = store__run(self, "DELETE FROM processes WHERE container=?1", "i", id);

	return err ? err : store__run(self, "DELETE FROM containers WHERE id=?1", "i", id);
}

static int store__add_container(struct store *self, int64_t host,
				const struct inventory_container *container)
{
	int64_t id;
	size_t i;
	int err;

	err = store__run(self,
			 "INSERT INTO containers(host,hash,container_id,container_name,runtime,"
			 "namespace,pod_name,workload_name,workload_kind)"
			 " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
			 "iittttttt", host, (int64_t)container->hash, container->id,
			 container->name, container->runtime, container->namespace,
			 container->pod_name, container->workload_name, container->workload_kind);
	id = sqlite3_last_insert_rowid(self->db);
	for (i = 0; !err && i < container->process_cnt; i++)
		err = store__run(self,
				 "INSERT OR IGNORE INTO processes(container,pid,process_name)"
				 " VALUES(?1,?2,?3)",
				 "iit", id, container->processes[i].pid,
				 container->processes[i].name);
	return err;
}

/* Those that are as they were get their mark in is_kept; the others go. */
static int store__keep_containers(struct store *self, int64_t host,
				  const struct inventory *inventory, bool *is_kept)
{
	struct kept_container gone[CONTAINERS_MAX];
	struct stmt stmt _auto_stmt_ = { 0 };
	size_t cnt = 0, i;
	int err;

	err = stmt__new(self, &stmt, "SELECT id, hash FROM containers WHERE host=?1", "i", host);
	while (!err && (err = stmt__step(&stmt)) == 1) {
		const int64_t hash = stmt__int(&stmt, 1);

		for (i = 0; i < inventory->container_cnt; i++)
			if (!is_kept[i] && (int64_t)inventory->containers[i].hash == hash)
				break;
		if (i < inventory->container_cnt)
			is_kept[i] = true;
		else if (cnt < ARRAY_SIZE(gone))
			gone[cnt++].id = stmt__int(&stmt, 0);
		err = 0;
	}
	for (i = 0; !err && i < cnt; i++)
		err = store__forget_container(self, gone[i].id);
	return err;
}

int store__set_inventory(struct store *self, int64_t host, const struct inventory *inventory)
{
	bool *is_kept _auto_free_ = calloc(inventory->container_cnt + 1, sizeof(*is_kept));
	size_t i;
	int err;

	if (!is_kept)
		return -ENOMEM;
	err = store__keep_containers(self, host, inventory, is_kept);
	for (i = 0; !err && i < inventory->container_cnt; i++)
		if (!is_kept[i])
			err = store__add_container(self, host, &inventory->containers[i]);
	if (!err && inventory->left_out)
		err = store__count(self, "inventory_left_out", inventory->left_out);
	return err ? err :
		     store__run(self, "UPDATE hosts SET inventory=?2 WHERE id=?1", "ii", host,
				(int64_t)inventory->hash);
}
