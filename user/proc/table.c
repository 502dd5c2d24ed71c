/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which process had what mapped where. Filled by samples only: a process that never ran costs nothing.
 * A process is {pid, start time, exec count}; the maps in /proc carry none of these, so the start time is
 * compared with /proc/PID/stat (pid reuse), and a process is not read again once a later exec of it is
 * known. What remains is an exec between the sample and the first reading. A re-read replaces the whole
 * table of the process: old ranges may have been unmapped and their addresses used for other code, and a
 * wrong name is worse than none.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/intern.h"
#include "pp/base/sysroot.h"
#include "pp/base/vec.h"
#include "pp/metrics.h"

#define PROCESSES_MAX	32768
#define MAPPINGS_MAX	262144 /* of all processes: 16 MiB */
#define PATHS_BYTES_MAX (16u << 20)
#define TEXT_BYTES_MAX	(64u << 20)
#define TEXT_BYTES_KEPT (256u << 10)
/* Re-reading maps may take one part in 50 of the time: 0.2 ms for most, 10 ms for 20,000 mappings. */
#define REFRESH_INTERVAL_NS 20000000ull
#define REFRESH_COST_FACTOR 50
#define NS_PER_SEC	    1000000000ull

struct process {
	struct proc_id id;
	struct mapping *mappings; /* by address, not overlapping */
	uint32_t mapping_cnt;
	uint64_t refresh_at_ns; /* not before; on the caller's clock */
};

struct proc_table {
	const struct sysroot *root; /* borrowed */
	struct process *processes;
	size_t cnt;
	size_t cap;
	struct hash_index by_id;
	struct hash_index by_pid; /* the latest of each pid */
	size_t mapping_cnt;
	struct module_set modules;
	struct intern *paths;
	struct buf text;
	bool start_is_comparable;
};

/* One reading of one process. */
struct reading {
	struct proc_table *table;
	uint32_t pid;
	uint32_t tid;
	struct mapping *mappings;
	size_t cnt;
	size_t cap;
};

static bool is_same_id(const void *arg, uint32_t id, const void *key)
{
	const struct proc_table *self = arg;

	return memcmp(&self->processes[id].id, key, sizeof(struct proc_id)) == 0;
}

static bool is_same_pid(const void *arg, uint32_t id, const void *key)
{
	const struct proc_table *self = arg;

	return self->processes[id].id.pid == *(const uint32_t *)key;
}

static uint64_t hash_id(const struct proc_id *id)
{
	return hash_u64(id->start_boottime_ns, hash_u64(id->exec_id, id->pid));
}

/*
 * /proc/PID/stat shows start times in the reader's time namespace (timens_add_boottime_ns() in
 * fs/proc/array.c); the sampler has them without. Our own offset is not 0 only in a time namespace.
 */
static bool start_is_comparable(const struct sysroot *root)
{
	_auto_buf_ struct buf text;
	const char *boottime;
	char *end;

	buf__init(&text, 4096);
	if (sysroot__read(root, &text, "proc/self/timens_offsets") || text.len == 0)
		return true;
	boottime = strstr(text.data, "boottime");
	if (!boottime)
		return true;
	return strtoll(boottime + strlen("boottime"), &end, 10) == 0 && strtoll(end, NULL, 10) == 0;
}

static int init_table(struct proc_table *self)
{
	self->cnt = self->cap = self->mapping_cnt = 0;
	hash_index__init(&self->by_id, is_same_id, self);
	hash_index__init(&self->by_pid, is_same_pid, self);
	return intern__new(&self->paths, PATHS_BYTES_MAX);
}

int proc_table__new(const struct sysroot *root, struct proc_table **ret_table)
{
	struct proc_table *table = calloc(1, sizeof(*table));
	int err;

	if (!table)
		return -ENOMEM;
	table->root = root;
	table->start_is_comparable = start_is_comparable(root);
	module_set__init(&table->modules, root);
	buf__init(&table->text, TEXT_BYTES_MAX);
	err = init_table(table);
	if (err) {
		free(table);
		return err;
	}
	*ret_table = table;
	return 0;
}

