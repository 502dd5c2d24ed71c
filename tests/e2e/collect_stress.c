/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Drives include/pp/collect.h beyond its limits: collect_stress NAME=VALUE... with the tunings of struct
 * collect_tuning and seconds=N, pid=N and beside=HZ. Samples the whole host or that process, drains all the time, and
 * prints what the kernel counted beside what came out of its maps, one NAME=VALUE a line. beside: a run of the
 * whole host goes on at that rate before and after (names beside_*). restarts=N: the run ends and begins anew so
 * often, its sums go on. It judges nothing: the .t files do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/err.h"
#include "pp/base/loop.h"
#include "pp/base/sysroot.h"
#include "pp/collect.h"

struct stress {
	struct loop *loop;
	struct collect *collect;
	struct loop_timer *deadline;
	uint64_t seconds;
	uint64_t run_ms;
	uint32_t pid; /* 0: the whole host */
	uint32_t slot;
	uint32_t beside_hz; /* 0: none */
	uint32_t beside_slot;
	uint64_t beside_drained;
	struct collect_stats beside_stats;
	uint32_t restarts;
	struct session_spec spec;
	struct collect_stats stats; /* of the run that goes on */
	struct collect_stats past; /* sums of those before */
	uint64_t drained; /* sum of the counts that came out */
	uint64_t counts; /* how many came out */
	uint64_t drains;
	uint64_t dangling; /* refer to a stack that did not come out: never */
	uint64_t shapeless; /* a stack without frames or beyond the limits: never */
	uint64_t to_bottom; /* user stacks whose last frame pointer is 0, or that a rule says are complete */
	uint64_t processes;
	int err;
};

static void account_stack(struct stress *self, const struct pp_stack_id *id, bool is_stored,
			  uint32_t depth, uint32_t depth_max)
{
	bool is_none = !id->lo && !id->hi;

	if (!is_none && !is_stored)
		self->dangling++;
	else if (depth > depth_max || (is_none && depth) || (!is_none && !depth))
		self->shapeless++;
}

static void on_process(void *arg, const struct pp_rec_proc *proc)
{
	struct stress *self = arg;

	self->processes++;
}

static void on_count(void *arg, const struct collect_count *count)
{
	struct stress *self = arg;

	self->counts++;
	self->drained += count->cnt;
	if ((count->key->end & PP_END_MASK) == PP_END_FP_ZERO ||
	    (count->key->end & PP_END_MASK) == PP_END_COMPLETE)
		self->to_bottom += count->cnt;
	account_stack(self, &count->key->user_stack, count->user_stored, count->user_depth,
		      PP_USER_FRAMES_MAX);
	account_stack(self, &count->key->kernel_stack, count->kernel_stored, count->kernel_depth,
		      PP_KERNEL_FRAMES_MAX);
}

static void start_again(struct stress *self);

static void on_drained(void *arg, int err, bool is_last)
{
	struct stress *self = arg;

	self->drains++;
	if (err && !self->err)
		self->err = err;
	collect__stats(self->collect, self->slot, &self->stats);
	if (!is_last)
		return;
	for (uint32_t i = 0; i < PP_CNT_MAX; i++)
		self->past.counters[i] += self->stats.counters[i];
	self->past.expected += self->stats.expected;
	if (self->restarts) {
		self->restarts--;
		start_again(self);
	} else if (self->beside_hz)
		collect__stop(self->collect, self->beside_slot);
	else
		loop__stop(self->loop);
}

static void on_beside_count(void *arg, const struct collect_count *count)
{
	struct stress *self = arg;

	self->beside_drained += count->cnt;
}

static void on_beside_drained(void *arg, int err, bool is_last)
{
	struct stress *self = arg;

	collect__stats(self->collect, self->beside_slot, &self->beside_stats);
	if (is_last)
		loop__stop(self->loop);
}

static void on_deadline(void *arg)
{
	struct stress *self = arg;

	collect__stop(self->collect, self->slot);
}

static int parse_word(const char *word, struct stress *self, struct collect_tuning *tuning)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : 0;
	uint32_t value = equals ? (uint32_t)strtoul(equals + 1, NULL, 10) : 0;

#define WORD(name, place)                                       \
	if (len == strlen(name) && !strncmp(word, name, len)) { \
		place = value;                                  \
		return 0;                                       \
	}
	WORD("seconds", self->seconds)
	WORD("pid", self->pid)
	WORD("beside", self->beside_hz)
	WORD("restarts", self->restarts)
	WORD("rate_hz", tuning->rate_hz)
	WORD("count_entries", tuning->count_entries)
	WORD("stack_entries", tuning->stack_entries)
	WORD("ring_bytes", tuning->ring_bytes)
	WORD("hold_rounds", tuning->hold_rounds)
	WORD("drain_ms", tuning->drain_ms)
	WORD("skip_wait", tuning->skip_wait)
	WORD("no_tables", tuning->no_tables)
#undef WORD
	fprintf(stderr, "collect_stress: what is '%s'?\n", word);
	return -1;
}

