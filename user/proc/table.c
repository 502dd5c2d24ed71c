/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which process had what mapped where. Filled by samples only: a process that never ran costs nothing.
 * A process is {pid, start time, exec count}; the maps in /proc carry none of these, so the start time is
 * compared with /proc/PID/stat (pid reuse), and a process is not read again once a later exec of it is
 * known. What remains is an exec between the sample and the first reading, if the process is not sampled
 * after it. A re-read begins a new version
 * of the process's list (history.c): old ranges may have been unmapped and their addresses used for other
 * code, and a wrong name is worse than none.
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
#define REFRESH_INTERVAL_NS 2000000ull
#define REFRESH_COST_FACTOR 50
#define NS_PER_SEC	    1000000000ull

struct process {
	struct proc_id id;
	struct maps_history history;
	uint64_t refresh_at_ns; /* not before; on the caller's clock */
};

/* What verifying may cost: one part of the time, and at most so much at once. */
struct budget {
	uint32_t part;
	int64_t max_ns;
	int64_t left_ns; /* below 0 after a dear one */
	uint64_t filled_at_ns;
};

struct proc_table {
	const struct sysroot *root; /* borrowed */
	struct process *processes;
	size_t cnt;
	size_t cap;
	struct hash_index by_id;
	struct hash_index by_pid; /* the latest of each pid */
	size_t mapping_cnt; /* of all versions */
	struct budget urgent;
	struct budget lax;
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
	self->urgent = (struct budget){ .part = 50, .max_ns = 20000000, .left_ns = 20000000 };
	self->lax = (struct budget){ .part = 200, .max_ns = 5000000, .left_ns = 5000000 };
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
		maps_history__clear(&self->processes[i].history);
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
	if (err) {
		free(reading.mappings);
		metric__add(METRIC_MAPS_UNREADABLE, 1);
		return err;
	}
	metric__add(METRIC_MAPS_READ, 1);
	module_set__note_jit(&self->modules, id, tid, reading.mappings, reading.cnt);
	exact = reading.cnt > 0 ? realloc(reading.mappings, reading.cnt * sizeof(*exact)) : NULL;
	*ret_mappings = exact ? exact : reading.mappings;
	*ret_cnt = (uint32_t)reading.cnt;
	return 0;
}

static struct process *find_process(const struct proc_table *self, const struct proc_id *id)
{
	uint32_t row;

	return hash_index__find(&self->by_id, hash_id(id), id, &row) ? NULL : &self->processes[row];
}

static struct process *find_latest(const struct proc_table *self, uint32_t pid)
{
	uint32_t row;

	return hash_index__find(&self->by_pid, hash_u64(pid, 0), &pid, &row) ?
		       NULL :
		       &self->processes[row];
}

static int add_process(struct proc_table *self, const struct proc_id *id,
		       struct process **ret_process)
{
	uint32_t row = (uint32_t)self->cnt;
	uint64_t hash_pid = hash_u64(id->pid, 0);
	int err;

	err = vec_room(self->processes, self->cnt + 1, self->cap, PROCESSES_MAX);
	if (!err)
		err = hash_index__add(&self->by_id, hash_id(id), row);
	if (err)
		return err;
	self->processes[row] = (struct process){ .id = *id };
	self->cnt++;
	(void)hash_index__del(&self->by_pid, hash_pid,
			      &id->pid); /* -ENOENT: the first of its pid */
	/* without memory it is only never refreshed */
	(void)hash_index__add(&self->by_pid, hash_pid, row);
	*ret_process = &self->processes[row];
	return 0;
}

/* Is a later process or a later exec of that pid known? Then the maps are not this one's any more. */
static bool is_past(const struct proc_table *self, const struct proc_id *id)
{
	const struct process *latest = find_latest(self, id->pid);

	return latest && (latest->id.start_boottime_ns > id->start_boottime_ns ||
			  (latest->id.start_boottime_ns == id->start_boottime_ns &&
			   latest->id.exec_id > id->exec_id));
}

/*
 * The maps do not say of which exec they are. If what was read for the process before its last exec is what
 * it has now, it was read too late, and nothing is known of before.
 */
static void forget_if_too_late(struct proc_table *self, const struct proc_id *id,
			       const struct mapping *mappings, uint32_t cnt)
{
	struct process *before = find_latest(self, id->pid);
	const struct maps_version *list = before ? maps_history__newest(&before->history) : NULL;

	if (!list || before->id.start_boottime_ns != id->start_boottime_ns ||
	    before->id.exec_id == id->exec_id || !maps_version__is(list, mappings, cnt))
		return;
	self->mapping_cnt -= before->history.mapping_cnt;
	maps_history__clear(&before->history);
}