static void clear_all(struct proc_table *self)
{
	for (size_t i = 0; i < self->cnt; i++)
		free(self->processes[i].mappings);
	free(self->processes);
	self->processes = NULL;
	hash_index__clear(&self->by_id);
	hash_index__clear(&self->by_pid);
	module_set__clear(&self->modules);
	intern__free(self->paths);
	self->paths = NULL;
	buf__clear(&self->text);
}

void proc_table__free(struct proc_table *self)
{
	if (!self)
		return;
	clear_all(self);
	free(self);
}

void proc_table__clear(struct proc_table *self)
{
	clear_all(self);
	/* without memory for the pool, paths stays NULL and every note fails with -ENOMEM */
	(void)init_table(self);
}

static int add_mapping(void *arg, const struct mapping *mapping)
{
	struct reading *reading = arg;
	struct proc_table *table = reading->table;
	struct mapping *row;
	uint32_t path;
	int err;

	/* the kernel may show a range twice when it grew between two reads of the file */
	if (reading->cnt > 0 && mapping->start_addr < reading->mappings[reading->cnt - 1].end_addr)
		return 0;
	err = vec_room(reading->mappings, reading->cnt + 1, reading->cap, MAPPINGS_MAX);
	if (!err)
		err = intern__add(table->paths, mapping->path, strlen(mapping->path), &path);
	if (err)
		return err;
	row = &reading->mappings[reading->cnt++];
	*row = *mapping;
	row->path = intern__str(table->paths, path);
	if (row->kind == MAPPING_FILE || row->kind == MAPPING_VDSO)
		row->module = module_set__note(&table->modules, row, reading->pid, reading->tid);
	return 0;
}

/* Fills self->text. An empty one is a process without user memory, or whose leader has gone. */
static int read_text(struct proc_table *self, uint32_t pid, uint32_t tid)
{
	int err;

	buf__reset(&self->text);
	err = sysroot__read(self->root, &self->text, "proc/%u/maps", pid);
	if (!err && self->text.len > 0)
		return 0;
	buf__reset(&self->text);
	return sysroot__read(self->root, &self->text, "proc/%u/task/%u/maps", pid, tid);
}

static int check_identity(const struct proc_table *self, const struct proc_id *id)
{
	uint64_t ns_per_tick = NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
	struct proc_stat stat;

	if (proc__stat(self->root, id->pid, &stat))
		return -ESRCH;
	if (self->start_is_comparable && id->start_boottime_ns / ns_per_tick != stat.start_ticks)
		return -ESRCH;
	if (self->text.len == 0 && (stat.state == 'Z' || stat.state == 'X'))
		return -ESRCH;
	return 0;
}

/* Reads the maps of one process; on success the mappings (given) are an exact-sized array. */
static int read_mappings(struct proc_table *self, const struct proc_id *id, uint32_t tid,
			 struct mapping **ret_mappings, uint32_t *ret_cnt)
{
	struct reading reading = { .table = self, .pid = id->pid, .tid = tid };
	struct mapping *exact;
	int err;

	if (!self->paths)
		return -ENOMEM;
	err = read_text(self, id->pid, tid);
	if (err == -ENOENT)
		err = -ESRCH;
	if (!err)
		err = check_identity(self, id);
	if (!err)
		err = maps__parse(self->text.data, self->text.len, add_mapping, &reading);
	if (self->text.cap > TEXT_BYTES_KEPT)
		buf__clear(&self->text);
	if (err == -E2BIG && reading.cnt > 0) /* more than we take: what was taken is true */
		err = 0;
	if (!err && self->mapping_cnt + reading.cnt > MAPPINGS_MAX)
		err = -E2BIG;
	if (err) {
		free(reading.mappings);
		metric__add(METRIC_MAPS_UNREADABLE, 1);
		return err;
	}
	metric__add(METRIC_MAPS_READ, 1);
	exact = reading.cnt > 0 ? realloc(reading.mappings, reading.cnt * sizeof(*exact)) : NULL;
	*ret_mappings = exact ? exact : reading.mappings;
	*ret_cnt = (uint32_t)reading.cnt;
	return 0;
}

