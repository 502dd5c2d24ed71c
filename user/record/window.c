/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the kernel's counts to a profile: each is added (its stack is stack.c's) while the process table is as
 * fresh as it gets, and stays without names until the window is closed. Then the account is made up.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/sysroot.h"

/* user nice system idle iowait irq softirq steal, from the first line; the rest of the file is long. */
#define STAT_FIELDS 8
#define STAT_IDLE   3
#define STAT_IOWAIT 4
static void host__read_ticks(const struct sysroot *root, uint64_t *ret_idle, uint64_t *ret_total)
{
	_auto_close_ int fd = sysroot__open(root, O_RDONLY, "proc/stat");
	char text[512], *at = text;
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	uint64_t total = 0, idle = 0;

	*ret_idle = 0;
	*ret_total = 0;
	if (got <= 0)
		return;
	text[got] = '\0';
	strsep(&at, " ");
	for (int i = 0; i < STAT_FIELDS && at; i++) {
		uint64_t ticks = strtoull(at, &at, 10);

		total += ticks;
		if (i == STAT_IDLE || i == STAT_IOWAIT)
			idle += ticks;
	}
	*ret_idle = idle;
	*ret_total = total;
}

static void usage__read(const struct sysroot *root, struct usage *ret_usage)
{
	ret_usage->mono_ns = clock_mono_ns();
	ret_usage->real_ns = clock_real_ns();
	ret_usage->own_cpu_ns = clock_cpu_ns();
	host__read_ticks(root, &ret_usage->host_idle_ticks, &ret_usage->host_total_ticks);
}

static double mem_used_pct(const struct sysroot *root)
{
	_auto_buf_ struct buf text;
	const char *total, *available;
	double total_kb, available_kb;

	buf__init(&text, 16 << 10);
	if (sysroot__read(root, &text, "proc/meminfo") || !text.data)
		return -1;
	total = strstr(text.data, "MemTotal:");
	available = strstr(text.data, "MemAvailable:");
	if (!total || !available)
		return -1;
	total_kb = strtod(total + strlen("MemTotal:"), NULL);
	available_kb = strtod(available + strlen("MemAvailable:"), NULL);
	return total_kb > 0 ? 100.0 * (total_kb - available_kb) / total_kb : -1;
}

void window__read_memory(struct window *self)
{
	double pct = mem_used_pct(self->root);

	if (pct < 0)
		return;
	self->mem_pct_sum += pct;
	self->mem_cnt++;
}

int window__begin(struct window *self, const struct sysroot *root, struct container_names *names)
{
	int err;

	memset(self, 0, sizeof(*self));
	self->root = root;
	self->names = names;
	usage__read(root, &self->begin);
	window__read_memory(self);
	err = proc_table__new(root, &self->table);
	if (!err)
		err = profile__new(&self->profile);
	if (err)
		window__clear(self);
	return err;
}

void window__clear(struct window *self)
{
	profile__free(self->profile);
	proc_table__free(self->table);
	window__clear_containers(self);
	memset(self, 0, sizeof(*self));
}

void window__note(struct window *self, const struct pp_proc_id *proc, uint32_t tid)
{
	struct proc_id id = proc_id_of(proc);

	(void)proc_table__note(self->table, &id,
			       tid); /* one that has gone stays unknown, and is counted */
	window__read_container(self, &id);
}

static int try_add(struct window *self, const struct collect_count *count, uint64_t now_ns)
{
	const struct pp_sample_key *key = count->key;
	struct stack_build stack;
	char comm[PP_COMM_BYTES + 1] = {};
	uint32_t process, stack_index, known = self->profile->process_cnt;
	int err;

	memcpy(comm, key->comm, PP_COMM_BYTES);
	err = profile__process(self->profile, key->proc.tgid, key->proc.exec_id,
			       key->proc.start_boottime_ns, comm, &process);
	if (!err && process == known && count->user_depth) /* the announcement may have been lost */
		window__note(self, &key->proc, count->tid);
	if (!err && process == known)
		window__set_container(self, process, key->cgroup_id);
	if (!err)
		err = stack__build(self, count, now_ns, &stack);
	if (!err)
		err = profile__stack(self->profile, stack.frames, stack.depth, stack.kernel_depth,
				     &stack_index);
	if (!err)
		err = profile__add(self->profile, process, comm, key->cgroup_id, stack_index,
				   stack.end, count->cnt);
	return err;
}

/* By the path that was read at the process's first sample. */
static bool is_unwanted(struct window *self, const struct collect_count *count)
{
	struct proc_id id = proc_id_of(&count->key->proc);

	if (!self->wanted || !self->wanted->cnt)
		return false;
	switch (window__belongs(self, &id)) {
	case BELONGS: return false;
	case BELONGS_NOT: self->unwanted += count->cnt; break;
	case BELONGS_UNKNOWN: self->unplaced += count->cnt; break;
	}
	return true;
}

void window__add(struct window *self, const struct collect_count *count, uint64_t now_ns)
{
	int err;

	if (is_unwanted(self, count))
		return;
	err = try_add(self, count, now_ns);
	if (!err) {
		self->added += count->cnt;
		return;
	}
	self->dropped += count->cnt;
	if (!self->err)
		self->err = err;
}

