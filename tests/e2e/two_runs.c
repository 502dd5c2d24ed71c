/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two runs at once, driven through include/pp/record.h: two_runs PID1 PID2 DEAD_PID. Run a is continuous, of the
 * whole host, at 99 Hz. Beside it run b (999 Hz, PID1; then PID1 and PID2; then PID2) begins and is stopped, then
 * run c (999 Hz, whole host, a second). Prints sums over the windows of each, what /proc says of the processes
 * meanwhile, and whether a's links stayed; one NAME=VALUE a line. It judges nothing: two_runs.t does.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/loop.h"
#include "pp/base/sysroot.h"
#include "pp/collect.h"
#include "pp/proc.h"
#include "pp/profile.h"
#include "pp/record.h"

#define LINKS_MAX 8192
#define LINK_IDS  65536

struct sums {
	const char *name;
	struct bench *bench;
	struct record_run *run; /* NULL: over */
	uint64_t windows, expected, taken, accepted, filtered, lost, missed, missed_idle;
	uint64_t begin_us, end_us, duration_us, gap_us_max;
	uint64_t pid_samples[2];
	uint64_t pid_user[2], pid_whole[2]; /* with a user stack; of these whole */
	uint64_t whole_pct_min; /* of both, over its windows but the first */
	uint64_t last_duration_us, interrupted, sampling, unbalanced, err;
};

struct bench {
	struct sysroot root;
	struct loop *loop;
	struct collect *collect;
	struct record *record;
	struct loop_timer *timer;
	uint32_t pids[2];
	uint32_t dead_pid;
	uint32_t step;
	struct sums a, b, c;
	uint64_t ticks[8][2]; /* CPU time of the processes at each step */
	uint8_t links[LINK_IDS / 8]; /* of run a, when it was alone */
	uint32_t link_cnt, links_gone, links_now;
};

static void die(const char *what, int err)
{
	fprintf(stderr, "two_runs: %s: %s\n", what, errname(err));
	exit(1);
}

/* Calls fn for the id of each link that we hold. */
static void each_link(struct bench *self, void (*fn)(struct bench *self, uint32_t id))
{
	DIR *dir = opendir("/proc/self/fdinfo");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[300], text[1024] = "";
		const char *at;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fread(text, 1, sizeof(text) - 1, file) > 0 && strstr(text, "perf") &&
		    (at = strstr(text, "link_id:")))
			fn(self, (uint32_t)strtoul(at + 8, NULL, 10) % LINK_IDS);
		fclose(file);
	}
	if (dir)
		closedir(dir);
}

static void note_link(struct bench *self, uint32_t id)
{
	self->links[id / 8] |= 1u << id % 8;
	self->link_cnt++;
}

static void see_link(struct bench *self, uint32_t id)
{
	if (self->links[id / 8] >> id % 8 & 1)
		self->links_now++;
}

static void compare_links(struct bench *self)
{
	self->links_now = 0;
	each_link(self, see_link);
	if (self->links_now != self->link_cnt)
		self->links_gone++;
}

static void add_samples(struct sums *self, const struct profile *profile)
{
	uint64_t user = 0, whole = 0;

	for (uint32_t i = 0; i < profile->sample_cnt; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		uint32_t pid = profile->processes[sample->process].pid;

		for (uint32_t p = 0; p < 2; p++) {
			if (pid != self->bench->pids[p])
				continue;
			self->pid_samples[p] += sample->weight;
			if (sample->end == STACK_END_NONE)
				continue;
			self->pid_user[p] += sample->weight;
			user += sample->weight;
			if (sample->end != STACK_END_COMPLETE)
				continue;
			self->pid_whole[p] += sample->weight;
			whole += sample->weight;
		}
	}
	if (self->windows && user && 100 * whole / user < self->whole_pct_min)
		self->whole_pct_min = 100 * whole / user;
}

static void finish(struct bench *self);

