/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What two runs at once see by filters that overlap and change: two_filters FORKER_PID THREADS_PID. Run a follows
 * the children of the forker (phase alone), b begins with both processes and two thread names (both), goes over to
 * one process and another name (worker) and ends, then a goes on (after), takes the second process too (wider)
 * and at last wants a thread name of any process (names). Prints the samples by thread name of whole windows of
 * each phase, one NAME=VALUE a line. It judges nothing: two_runs.t does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/loop.h"
#include "pp/base/sysroot.h"
#include "pp/collect.h"
#include "pp/profile.h"
#include "pp/record.h"

enum phase { ALONE, BESIDE, AFTER, WIDER, NAMES, BOTH, WORKER, PHASE_CNT };
static const char *const phases[] = { "a_alone", "a_beside", "a_after", "a_wider",
				      "a_names", "b_both",   "b_worker" };
static const char *const names[] = { "forker", "worker-0", "worker-1" };
#define NAME_CNT 3

struct side {
	struct bench *bench;
	struct record_run *run; /* NULL: over */
	enum phase phase;
	uint64_t changed_ns; /* windows that begin later are of the phase */
};

struct bench {
	struct loop *loop;
	struct record *record;
	char pids[2][16];
	struct side a, b;
	uint64_t windows[PHASE_CNT];
	uint64_t samples[PHASE_CNT][NAME_CNT + 1];
	uint64_t lost;
};

static void die(const char *what, int err)
{
	fprintf(stderr, "two_filters: %s: %s\n", what, errname(err));
	exit(1);
}

/* Which of the processes and names a phase wants, a bit each. */
static struct session_spec spec_of(struct bench *self, enum phase phase)
{
	static const struct {
		uint32_t rate_hz, pids, names;
	} wants[] = {
		[ALONE] = { 499, 1, 0 },  [BESIDE] = { 499, 1, 0 }, [AFTER] = { 499, 1, 0 },
		[WIDER] = { 499, 3, 0 },  [NAMES] = { 499, 0, 4 },  [BOTH] = { 999, 3, 3 },
		[WORKER] = { 999, 2, 4 },
	};
	struct session_spec spec;
	int err = 0;

	session_spec__init(&spec);
	spec.rate_hz = wants[phase].rate_hz;
	spec.duration_s = 1;
	spec.continuous = true;
	spec.children = true;
	for (uint32_t i = 0; i < NAME_CNT && !err; i++) {
		if (i < 2 && wants[phase].pids >> i & 1)
			err = session_spec__add_pid(&spec, self->pids[i], NULL);
		if (!err && wants[phase].names >> i & 1)
			err = session_spec__add_comm(&spec, names[i], NULL);
	}
	if (err)
		die("spec", err);
	return spec;
}

static void enter(struct side *self, enum phase phase)
{
	self->phase = phase;
	self->changed_ns = clock_real_ns();
}

static void change(struct side *self, enum phase phase)
{
	struct session_spec spec = spec_of(self->bench, phase);
	int err = record_run__change(self->run, &spec);

	if (err)
		die(phases[phase], err);
	enter(self, phase);
}

static void begin(struct side *self, enum phase phase);

/* A whole window of the phase came: on to the next one. */
static void go_on(struct side *self)
{
	struct bench *bench = self->bench;

	switch (self->phase) {
	case ALONE:
		begin(&bench->b, BOTH);
		enter(self, BESIDE);
		break;
	case BOTH: change(self, WORKER); break;
	case WORKER: record_run__stop(self->run); break;
	case AFTER: change(self, WIDER); break;
	case WIDER: change(self, NAMES); break;
	case NAMES: record_run__stop(self->run); break;
	default: break;
	}
}

static void add(struct bench *self, enum phase phase, const struct profile *profile)
{
	self->windows[phase]++;
	for (uint32_t i = 0; i < profile->sample_cnt; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		const char *name = intern__str(profile->strings, sample->thread_name);
		uint32_t n = 0;

		while (n < NAME_CNT && strcmp(name, names[n]))
			n++;
		self->samples[phase][n] += sample->weight;
	}
}

static void on_window(void *arg, int err, const char *why, struct profile *profile, bool is_last)
{
	struct side *self = arg;
	struct bench *bench = self->bench;

	if (err)
		die(why, err);
	bench->lost += profile->account.lost;
	if (is_last)
		self->run = NULL;
	else if (profile->meta.start_real_ns >= self->changed_ns) {
		add(bench, self->phase, profile);
		go_on(self);
	}
	profile__free(profile);
	if (is_last && self == &bench->b)
		enter(&bench->a, AFTER);
	else if (is_last)
		loop__stop(bench->loop);
}

static void begin(struct side *self, enum phase phase)
{
	const struct record_ops ops = { .window = on_window, .arg = self };
	struct session_spec spec = spec_of(self->bench, phase);
	const char *why = "";
	int err = record__start(self->bench->record, &spec, &ops, &self->run, &why);

	if (err)
		die(why, err);
	self->phase = phase;
}

static void print_result(const struct bench *self)
{
	for (uint32_t p = 0; p < PHASE_CNT; p++)
		printf("%s=%llu\n%s_forker=%llu\n%s_worker0=%llu\n%s_worker1=%llu\n"
		       "%s_other=%llu\n",
		       phases[p], (unsigned long long)self->windows[p], phases[p],
		       (unsigned long long)self->samples[p][0], phases[p],
		       (unsigned long long)self->samples[p][1], phases[p],
		       (unsigned long long)self->samples[p][2], phases[p],
		       (unsigned long long)self->samples[p][3]);
	printf("lost=%llu\n", (unsigned long long)self->lost);
}

int main(int argc, char **argv)
{
	static struct bench self = { .a = { .bench = &self }, .b = { .bench = &self } };
	const struct record_options options = { 0 };
	struct collect *collect = NULL;
	struct sysroot root;
	const char *why = "";
	int err;

	if (argc != 3)
		return 2;
	for (uint32_t i = 0; i < 2; i++)
		snprintf(self.pids[i], sizeof(self.pids[i]), "%s", argv[1 + i]);
	err = sysroot__open_root(&root, "/");
	err = err ? err : loop__new(&self.loop);
	err = err ? err : collect__new(self.loop, &root, NULL, &collect, &why);
	err = err ? err : record__new(self.loop, &root, collect, &options, &self.record);
	if (err)
		die(why, err);
	begin(&self.a, ALONE);
	loop__run(self.loop);
	print_result(&self);
	record__free(self.record);
	collect__free(collect);
	loop__free(self.loop);
	sysroot__close(&root);
	return 0;
}