static void add_reasons(struct profile_account *account, const struct collect_stats *stats)
{
	static const struct {
		const char *name;
		enum pp_counter_kind kind;
	} counters[] = {
#define X(id, name, kind, text) [PP_CNT_##id] = { name, PP_KIND_##kind },
		PP_COUNTERS(X)
#undef X
	};

	for (uint32_t i = 0; i < PP_CNT_MAX; i++) {
		if (!stats->counters[i])
			continue;
		if (counters[i].kind == PP_KIND_FILTERED)
			profile_account__filtered(account, counters[i].name, stats->counters[i]);
		else if (counters[i].kind == PP_KIND_LOST)
			profile_account__lost(account, counters[i].name, stats->counters[i]);
	}
}

/*
 * An idle CPU's timer may come late or not at all (halted virtual CPUs): the kernel's own idle time says how
 * many of its periods there were. Hardware cycles do not tick in idle, and sampled idle CPUs are asked for.
 */
static uint64_t missed_idle(const struct collect_stats *stats, uint64_t idle_ticks, uint64_t missed)
{
	uint64_t periods = idle_ticks * stats->rate_hz / sysconf(_SC_CLK_TCK);
	uint64_t delivered = stats->counters[PP_CNT_FILTERED_IDLE];

	if (!stats->clock_is_software || periods < delivered)
		return 0;
	return min_of(periods - delivered, missed);
}

static void fill_account(struct window *self, const struct collect_stats *stats,
			 bool idle_is_wanted, uint64_t idle_ticks)
{
	struct profile_account *account = &self->profile->account;
	uint64_t counted = stats->counters[PP_CNT_ACCEPTED];
	uint64_t delivered = self->added + self->dropped + self->unwanted + self->unplaced;

	account->taken = stats->counters[PP_CNT_TAKEN];
	account->accepted = self->added;
	add_reasons(account, stats);
	if (self->dropped)
		profile_account__lost(account, "profile_full", self->dropped);
	if (self->unwanted)
		profile_account__filtered(account, "cgroup", self->unwanted);
	if (self->unplaced)
		profile_account__lost(account, "cgroup_unknown", self->unplaced);
	/* A drain that failed leaves counted samples behind, or delivers some whose count was not read. */
	if (counted > delivered)
		profile_account__lost(account, "not_drained", counted - delivered);
	else
		account->taken += delivered - counted;
	/* The first period of an event may end just before or after it is read: never a negative miss. */
	account->expected = max_of(stats->expected, account->taken);
	account->missed = account->expected - account->taken;
	if (!idle_is_wanted)
		account->missed_idle = missed_idle(stats, idle_ticks, account->missed);
}

static void fill_usage(struct window *self, const struct usage *now)
{
	struct profile_meta *meta = &self->profile->meta;
	uint64_t total = now->host_total_ticks - self->begin.host_total_ticks;
	uint64_t idle = now->host_idle_ticks - self->begin.host_idle_ticks;
	struct rusage rusage;

	meta->start_real_ns = self->begin.real_ns;
	meta->end_real_ns = now->real_ns;
	meta->duration_ns = now->mono_ns - self->begin.mono_ns;
	meta->user_cpu_ns = now->own_cpu_ns - self->begin.own_cpu_ns;
	meta->busy_pct = total ? 100.0 * (total - min_of(idle, total)) / total : -1;
	window__read_memory(self);
	meta->mem_pct = self->mem_cnt ? self->mem_pct_sum / self->mem_cnt : -1;
	getrusage(RUSAGE_SELF, &rusage);
	meta->rss_peak_bytes = (uint64_t)rusage.ru_maxrss * 1024;
}

int window__close(struct window *self, const struct sysroot *root,
		  const struct collect_stats *stats, const struct session_spec *spec)
{
	struct profile_meta *meta = &self->profile->meta;
	char hostname[256] = "";
	struct usage now;
	int err;

	usage__read(root, &now);
	fill_account(self, stats, spec->idle, now.host_idle_ticks - self->begin.host_idle_ticks);
	fill_usage(self, &now);
	meta->rate_hz = stats->rate_hz;
	meta->period = stats->is_event ? stats->period : 0;
	meta->cpu_cnt = stats->cpu_cnt;
	meta->continuous = spec->continuous;
	meta->wants_lines = spec->inlined;
	if (stats->counters[PP_CNT_TIMED])
		meta->kernel_ns_per_sample =
			stats->counters[PP_CNT_TIMED_NS] / stats->counters[PP_CNT_TIMED];
	gethostname(hostname, sizeof(hostname) - 1);
	err = profile__string(self->profile, hostname, &meta->hostname);
	if (!err)
		err = profile__string(self->profile, stats->clock, &meta->event);
	if (!err)
		err = profile__string(self->profile,
				      stats->is_event	       ? stats->clock :
				      stats->clock_is_software ? "cpu-clock (software)" :
								 "cycles (hardware)",
				      &meta->clock);
	return err;
}
