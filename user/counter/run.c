/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A run of counting: what the kernel side has summed up since it began, less what it had at the last reading, put
 * together by scope. Processes that have gone are forgotten once their last counts were told.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/log.h"
#include "pp/base/sysroot.h"
#include "pp/base/vec.h"
#include "pp/container.h"
#include "pp/counter_window.h"
#include "pp/proc_cgroup.h"

#define SCOPES_MAX 65536

struct cgroup_name {
	uint64_t id;
	char *path;
};

struct counter_run {
	const struct sysroot *root; /* borrowed */
	struct collect_counting *counting;
	struct collect_counts before;
	double cost_max_percent; /* 0: no limit */
	bool by_switch;
	bool is_command;
	struct cgroup_name *cgroups; /* as the host has them, ever */
	size_t cgroup_cnt, cgroup_cap;
};

struct window_caps {
	size_t cap[COUNTER_SCOPE_CNT];
};

const char *counter_scope__kind_name(enum counter_scope_kind kind)
{
	static const char *const names[] = { "system", "socket",    "cpu",
					     "cgroup", "container", "process" };

	return names[kind];
}

int counter_run__start(const struct sysroot *root, struct counter_set *set, uint32_t pid,
		       double cost_max_percent, struct counter_run **ret_run, const char **ret_why)
{
	struct counter_run *self = calloc(1, sizeof(*self));
	struct collect_event events[PP_EVENTS_MAX] = { 0 };
	int err;

	if (!self)
		return -ENOMEM;
	self->root = root;
	self->cost_max_percent = cost_max_percent;
	self->by_switch = true;
	self->is_command = pid != 0;
	for (uint32_t i = 0; i < set->cnt; i++)
		events[i] = (struct collect_event){
			.code = set->events[i].code,
			.group = set->group[i],
			.is_always_on = set->group[i] == COUNTER_GROUP_SOFTWARE,
			.is_absent = set->events[i].status != COUNTER_OK || set->events[i].is_own,
		};
	err = collect_counting__new(root, events, set->cnt, pid, &self->counting, ret_why);
	if (!err)
		err = collect_counting__read(self->counting, &self->before);
	if (err) {
		counter_run__free(self);
		return err;
	}
	for (uint32_t i = 0; i < set->cnt; i++)
		if (events[i].err && !events[i].is_absent)
			counter_event__refused(&set->events[i], events[i].err);
	*ret_run = self;
	return 0;
}

void counter_run__free(struct counter_run *self)
{
	if (!self)
		return;
	collect_counting__free(self->counting);
	collect_counts__clear(&self->before);
	for (size_t i = 0; i < self->cgroup_cnt; i++)
		free(self->cgroups[i].path);
	free(self->cgroups);
	free(self);
}

static void add(struct pp_counted *to, const struct pp_counted *by)
{
	__u64 *sums = (__u64 *)to;
	const __u64 *more = (const __u64 *)by;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*sums); i++)
		sums[i] += more[i];
}

/* Sums grow only; where one does not, the CPU began anew. */
static struct pp_counted less(const struct pp_counted *now, const struct pp_counted *before)
{
	struct pp_counted by = { 0 };
	__u64 *sums = (__u64 *)&by;
	const __u64 *a = (const __u64 *)now, *b = (const __u64 *)before;

	for (size_t i = 0; i < sizeof(by) / sizeof(*sums); i++)
		sums[i] = a[i] >= b[i] ? a[i] - b[i] : a[i];
	return by;
}

static int add_scope(struct counter_window *window, struct window_caps *caps,
		     enum counter_scope_kind kind, const char *id, const char *name,
		     const struct pp_counted *sums, struct counter_scope **ret_scope)
{
	struct counter_scope *scope;
	int err = vec_room(window->scopes[kind], window->scope_cnt[kind] + 1, caps->cap[kind],
			   SCOPES_MAX);

	if (err)
		return err;
	scope = &window->scopes[kind][window->scope_cnt[kind]++];
	snprintf(scope->id, sizeof(scope->id), "%s", id);
	snprintf(scope->name, sizeof(scope->name), "%s", name);
	scope->sums = *sums;
	*ret_scope = scope;
	return 0;
}