static void on_window(void *arg, int err, const char *why, struct profile *profile, bool is_last)
{
	struct sums *self = arg;
	const struct profile_account *account;
	uint64_t begin_us, end_us;

	if (is_last)
		self->run = NULL;
	if (err)
		die(why, err);
	account = &profile->account;
	begin_us = profile->meta.start_real_ns / 1000;
	end_us = profile->meta.end_real_ns / 1000;
	if (self->windows && begin_us - self->end_us > self->gap_us_max)
		self->gap_us_max = begin_us - self->end_us;
	if (!self->windows)
		self->begin_us = begin_us;
	self->end_us = end_us;
	self->last_duration_us = profile->meta.duration_ns / 1000;
	self->duration_us += self->last_duration_us;
	self->interrupted += profile->meta.interrupted;
	add_samples(self, profile);
	self->windows++;
	self->expected += account->expected;
	self->taken += account->taken;
	self->accepted += account->accepted;
	self->filtered += account->filtered;
	self->lost += account->lost;
	self->missed += account->missed;
	self->missed_idle += account->missed_idle;
	self->unbalanced += account->expected != account->taken + account->missed ||
			    account->taken != account->accepted + account->filtered + account->lost;
	profile__free(profile);
	finish(self->bench);
}

static void on_sampling(void *arg)
{
	struct sums *self = arg;

	self->sampling++;
}

static int start(struct sums *self, const struct session_spec *spec)
{
	const struct record_ops ops = { .sampling = on_sampling, .window = on_window, .arg = self };
	const char *why = "";

	return record__start(self->bench->record, spec, &ops, &self->run, &why);
}

static struct session_spec spec_of(struct bench *self, uint32_t rate_hz, uint32_t pids)
{
	struct session_spec spec;

	session_spec__init(&spec);
	spec.rate_hz = rate_hz;
	spec.duration_s = 1;
	spec.continuous = true;
	for (uint32_t p = 0; p < 2; p++)
		if (pids >> p & 1 && session_spec__add_pid_num(&spec, self->pids[p], NULL))
			die("pid", -EINVAL);
	return spec;
}

static void change_b(struct bench *self, uint32_t pids)
{
	struct session_spec spec = spec_of(self, 999, pids);
	int err = record_run__change(self->b.run, &spec);

	if (err)
		die("change", err);
}

/* What cannot be done is refused and changes nothing. */
static void refuse(struct bench *self)
{
	struct session_spec spec = spec_of(self, 998, 1);
	int errs[2];

	errs[0] = record_run__change(self->b.run, &spec);
	spec = spec_of(self, 999, 0);
	(void)session_spec__add_pid_num(&spec, self->dead_pid, NULL);
	errs[1] = record_run__change(self->b.run, &spec);
	printf("refused_rate=%d\nrefused_dead=%d\n", errs[0] == -EINVAL, errs[1] == -ESRCH);
}

static void begin_run(struct sums *self, uint32_t rate_hz, uint32_t pids, bool continuous)
{
	struct session_spec spec = spec_of(self->bench, rate_hz, pids);
	int err;

	spec.continuous = continuous;
	err = start(self, &spec);
	if (err)
		die(self->name, err);
}

/* When the next step comes, in ms. */
static const uint32_t pauses[] = { 1500, 1500, 1500, 1500, 600, 1700, 0 };

static void on_step(void *arg)
{
	struct bench *self = arg;
	struct proc_stat stat;

	if (self->step == 5 && self->b.run) { /* being named */
		(void)loop_timer__start(self->timer, 50, 0);
		return;
	}
	for (uint32_t p = 0; p < 2; p++)
		if (!proc__stat(&self->root, self->pids[p], &stat))
			self->ticks[self->step][p] = stat.cpu_ticks;
	if (self->step)
		compare_links(self);
	switch (self->step) {
	case 0:
		begin_run(&self->a, 99, 0, true);
		each_link(self, note_link);
		break;
	case 1: begin_run(&self->b, 999, 1, true); break;
	case 2: change_b(self, 3); break;
	case 3:
		refuse(self);
		change_b(self, 2);
		break;
	case 4: record_run__stop(self->b.run); break;
	case 5: begin_run(&self->c, 999, 0, false); break;
	default: record_run__stop(self->a.run);
	}
	compare_links(self);
	if (pauses[self->step])
		(void)loop_timer__start(self->timer, pauses[self->step], 0);
	else
		self->links_gone--; /* the last look found them gone, as they must be */
	self->step++;
}