/* The process (NULL: added) has one reading more; mappings are taken on success. */
static int add_version(struct proc_table *self, const struct proc_id *id, struct process *process,
		       struct mapping *mappings, uint32_t cnt, uint64_t read_at_ns)
{
	size_t before;
	int err = 0;

	if (!process)
		forget_if_too_late(self, id, mappings, cnt);
	if (!process)
		err = self->mapping_cnt + cnt > MAPPINGS_MAX ? -E2BIG :
							       add_process(self, id, &process);
	if (err)
		return err;
	before = process->history.mapping_cnt;
	err = maps_history__add(&process->history, mappings, cnt, read_at_ns,
				MAPPINGS_MAX - (self->mapping_cnt - before));
	self->mapping_cnt = self->mapping_cnt - before + process->history.mapping_cnt;
	return err;
}

/* Reads the maps into the history; a process that is not there yet (NULL) is added. */
static int read_version(struct proc_table *self, const struct proc_id *id, uint32_t tid,
			struct process *process)
{
	uint64_t read_at_ns = clock_mono_ns();
	struct mapping *mappings;
	uint32_t cnt;
	int err;

	err = is_past(self, id) ? -ESRCH : read_mappings(self, id, tid, &mappings, &cnt);
	if (err)
		return err;
	/* it exits: nothing was unmapped */
	if (process && cnt == 0 && process->history.mapping_cnt)
		err = -ESRCH;
	else
		err = add_version(self, id, process, mappings, cnt, read_at_ns);
	if (err)
		free(mappings);
	return err;
}

int proc_table__note(struct proc_table *self, const struct proc_id *id, uint32_t tid)
{
	return find_process(self, id) ? 0 : read_version(self, id, tid, NULL);
}

int proc_table__find(struct proc_table *self, const struct proc_id *id, uint64_t addr,
		     const struct mapping **ret_mapping)
{
	const struct process *process = find_process(self, id);
	const struct maps_version *newest = process ? maps_history__newest(&process->history) :
						      NULL;
	const struct mapping *mapping;

	if (!newest)
		return -ESRCH;
	mapping = maps_version__find(newest, addr);
	if (!mapping)
		return -ENOENT;
	*ret_mapping = mapping;
	return 0;
}

/* Returns what reading cost in *ret_cost_ns. */
static int reread(struct proc_table *self, const struct proc_id *id, uint32_t tid,
		  uint64_t *ret_cost_ns)
{
	struct process *process = find_process(self, id);
	uint64_t begin_ns = clock_cpu_ns(); /* of ours: waiting for a CPU costs nobody */
	int err;

	*ret_cost_ns = 0;
	if (!process)
		return -ESRCH;
	err = read_version(self, id, tid, process);
	*ret_cost_ns = clock_cpu_ns() - begin_ns;
	return err;
}

int proc_table__refresh(struct proc_table *self, const struct proc_id *id, uint32_t tid,
			uint64_t now_ns)
{
	struct process *process = find_process(self, id);
	uint64_t cost_ns;
	int err;

	if (!process)
		return -ESRCH;
	if (now_ns < process->refresh_at_ns)
		return 0;
	err = reread(self, id, tid, &cost_ns);
	process->refresh_at_ns =
		now_ns + max_of(REFRESH_INTERVAL_NS, REFRESH_COST_FACTOR * cost_ns);
	return err ? err : 1;
}

static bool budget__has_some(struct budget *self, uint64_t now_ns)
{
	if (self->filled_at_ns && now_ns > self->filled_at_ns)
		self->left_ns = min_of(
			self->left_ns + (int64_t)((now_ns - self->filled_at_ns) / self->part),
			self->max_ns);
	self->filled_at_ns = now_ns;
	return self->left_ns > 0;
}

int proc_table__verify(struct proc_table *self, const struct proc_id *id, uint32_t tid,
		       uint32_t epoch, uint64_t now_ns, uint64_t until_ns, bool is_urgent)
{
	struct budget *budget = is_urgent ? &self->urgent : &self->lax;
	const struct process *process = find_process(self, id);
	enum maps_beyond beyond;
	uint64_t cost_ns;
	int err = 0;

	if (!process || !process->history.cnt)
		return -ESRCH;
	beyond = maps_history__beyond(&process->history, epoch);
	if (beyond == MAPS_SURELY ||
	    maps_history__newest(&process->history)->read_at_ns >= until_ns)
		return 1;
	if (budget__has_some(budget, now_ns)) {
		err = reread(self, id, tid, &cost_ns);
		budget->left_ns -= (int64_t)cost_ns;
		if (!err)
			return 1;
	}
	/* the successor was read right before it was given out: that is less than a millisecond */
	return beyond == MAPS_NEXT ? 1 : err;
}

