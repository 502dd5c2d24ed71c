/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The life of the counting object: events opened on each CPU, the program loaded for them and attached to the switch,
 * sums read. Nothing of it exists while nobody counts. Not here: what the events mean.
 */
#include "internal.h"
#include "pp/collect_counting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/vec.h"
#include "pp/metrics.h"
#include "pp/perf.h"

#include "counting.skel.h"

#define PROCESSES_MAX (1u << 16)

struct collect_counting {
	struct counting_bpf *skel;
	uint32_t event_cnt;
	int *cpus; /* online at the start */
	uint32_t cpu_cnt;
	uint32_t possible_cpus;
	int *fds; /* event * cpu_cnt + index; -1: not open */
	struct pp_counted_cpu *cpu_values; /* scratch for reading */
};

/* The first of its group that is opened. */
static uint32_t leader_of(const struct collect_event *events, uint32_t i)
{
	uint32_t leader = i;

	for (uint32_t k = i; k-- && events[k].group == events[i].group;)
		if (!events[k].is_absent)
			leader = k;
	return leader;
}

/* On all CPUs; one that refuses an event leaves it out there, and the leader's error is its group's. */
static void open_event(struct collect_counting *self, struct collect_event *events, uint32_t i)
{
	uint32_t leader = leader_of(events, i);
	int err = -ENODEV;
	bool opened = false;

	for (uint32_t c = 0; c < self->cpu_cnt; c++) {
		int *fd = &self->fds[i * self->cpu_cnt + c];
		int group_fd = leader == i ? -1 : self->fds[leader * self->cpu_cnt + c];
		int one_err = leader != i && group_fd < 0 ?
				      events[leader].err ?: -ENODEV :
				      perf_counter__open(&events[i].code, -1, self->cpus[c],
							 group_fd, fd);

		if (!one_err)
			opened = true;
		else if (err == -ENODEV)
			err = one_err;
	}
	events[i].err = opened ? 0 : err;
}

static int load(struct collect_counting *self, const struct collect_event *events, uint32_t pid)
{
	struct counting_bpf *skel = counting_bpf__open();
	int err;

	if (!skel)
		return -errno;
	self->skel = skel;
	skel->rodata->pp_has_task_btf = libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT,
								BPF_FUNC_get_current_task_btf,
								NULL) == 1;
	skel->rodata->pp_event_cnt = self->event_cnt;
	skel->rodata->pp_cpu_cnt = self->possible_cpus;
	skel->rodata->pp_follow = pid != 0;
	for (uint32_t i = 0; i < self->event_cnt; i++) {
		skel->rodata->pp_group[i] = events[i].group;
		skel->rodata->pp_is_leader[i] = !events[i].is_always_on &&
						leader_of(events, i) == i;
		skel->rodata->pp_is_absent[i] = events[i].err || events[i].is_absent;
	}
	err = bpf_map__set_max_entries(skel->maps.pp_events,
				       max_of(self->event_cnt, 1u) * self->possible_cpus);
	if (!err && !pid)
		err = bpf_program__set_autoload(skel->progs.pp_count_fork, false);
	return err ? err : counting_bpf__load(skel);
}

static int fill_maps(struct collect_counting *self, uint32_t pid)
{
	uint32_t yes = 1;

	for (uint32_t i = 0; i < self->event_cnt * self->cpu_cnt; i++) {
		uint32_t at = i / self->cpu_cnt * self->possible_cpus +
			      (uint32_t)self->cpus[i % self->cpu_cnt];

		if (self->fds[i] >= 0 &&
		    bpf_map_update_elem(bpf_map__fd(self->skel->maps.pp_events), &at, &self->fds[i],
					BPF_ANY))
			return -errno;
	}
	if (pid &&
	    bpf_map_update_elem(bpf_map__fd(self->skel->maps.pp_followed), &pid, &yes, BPF_ANY))
		return -errno;
	return 0;
}

/* Every CPU reads its counters now: the first time it begins, later what runs there is told. */
static int count_now(struct collect_counting *self)
{
	for (uint32_t c = 0; c < self->cpu_cnt; c++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .flags = BPF_F_TEST_RUN_ON_CPU,
			    .cpu = (uint32_t)self->cpus[c]);
		int err = bpf_prog_test_run_opts(bpf_program__fd(self->skel->progs.pp_count_now),
						 &opts);

		if (err && err != -ENXIO) /* it went offline: what it had counted is there */
			return err;
	}
	return 0;
}

static int attach(struct collect_counting *self, uint32_t pid)
{
	struct counting_bpf *skel = self->skel;
	int err;

	if (pid) {
		skel->links.pp_count_fork = bpf_program__attach(skel->progs.pp_count_fork);
		if (!skel->links.pp_count_fork)
			return -errno;
	}
	err = count_now(self);
	if (err)
		return err;
	skel->links.pp_switch = bpf_program__attach(skel->progs.pp_switch);
	return skel->links.pp_switch ? 0 : -errno;
}

static int start(struct collect_counting *self, const struct sysroot *root,
		 struct collect_event *events, uint32_t pid)
{
	int possible = libbpf_num_possible_cpus();
	int err = possible < 0 ? possible : perf_cpus__online(root, &self->cpus, &self->cpu_cnt);

	if (err)
		return err;
	self->possible_cpus = (uint32_t)possible;
	self->fds = malloc((self->event_cnt * self->cpu_cnt + 1) * sizeof(*self->fds));
	self->cpu_values = calloc(self->possible_cpus, sizeof(*self->cpu_values));
	if (!self->fds || !self->cpu_values)
		return -ENOMEM;
	for (uint32_t i = 0; i < self->event_cnt * self->cpu_cnt; i++)
		self->fds[i] = -1;
	for (uint32_t i = 0; i < self->event_cnt; i++)
		if (!events[i].is_absent)
			open_event(self, events, i);
	libbpf_said__begin();
	err = load(self, events, pid);
	if (err && err != -EPERM)
		libbpf_said__log();
	libbpf_said__end();
	if (!err)
		err = fill_maps(self, pid);
	return err ? err : attach(self, pid);
}