static void print_result(const struct stress *self)
{
	static const char *const names[] = {
#define X(id, name, kind, text) name,
		PP_COUNTERS(X)
#undef X
	};
	static const char *const kinds[] = {
#define X(id, name, kind, text) #kind,
		PP_COUNTERS(X)
#undef X
	};
	const struct collect_stats stats = self->past, beside = self->beside_stats;
	uint64_t filtered = 0, lost = 0;

	for (uint32_t i = 0; i < PP_CNT_MAX; i++) {
		printf("counter_%s=%llu\n", names[i], (unsigned long long)stats.counters[i]);
		if (!strcmp(kinds[i], "FILTERED"))
			filtered += stats.counters[i];
		if (!strcmp(kinds[i], "LOST"))
			lost += stats.counters[i];
	}
	printf("taken=%llu\naccepted=%llu\nfiltered=%llu\nlost=%llu\nexpected=%llu\n",
	       (unsigned long long)stats.counters[PP_CNT_TAKEN],
	       (unsigned long long)stats.counters[PP_CNT_ACCEPTED], (unsigned long long)filtered,
	       (unsigned long long)lost, (unsigned long long)stats.expected);
	printf("drained=%llu\ncounts=%llu\ndrains=%llu\ndangling=%llu\nshapeless=%llu\n",
	       (unsigned long long)self->drained, (unsigned long long)self->counts,
	       (unsigned long long)self->drains, (unsigned long long)self->dangling,
	       (unsigned long long)self->shapeless);
	printf("to_bottom=%llu\n", (unsigned long long)self->to_bottom);
	printf("beside_lost=%llu\n", (unsigned long long)(beside.counters[PP_CNT_LOST_FULL] +
							  beside.counters[PP_CNT_LOST_SCRATCH]));
	printf("beside_taken=%llu\nbeside_accepted=%llu\nbeside_idle=%llu\nbeside_expected=%llu\n"
	       "beside_drained=%llu\nbeside_enabled_us=%llu\n",
	       (unsigned long long)beside.counters[PP_CNT_TAKEN],
	       (unsigned long long)beside.counters[PP_CNT_ACCEPTED],
	       (unsigned long long)beside.counters[PP_CNT_FILTERED_IDLE],
	       (unsigned long long)beside.expected, (unsigned long long)self->beside_drained,
	       (unsigned long long)beside.enabled_ns / 1000);
	printf("processes=%llu\nerr=%s\n", (unsigned long long)self->processes,
	       self->err ? errname(self->err) : "0");
}

static int start_run(struct stress *self, const char **ret_why)
{
	const struct collect_run_ops ops = { .count = on_count,
					     .drained = on_drained,
					     .arg = self };
	int err = collect__start(self->collect, &self->spec, NULL, &ops, &self->slot, ret_why);

	if (!err)
		loop_timer__start(self->deadline, self->run_ms, 0);
	return err;
}

static void start_again(struct stress *self)
{
	const char *why;

	self->err = self->err ?: start_run(self, &why);
	if (self->err)
		loop__stop(self->loop);
}

/* The run at the tuning's rate, and before it the one beside it. */
static int start_runs(struct stress *self, const char **ret_why)
{
	const struct collect_ops ops = { .process = on_process, .arg = self };
	const struct collect_run_ops beside_ops = { .count = on_beside_count,
						    .drained = on_beside_drained,
						    .arg = self };
	struct session_spec beside;
	int err = 0;

	collect__listen(self->collect, &ops);
	session_spec__init(&beside);
	beside.rate_hz = self->beside_hz;
	if (self->beside_hz)
		err = collect__start(self->collect, &beside, NULL, &beside_ops, &self->beside_slot,
				     ret_why);
	self->run_ms = self->seconds * 1000 / (self->restarts + 1);
	return err ? err : start_run(self, ret_why);
}

int main(int argc, char **argv)
{
	struct collect_tuning tuning = { 0 };
	struct stress self = { .seconds = 3 };
	struct sysroot root;
	const char *why = "";
	int err;

	for (int i = 1; i < argc; i++)
		if (parse_word(argv[i], &self, &tuning))
			return 2;
	session_spec__init(&self.spec);
	if (self.beside_hz) { /* the tuning's would be that of both */
		self.spec.rate_hz = tuning.rate_hz ?: self.spec.rate_hz;
		tuning.rate_hz = 0;
	}
	if (self.pid && session_spec__add_pid_num(&self.spec, self.pid, &why))
		return 2;
	err = sysroot__open_root(&root, "/");
	err = err ? err : loop__new(&self.loop);
	err = err ? err : loop_timer__new(self.loop, on_deadline, &self, &self.deadline);
	err = err ? err : collect__new(self.loop, &root, &tuning, &self.collect, &why);
	err = err ? err : start_runs(&self, &why);
	if (err) {
		fprintf(stderr, "collect_stress: %s: %s\n", why ? why : "", errname(err));
		return 1;
	}
	loop__run(self.loop);
	print_result(&self);
	collect__free(self.collect);
	loop_timer__free(self.deadline);
	loop__free(self.loop);
	sysroot__close(&root);
	return 0;
}