int proc_table__mappings(const struct proc_table *self, const struct proc_id *id,
			 const struct mapping **ret_mappings, uint32_t *ret_cnt)
{
	const struct process *process = find_process(self, id);
	const struct maps_version *newest = process ? maps_history__newest(&process->history) :
						      NULL;

	if (!newest)
		return -ESRCH;
	*ret_mappings = newest->mappings;
	*ret_cnt = newest->cnt;
	return 0;
}

void proc_table__set_epoch(struct proc_table *self, const struct proc_id *id, uint32_t epoch)
{
	const struct process *process = find_process(self, id);
	struct maps_version *newest = process ? maps_history__newest(&process->history) : NULL;

	if (!newest)
		return;
	if (!newest->epoch_first)
		newest->epoch_first = epoch;
	newest->epoch_last = epoch;
}

/* A copy of a list, in the terms of this table. */
static int copy_mappings(struct proc_table *self, const struct proc_id *id,
			 const struct proc_table *from, const struct maps_version *list,
			 struct mapping **ret_mappings)
{
	struct mapping *copy = calloc(list->cnt, sizeof(*copy));
	uint32_t path, jit = 0;
	int err = copy || !list->cnt ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < list->cnt && !err; i++) {
		copy[i] = list->mappings[i];
		err = intern__add(self->paths, copy[i].path, strlen(copy[i].path), &path);
		if (err)
			break;
		copy[i].path = intern__str(self->paths, path);
		if (copy[i].kind == MAPPING_ANON)
			jit = copy[i].module;
		else if (copy[i].module)
			copy[i].module = module_set__adopt(
				&self->modules, &copy[i], proc_table__module(from, copy[i].module));
	}
	if (err) {
		free(copy);
		return err;
	}
	if (jit)
		module_set__adopt_jit(&self->modules, id, proc_table__module(from, jit), copy,
				      list->cnt);
	*ret_mappings = copy;
	return 0;
}

static void adopt_epochs(struct maps_version *self, const struct maps_version *from)
{
	if (!from->epoch_first)
		return;
	if (!self->epoch_first)
		self->epoch_first = from->epoch_first;
	self->epoch_last = from->epoch_last;
}

int proc_table__adopt(struct proc_table *self, const struct proc_table *from,
		      const struct proc_id *id)
{
	const struct process *theirs = find_process(from, id);
	const struct maps_version *list = theirs ? maps_history__newest(&theirs->history) : NULL;
	struct process *process = find_process(self, id);
	struct maps_version *ours = process ? maps_history__newest(&process->history) : NULL;
	struct mapping *mappings;
	int err;

	if (!list || is_past(self, id))
		return -ESRCH;
	if (ours && ours->read_at_ns > list->read_at_ns) /* the history stands in order */
		return 0;
	if (ours && ours->read_at_ns == list->read_at_ns) {
		adopt_epochs(ours, list);
		return 0;
	}
	err = self->paths ? copy_mappings(self, id, from, list, &mappings) : -ENOMEM;
	if (err)
		return err;
	err = add_version(self, id, process, mappings, list->cnt, list->read_at_ns);
	if (err) {
		free(mappings);
		return err;
	}
	process = find_process(self, id);
	adopt_epochs(maps_history__newest(&process->history), list);
	return 0;
}

int proc_table__find_at(struct proc_table *self, const struct proc_id *id, uint32_t epoch,
			bool is_doubted, uint64_t addr, const struct mapping **ret_mapping)
{
	const struct process *process = find_process(self, id);

	return process ? maps_history__find_at(&process->history, epoch, is_doubted, addr,
					       ret_mapping) :
			 -ESRCH;
}

int proc_table__latest(const struct proc_table *self, uint32_t pid, struct proc_id *ret_id)
{
	const struct process *process = find_latest(self, pid);

	if (!process)
		return -ESRCH;
	*ret_id = process->id;
	return 0;
}

uint32_t proc_table__module_cnt(const struct proc_table *self)
{
	return (uint32_t)max_of(self->modules.cnt, (size_t)1);
}

const struct proc_module *proc_table__module(const struct proc_table *self, uint32_t module)
{
	static const struct proc_module none = {
		.fd = -1, .root_fd = -1, .err = -ENOENT, .path = ""
	};

	return module < self->modules.cnt ? &self->modules.rows[module] : &none;
}