static int add_process(struct proc_table *self, const struct proc_id *id, struct mapping *mappings,
		       uint32_t mapping_cnt)
{
	uint32_t row = (uint32_t)self->cnt;
	uint64_t hash_pid = hash_u64(id->pid, 0);
	int err;

	err = vec_room(self->processes, self->cnt + 1, self->cap, PROCESSES_MAX);
	if (!err)
		err = hash_index__add(&self->by_id, hash_id(id), row);
	if (err)
		return err;
	self->processes[row] = (struct process){
		.id = *id,
		.mappings = mappings,
		.mapping_cnt = mapping_cnt,
	};
	self->cnt++;
	self->mapping_cnt += mapping_cnt;
	(void)hash_index__del(&self->by_pid, hash_pid,
			      &id->pid); /* -ENOENT: the first of its pid */
	/* without memory it is only never refreshed */
	(void)hash_index__add(&self->by_pid, hash_pid, row);
	return 0;
}

int proc_table__note(struct proc_table *self, const struct proc_id *id, uint32_t tid)
{
	struct mapping *mappings;
	uint32_t row, cnt;
	int err;

	if (!hash_index__find(&self->by_id, hash_id(id), id, &row))
		return 0;
	err = read_mappings(self, id, tid, &mappings, &cnt);
	if (err)
		return err;
	err = add_process(self, id, mappings, cnt);
	if (err)
		free(mappings);
	return err;
}

static int find_mapping(const struct process *process, uint64_t addr,
			const struct mapping **ret_mapping)
{
	uint32_t low = 0, high = process->mapping_cnt;

	while (low < high) { /* the first that ends after addr */
		uint32_t mid = low + (high - low) / 2;

		if (process->mappings[mid].end_addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == process->mapping_cnt || process->mappings[low].start_addr > addr)
		return -ENOENT;
	*ret_mapping = &process->mappings[low];
	return 0;
}

int proc_table__find(struct proc_table *self, const struct proc_id *id, uint64_t addr,
		     const struct mapping **ret_mapping)
{
	uint32_t row;

	if (hash_index__find(&self->by_id, hash_id(id), id, &row))
		return -ESRCH;
	return find_mapping(&self->processes[row], addr, ret_mapping);
}

int proc_table__refresh(struct proc_table *self, const struct proc_id *id, uint32_t tid,
			uint64_t now_ns)
{
	uint64_t hash_pid = hash_u64(id->pid, 0);
	struct process *process;
	struct mapping *mappings;
	uint32_t row, latest, cnt;
	uint64_t begin_ns;
	int err;

	if (hash_index__find(&self->by_id, hash_id(id), id, &row) ||
	    hash_index__find(&self->by_pid, hash_pid, &id->pid, &latest) || row != latest)
		return -ESRCH;
	process = &self->processes[row];
	if (now_ns < process->refresh_at_ns)
		return 0;
	begin_ns = clock_cpu_ns(); /* of ours: waiting for a CPU costs nobody */
	err = read_mappings(self, id, tid, &mappings, &cnt);
	process->refresh_at_ns = now_ns + max_of(REFRESH_INTERVAL_NS,
						 REFRESH_COST_FACTOR * (clock_cpu_ns() - begin_ns));
	if (err)
		return err;
	self->mapping_cnt = self->mapping_cnt - process->mapping_cnt + cnt;
	free(process->mappings);
	process->mappings = mappings;
	process->mapping_cnt = cnt;
	return 1;
}

uint32_t proc_table__module_cnt(const struct proc_table *self)
{
	return (uint32_t)max_of(self->modules.cnt, (size_t)1);
}

const struct proc_module *proc_table__module(const struct proc_table *self, uint32_t module)
{
	static const struct proc_module none = { .fd = -1, .err = -ENOENT, .path = "" };

	return module < self->modules.cnt ? &self->modules.rows[module] : &none;
}