/* The scope of that id, made if it is new. Few hundred: looked for from the newest on. */
static int add_to_scope(struct counter_window *window, struct window_caps *caps,
			enum counter_scope_kind kind, const char *id, const char *name,
			const struct pp_counted *sums)
{
	struct counter_scope *scope;

	for (size_t i = window->scope_cnt[kind]; i > 0; i--) {
		scope = &window->scopes[kind][i - 1];
		if (!strcmp(scope->id, id)) {
			add(&scope->sums, sums);
			return 0;
		}
	}
	return add_scope(window, caps, kind, id, name, sums, &scope);
}

/* Its number as firmware has it; -1, which virtual machines say, is one socket like others. */
static int add_to_socket(const struct sysroot *root, struct counter_window *window,
			 struct window_caps *caps, const struct counter_scope *cpu)
{
	struct counter_scope *socket = NULL;
	char id[32];
	int err;

	if (sysroot__line(root, id, sizeof(id),
			  "sys/devices/system/cpu/cpu%s/topology/physical_package_id", cpu->id))
		snprintf(id, sizeof(id), "?"); /* the CPU has gone */
	for (size_t i = 0; i < window->scope_cnt[COUNTER_SOCKET] && !socket; i++)
		if (!strcmp(window->scopes[COUNTER_SOCKET][i].id, id))
			socket = &window->scopes[COUNTER_SOCKET][i];
	if (socket) {
		add(&socket->sums, &cpu->sums);
	} else {
		err = add_scope(window, caps, COUNTER_SOCKET, id, "", &cpu->sums, &socket);
		if (err)
			return err;
	}
	socket->idle_ns += cpu->idle_ns;
	socket->cpus++;
	return 0;
}

static int add_cpus(const struct sysroot *root, struct counter_window *window,
		    struct window_caps *caps, const struct collect_counts *now,
		    const struct collect_counts *before)
{
	struct pp_counted all = { 0 };
	struct counter_scope *scope;
	uint64_t idle_ns = 0;
	char id[16];
	int err = 0;

	for (uint32_t c = 0; c < now->cpu_cnt && !err; c++) {
		struct pp_counted by = less(&now->cpus[c].all, &before->cpus[c].all);
		struct pp_counted idle = less(&now->cpus[c].idle, &before->cpus[c].idle);

		snprintf(id, sizeof(id), "%d", now->cpus[c].cpu);
		err = add_scope(window, caps, COUNTER_CPU, id, "", &by, &scope);
		if (!err) {
			scope->idle_ns = idle.on_cpu_ns;
			err = add_to_socket(root, window, caps, scope);
		}
		idle_ns += idle.on_cpu_ns;
		add(&all, &by);
	}
	if (!err)
		err = add_scope(window, caps, COUNTER_SYSTEM, "all", "", &all, &scope);
	if (!err)
		scope->idle_ns = idle_ns;
	return err;
}

static int note_cgroup(void *arg, const char *path, const char *name)
{
	struct counter_run *self = arg;
	struct cgroup_place place;
	char *copy;

	if (cgroup_place__find(self->root, path, &place) || !place.id)
		return 0;
	if (vec_room(self->cgroups, self->cgroup_cnt + 1, self->cgroup_cap, SCOPES_MAX))
		return -ENOMEM;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	self->cgroups[self->cgroup_cnt++] = (struct cgroup_name){ place.id, copy };
	return 0;
}

static const char *find_cgroup(const struct counter_run *self, uint64_t id)
{
	for (size_t i = self->cgroup_cnt; i > 0; i--) /* the newest of an id counts */
		if (self->cgroups[i - 1].id == id)
			return self->cgroups[i - 1].path;
	return NULL;
}