int collect_counting__new(const struct sysroot *root, struct collect_event *events, uint32_t cnt,
			  uint32_t pid, struct collect_counting **ret_counting,
			  const char **ret_why)
{
	struct collect_counting *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	self->event_cnt = min_of(cnt, (uint32_t)PP_EVENTS_MAX);
	err = start(self, root, events, pid);
	if (!err) {
		*ret_counting = self;
		return 0;
	}
	collect_counting__free(self);
	*ret_why = err == -EPERM || err == -EACCES ?
			   "no permission to count: run as root (CAP_BPF, CAP_PERFMON)" :
			   "this kernel refuses the counting program";
	return err == -EACCES ? -EPERM : err == -EINVAL || err == -ENOENT ? -EOPNOTSUPP : err;
}

void collect_counting__free(struct collect_counting *self)
{
	if (!self)
		return;
	counting_bpf__destroy(self->skel);
	for (uint32_t i = 0; self->fds && i < self->event_cnt * self->cpu_cnt; i++)
		if (self->fds[i] >= 0)
			close(self->fds[i]);
	free(self->fds);
	free(self->cpus);
	free(self->cpu_values);
	free(self);
}

static void add(struct pp_counted *to, const struct pp_counted *by)
{
	__u64 *sums = (__u64 *)to;
	const __u64 *more = (const __u64 *)by;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*sums); i++)
		sums[i] += more[i];
}

static int read_cpus(struct collect_counting *self, struct collect_counts *counts)
{
	uint64_t timed = 0, timed_ns = 0;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(self->skel->maps.pp_counted_cpu), &zero,
				self->cpu_values))
		return -errno;
	counts->cpus = calloc(self->cpu_cnt, sizeof(*counts->cpus));
	if (!counts->cpus)
		return -ENOMEM;
	for (uint32_t c = 0; c < self->cpu_cnt; c++) {
		const struct pp_counted_cpu *value = &self->cpu_values[self->cpus[c]];

		counts->cpus[counts->cpu_cnt++] = (struct collect_counted_cpu){
			.cpu = self->cpus[c], .all = value->all, .idle = value->idle
		};
		add(&counts->others, &value->others);
		counts->read_errors += value->read_errors;
		counts->backwards += value->backwards;
		counts->table_full += value->table_full;
		counts->runs += value->runs;
		timed += value->timed;
		timed_ns += value->timed_ns;
	}
	counts->ns_per_run = timed ? (double)timed_ns / (double)timed : 0;
	return 0;
}

int collect_counted_process__compare(const void *a, const void *b)
{
	const struct pp_counted_key *x = &((const struct collect_counted_process *)a)->key;
	const struct pp_counted_key *y = &((const struct collect_counted_process *)b)->key;

	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	if (x->start_boottime_ns != y->start_boottime_ns)
		return x->start_boottime_ns < y->start_boottime_ns ? -1 : 1;
	return (x->cgroup_id > y->cgroup_id) - (x->cgroup_id < y->cgroup_id);
}

/* One by one: a table of thousands is read in milliseconds, and no batch call of 5.10 is safe while it grows. */
static int read_processes(struct collect_counting *self, struct collect_counts *counts)
{
	int fd = bpf_map__fd(self->skel->maps.pp_counted);
	struct pp_counted_key key, *last = NULL;

	while (!bpf_map_get_next_key(fd, last, &key)) {
		struct collect_counted_process *process;
		int err = vec_room(counts->processes, counts->process_cnt + 1, counts->process_cap,
				   PROCESSES_MAX);

		if (err == -E2BIG) /* keys came twice while the table changed */
			break;
		if (err)
			return err;
		process = &counts->processes[counts->process_cnt];
		process->key = key;
		if (!bpf_map_lookup_elem(fd, &key, &process->value))
			counts->process_cnt++;
		last = &process->key;
	}
	qsort(counts->processes, counts->process_cnt, sizeof(*counts->processes),
	      collect_counted_process__compare);
	for (size_t i = 1; i < counts->process_cnt; i++)
		if (!collect_counted_process__compare(&counts->processes[i - 1],
						      &counts->processes[i])) {
			memmove(&counts->processes[i - 1], &counts->processes[i],
				(counts->process_cnt - i) * sizeof(*counts->processes));
			counts->process_cnt--;
			i--;
		}
	return 0;
}

int collect_counting__read(struct collect_counting *self, struct collect_counts *ret_counts)
{
	struct collect_counts counts = { 0 };
	int err = count_now(self);

	counts.time_ns = clock_mono_ns();
	if (!err)
		err = read_cpus(self, &counts);
	if (!err)
		err = read_processes(self, &counts);
	if (err)
		collect_counts__clear(&counts);
	else
		*ret_counts = counts;
	return err;
}

void collect_counts__clear(struct collect_counts *self)
{
	free(self->cpus);
	free(self->processes);
	memset(self, 0, sizeof(*self));
}

void collect_counting__forget(struct collect_counting *self, const struct pp_counted_key *key)
{
	(void)bpf_map_delete_elem(bpf_map__fd(self->skel->maps.pp_counted),
				  key); /* else it stays */
}

void collect_counting__stop_switches(struct collect_counting *self)
{
	bpf_link__destroy(take_ptr(self->skel->links.pp_switch));
	bpf_link__destroy(take_ptr(self->skel->links.pp_count_fork));
}