static void finish(struct bench *self)
{
	if (self->step > 6 && !self->a.run && !self->b.run && !self->c.run)
		loop__stop(self->loop);
}

static void print_sums(const struct sums *self)
{
#define PRINT(what) printf("%s_" #what "=%llu\n", self->name, (unsigned long long)self->what)
	PRINT(windows);
	PRINT(expected);
	PRINT(taken);
	PRINT(accepted);
	PRINT(filtered);
	PRINT(lost);
	PRINT(missed);
	PRINT(missed_idle);
	PRINT(duration_us);
	PRINT(last_duration_us);
	PRINT(gap_us_max);
	PRINT(interrupted);
	PRINT(sampling);
	PRINT(unbalanced);
	PRINT(whole_pct_min);
#undef PRINT
	printf("%s_span_us=%llu\n", self->name,
	       (unsigned long long)(self->end_us - self->begin_us));
	for (uint32_t p = 0; p < 2; p++)
		printf("%s_pid%u=%llu\n%s_user%u=%llu\n%s_whole%u=%llu\n", self->name, p + 1,
		       (unsigned long long)self->pid_samples[p], self->name, p + 1,
		       (unsigned long long)self->pid_user[p], self->name, p + 1,
		       (unsigned long long)self->pid_whole[p]);
}

static void print_result(const struct bench *self)
{
	print_sums(&self->a);
	print_sums(&self->b);
	print_sums(&self->c);
	/* CPU time in hundredths of a second while each run wanted the process */
	printf("a_ticks1=%llu\na_ticks2=%llu\n",
	       (unsigned long long)(self->ticks[6][0] - self->ticks[0][0]),
	       (unsigned long long)(self->ticks[6][1] - self->ticks[0][1]));
	printf("b_ticks1=%llu\nb_ticks2=%llu\n",
	       (unsigned long long)(self->ticks[3][0] - self->ticks[1][0]),
	       (unsigned long long)(self->ticks[4][1] - self->ticks[2][1]));
	printf("links=%u\nlinks_gone=%u\nlinks_after=%u\n", self->link_cnt, self->links_gone,
	       self->links_now);
}

int main(int argc, char **argv)
{
	static struct bench self = {
		.a = { .name = "a", .bench = &self, .whole_pct_min = 100 },
		.b = { .name = "b", .bench = &self, .whole_pct_min = 100 },
		.c = { .name = "c", .bench = &self, .whole_pct_min = 100 },
	};
	const struct record_options options = { 0 };
	const char *why = "";
	int err;

	if (argc != 4)
		return 2;
	self.pids[0] = (uint32_t)strtoul(argv[1], NULL, 10);
	self.pids[1] = (uint32_t)strtoul(argv[2], NULL, 10);
	self.dead_pid = (uint32_t)strtoul(argv[3], NULL, 10);
	err = sysroot__open_root(&self.root, "/");
	err = err ? err : loop__new(&self.loop);
	err = err ? err : loop_timer__new(self.loop, on_step, &self, &self.timer);
	err = err ? err : collect__new(self.loop, &self.root, NULL, &self.collect, &why);
	err = err ? err : record__new(self.loop, &self.root, self.collect, &options, &self.record);
	if (err)
		die(why, err);
	on_step(&self);
	loop__run(self.loop);
	print_result(&self);
	record__free(self.record);
	collect__free(self.collect);
	loop_timer__free(self.timer);
	loop__free(self.loop);
	sysroot__close(&self.root);
	return 0;
}