/* Its path, or its number where it has gone. The tree is gone through once a reading, if one is not known. */
static void cgroup_text(struct counter_run *self, uint64_t id, bool *was_read, char *text,
			size_t text_bytes)
{
	const char *path = id == 1 ? "/" : find_cgroup(self, id);

	if (!path && !*was_read) {
		*was_read = true;
		(void)cgroup_tree__each(self->root, note_cgroup, self);
		path = find_cgroup(self, id);
	}
	if (path)
		snprintf(text, text_bytes, "%s", path);
	else
		snprintf(text, text_bytes, "cgroup:%llu", (unsigned long long)id);
}

/* To it and to all that it is below, as the kernel's own figures of cgroups are. */
static int add_cgroups(struct counter_window *window, struct window_caps *caps, const char *path,
		       const struct pp_counted *by)
{
	char part[512];
	int err = 0;

	if (*path != '/')
		return add_to_scope(window, caps, COUNTER_CGROUP, path, "", by);
	err = add_to_scope(window, caps, COUNTER_CGROUP, "/", "", by);
	for (size_t len = 1; path[len] && !err; len++) {
		if (path[len + 1] && path[len + 1] != '/')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)len + 1, path);
		err = add_to_scope(window, caps, COUNTER_CGROUP, part, "", by);
		len += path[len + 1] == '/';
	}
	return err;
}

static int add_container(struct counter_run *self, struct counter_window *window,
			 struct window_caps *caps, struct container_names *names, uint32_t pid,
			 const char *cgroup, const struct pp_counted *by)
{
	const struct container_facts *facts;
	struct container_ref ref;
	char line[600], name[512];

	/* by the process's own file, that v1 hosts are right, too; it has gone: by the path */
	snprintf(line, sizeof(line), "0::%s\n", cgroup);
	if (container_ref__read(self->root, pid, &ref) &&
	    container_ref__parse(line, strlen(line), &ref))
		return 0;
	if (names && !container_names__find(names, ref.id, &facts))
		container_facts__raw_name(facts, name, sizeof(name));
	else
		snprintf(name, sizeof(name), "%.12s", ref.id);
	return add_to_scope(window, caps, COUNTER_CONTAINER, ref.id, name, by);
}

static bool has_gone(const struct counter_run *self, const struct pp_counted_key *key)
{
	char text[64];

	return sysroot__line(self->root, text, sizeof(text), "proc/%u/comm", key->tgid) != 0;
}

static bool is_zero(const struct pp_counted *sums)
{
	static const struct pp_counted nothing;

	return !memcmp(sums, &nothing, sizeof(nothing));
}

/* One that changed its cgroup stands behind itself. Hosts have thousands: nothing is looked for. */
static int add_process(struct counter_window *window, struct window_caps *caps, const char *id,
		       const char *comm, const struct pp_counted *by)
{
	size_t cnt = window->scope_cnt[COUNTER_PROCESS];
	struct counter_scope *scope;

	if (cnt && !strcmp(window->scopes[COUNTER_PROCESS][cnt - 1].id, id)) {
		add(&window->scopes[COUNTER_PROCESS][cnt - 1].sums, by);
		return 0;
	}
	return add_scope(window, caps, COUNTER_PROCESS, id, comm, by, &scope);
}

static int add_processes(struct counter_run *self, struct counter_window *window,
			 struct window_caps *caps, struct container_names *names,
			 const struct collect_counts *now)
{
	bool was_read = false;
	int err = 0;

	for (size_t i = 0; i < now->process_cnt && !err; i++) {
		const struct collect_counted_process *process = &now->processes[i], *known;
		struct pp_counted by = process->value.sums;
		char id[16], comm[17], cgroup[512];

		known = bsearch(process, self->before.processes, self->before.process_cnt,
				sizeof(*process), collect_counted_process__compare);
		if (known)
			by = less(&by, &known->value.sums);
		if (is_zero(&by)) {
			if (has_gone(self, &process->key))
				collect_counting__forget(self->counting, &process->key);
			continue;
		}
		snprintf(id, sizeof(id), "%u", process->key.tgid);
		snprintf(comm, sizeof(comm), "%.16s", process->value.comm);
		cgroup_text(self, process->key.cgroup_id, &was_read, cgroup, sizeof(cgroup));
		err = add_process(window, caps, id, comm, &by);
		if (!err)
			err = add_cgroups(window, caps, cgroup, &by);
		if (!err)
			err = add_container(self, window, caps, names, process->key.tgid, cgroup,
					    &by);
	}
	return err;
}

static int by_time(const void *a, const void *b)
{
	const struct counter_scope *x = a, *y = b;

	if (x->sums.on_cpu_ns != y->sums.on_cpu_ns)
		return x->sums.on_cpu_ns < y->sums.on_cpu_ns ? 1 : -1;
	return strcmp(x->id, y->id);
}

/* In place of the host. */
static void sum_command(struct counter_window *window)
{
	struct counter_scope *all = window->scopes[COUNTER_SYSTEM];

	window->is_command = true;
	memset(all, 0, sizeof(*all));
	snprintf(all->id, sizeof(all->id), "%s", "command");
	for (size_t i = 0; i < window->scope_cnt[COUNTER_PROCESS]; i++)
		add(&all->sums, &window->scopes[COUNTER_PROCESS][i].sums);
}

static int fill(struct counter_run *self, struct container_names *names,
		const struct collect_counts *now, struct counter_window *window)
{
	struct window_caps caps = { 0 };
	int err;

	window->wall_ns = now->time_ns - self->before.time_ns;
	window->cpu_cnt = now->cpu_cnt;
	window->others = less(&now->others, &self->before.others);
	window->read_errors = now->read_errors - self->before.read_errors;
	window->backwards = now->backwards - self->before.backwards;
	window->table_full = now->table_full - self->before.table_full;
	window->runs = now->runs - self->before.runs;
	window->ns_per_run = now->ns_per_run;
	window->by_switch = self->by_switch;
	window->cost_percent = 100 * (double)window->runs * window->ns_per_run /
			       ((double)window->wall_ns * window->cpu_cnt);
	err = add_cpus(self->root, window, &caps, now, &self->before);
	if (!err && self->by_switch)
		err = add_processes(self, window, &caps, names, now);
	if (!err && self->is_command)
		sum_command(window);
	for (int k = COUNTER_CGROUP; k < COUNTER_SCOPE_CNT && !err; k++)
		if (window->scope_cnt[k])
			qsort(window->scopes[k], window->scope_cnt[k], sizeof(*window->scopes[k]),
			      by_time);
	return err;
}

/* What a window's switches cost decides about the next ones; it is for good. */
static void keep_limit(struct counter_run *self, const struct counter_window *window)
{
	if (!self->by_switch || self->cost_max_percent <= 0 ||
	    window->cost_percent <= self->cost_max_percent)
		return;
	self->by_switch = false;
	collect_counting__stop_switches(self->counting);
	log_warn(
		"counter: counting at %.0f switches a second cost %.2f %% of the CPUs (limit %.2f %%): from "
		"now on by CPU only",
		(double)window->runs * 1e9 / (double)window->wall_ns, window->cost_percent,
		self->cost_max_percent);
}

int counter_run__read(struct counter_run *self, struct container_names *names,
		      struct counter_window *ret_window)
{
	struct counter_window window = { 0 };
	struct collect_counts now;
	int err = collect_counting__read(self->counting, &now);

	if (err)
		return err;
	err = fill(self, names, &now, &window);
	if (err) {
		counter_window__clear(&window);
		collect_counts__clear(&now);
		return err;
	}
	collect_counts__clear(&self->before);
	self->before = now;
	keep_limit(self, &window);
	*ret_window = window;
	return 0;
}

void counter_window__clear(struct counter_window *self)
{
	for (int k = 0; k < COUNTER_SCOPE_CNT; k++)
		free(self->scopes[k]);
	memset(self, 0, sizeof(*self));
}
