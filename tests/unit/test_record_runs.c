/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two runs of one recorder over a played collect room: what is whose, who hears of what, who may begin, and
 * that neither sees the other's end. The same over a real kernel is tests/e2e/two_runs.t.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free,--wrap=work__submit,--wrap=clock_mono_ns,--wrap=loop__hurry,--wrap=collect_tables__get,--wrap=collect__put_process,--wrap=collect__drop_process,--wrap=collect__listen,--wrap=collect__start,--wrap=collect__change,--wrap=collect__stop,--wrap=collect__drain,--wrap=collect__stats,--wrap=collect__mark,--wrap=collect__wants_paths,--wrap=collect__refresh */
#include "record_rig.h"

#include "fake_loop.h"
#include "pp/collect_tables.h"

#define APP_ADDR 0x400100ull

static struct {
	struct collect_ops ops;
	struct {
		struct collect_run_ops ops;
		bool is_on, is_stopping;
		uint32_t marks;
		uint64_t taken; /* as the stats have it */
	} slots[PP_SLOTS];
	struct session_spec changed; /* as collect__change had it last */
	int refuse; /* collect__start and __change fail with this */
	uint32_t drains;
	int hurried; /* +1 on, -1 off */
} kernel;

int __wrap_loop__hurry(struct loop *self, bool on);
int __wrap_collect_tables__get(struct collect *self, struct collect_tables *ret_tables);
int __wrap_collect__put_process(struct collect *self, const struct pp_proc_id *proc,
				const struct pp_proc_info *info);
void __wrap_collect__drop_process(struct collect *self, const struct pp_proc_id *proc);
void __wrap_collect__listen(struct collect *self, const struct collect_ops *ops);
int __wrap_collect__start(struct collect *self, const struct session_spec *spec,
			  const struct perf_clock *event, const struct collect_run_ops *ops,
			  uint32_t *ret_slot, const char **ret_why);
int __wrap_collect__change(struct collect *self, uint32_t slot, const struct session_spec *spec);
void __wrap_collect__stop(struct collect *self, uint32_t slot);
int __wrap_collect__drain(struct collect *self);
void __wrap_collect__stats(const struct collect *self, uint32_t slot,
			   struct collect_stats *ret_stats);
void __wrap_collect__mark(struct collect *self, uint32_t slot);
bool __wrap_collect__wants_paths(const struct collect *self, uint32_t slot);
void __wrap_collect__refresh(struct collect *self);

int __wrap_loop__hurry(struct loop *self, bool on)
{
	kernel.hurried += on ? 1 : -1;
	return 0;
}

int __wrap_collect_tables__get(struct collect *self, struct collect_tables *ret_tables)
{
	return -EOPNOTSUPP;
}

int __wrap_collect__put_process(struct collect *self, const struct pp_proc_id *proc,
				const struct pp_proc_info *info)
{
	return 0;
}

void __wrap_collect__drop_process(struct collect *self, const struct pp_proc_id *proc)
{
}

void __wrap_collect__listen(struct collect *self, const struct collect_ops *ops)
{
	kernel.ops = *ops;
}

int __wrap_collect__start(struct collect *self, const struct session_spec *spec,
			  const struct perf_clock *event, const struct collect_run_ops *ops,
			  uint32_t *ret_slot, const char **ret_why)
{
	uint32_t slot = 0;

	while (slot < PP_SLOTS - 1 && kernel.slots[slot].is_on)
		slot++;
	if (kernel.refuse) {
		*ret_why = "as told";
		return kernel.refuse;
	}
	assert_false(kernel.slots[slot].is_on);
	memset(&kernel.slots[slot], 0, sizeof(kernel.slots[slot]));
	kernel.slots[slot].ops = *ops;
	kernel.slots[slot].is_on = true;
	*ret_slot = slot;
	return 0;
}

int __wrap_collect__change(struct collect *self, uint32_t slot, const struct session_spec *spec)
{
	kernel.changed = *spec;
	return kernel.refuse;
}

void __wrap_collect__stop(struct collect *self, uint32_t slot)
{
	assert_true(kernel.slots[slot].is_on);
	kernel.slots[slot].is_stopping = true;
}

int __wrap_collect__drain(struct collect *self)
{
	kernel.drains++;
	return 0;
}

void __wrap_collect__stats(const struct collect *self, uint32_t slot,
			   struct collect_stats *ret_stats)
{
	uint64_t taken = kernel.slots[slot].taken;

	*ret_stats = (struct collect_stats){
		.rate_hz = 99, .cpu_cnt = 1, .clock = "cpu-clock", .expected = taken
	};
	ret_stats->counters[PP_CNT_TAKEN] = taken;
	ret_stats->counters[PP_CNT_ACCEPTED] = taken;
}

bool __wrap_collect__wants_paths(const struct collect *self, uint32_t slot)
{
	return false;
}

void __wrap_collect__refresh(struct collect *self)
{
}

void __wrap_collect__mark(struct collect *self, uint32_t slot)
{
	kernel.slots[slot].marks++;
	kernel.slots[slot].taken = 0;
}

/* --- what a run told its caller */

struct heard {
	struct record_run *run;
	uint32_t sampling, windows, last_cnt;
	int err;
	uint64_t accepted; /* of the last window */
	bool interrupted;
	uint32_t module; /* of the last window's first frame */
	struct heard *next; /* begun from inside the last window, on next_record */
	struct record *next_record;
};

static void on_sampling(void *arg)
{
	struct heard *self = arg;

	self->sampling++;
}

static int start(struct record *record, const struct session_spec *spec, struct heard *heard);

static void on_window(void *arg, int err, const char *why, struct profile *profile, bool is_last)
{
	struct heard *self = arg;

	self->windows++;
	self->last_cnt += is_last;
	self->err = err;
	if (profile) {
		self->accepted = profile->account.accepted;
		self->interrupted = profile->meta.interrupted;
		self->module = profile->frame_cnt ? profile->frames[0].module : 0;
		profile__free(profile);
	}
	if (is_last && self->next) {
		struct session_spec spec;

		session_spec__init(&spec);
		assert_int_equal(start(self->next_record, &spec, self->next), 0);
	}
}

static int start(struct record *record, const struct session_spec *spec, struct heard *heard)
{
	const struct record_ops ops = { .sampling = on_sampling,
					.window = on_window,
					.arg = heard };
	const char *why = NULL;
	int err = record__start(record, spec, &ops, &heard->run, &why);

	assert_true(!err || why);
	return err;
}

static struct record *begin(struct rig *rig)
{
	const struct record_options options = { 0 };
	struct record *record;

	memset(&kernel, 0, sizeof(kernel));
	wire_works_cnt = 0;
	assert_int_equal(record__new(NULL, &rig->root, NULL, &options, &record), 0);
	return record;
}

/* --- what the kernel does */

static void ask(uint32_t slots, enum pp_ask why)
{
	const struct pp_rec_proc rec = {
		.proc = { .tgid = 42, .start_boottime_ns = process.start_boottime_ns },
		.tid = 42,
		.why = why,
		.slots = (uint16_t)slots,
	};

	kernel.ops.process(kernel.ops.arg, &rec);
}

static void count(uint32_t slot, uint64_t cnt)
{
	const struct pp_sample_key key = {
		.proc = { .tgid = 42, .start_boottime_ns = process.start_boottime_ns },
		.comm = "app",
		.slot = (uint16_t)slot,
		.end = PP_END_FP_ZERO,
	};
	const uint64_t addr = APP_ADDR;
	const struct collect_count count = { .key = &key,
					     .tid = 42,
					     .user_depth = 1,
					     .user_stored = true,
					     .kernel_stored = true,
					     .user_addrs = &addr,
					     .cnt = cnt };

	kernel.slots[slot].taken += cnt;
	kernel.slots[slot].ops.count(kernel.slots[slot].ops.arg, &count);
}

/* One drain ends, for all runs that go on. */
static void drained(void)
{
	uint32_t slots = 0;

	for (uint32_t s = 0; s < PP_SLOTS; s++)
		slots |= (uint32_t)kernel.slots[s].is_on << s;
	kernel.ops.drained(kernel.ops.arg, 0);
	for (uint32_t s = 0; s < PP_SLOTS; s++) {
		bool is_last = kernel.slots[s].is_stopping;

		if (!(slots >> s & 1))
			continue;
		kernel.slots[s].is_on = !is_last;
		kernel.slots[s].is_stopping = false;
		kernel.slots[s].ops.drained(kernel.slots[s].ops.arg, 0, is_last);
	}
	while (wire_work_off())
		continue;
}

static void end(struct record *record, struct heard *heard)
{
	record_run__stop(heard->run);
	drained();
	assert_int_equal(heard->last_cnt, 1);
	assert_int_equal(heard->err, 0);
}

static struct session_spec continuous(void)
{
	struct session_spec spec;

	session_spec__init(&spec);
	spec.continuous = true;
	spec.duration_s = 60;
	return spec;
}

/* --- tests */

static void each_has_its_own_counts_and_windows(void **state)
{
	struct record *record = begin(*state);
	struct session_spec spec = continuous();
	struct heard a = { 0 }, b = { 0 };

	assert_int_equal(start(record, &spec, &a), 0);
	spec.continuous = false;
	spec.duration_s = 10;
	assert_int_equal(start(record, &spec, &b), 0);
	ask(3, PP_ASK_NEW);
	count(0, 5);
	count(1, 70);
	count(0, 6);
	wire_expire(); /* b's time is over: its deadline was started last */
	assert_true(kernel.slots[1].is_stopping);
	assert_false(kernel.slots[0].is_stopping);
	drained();
	assert_int_equal(b.last_cnt, 1);
	assert_int_equal(b.accepted, 70);
	assert_false(b.interrupted);
	assert_int_equal(a.windows, 0);
	assert_int_equal(kernel.slots[0].marks, 0);
	count(0, 7);
	end(record, &a);
	assert_int_equal(a.accepted, 18);
	assert_true(a.interrupted);
	record__free(record);
}

static void a_window_of_one_ends_without_the_other(void **state)
{
	struct record *record = begin(*state);
	struct session_spec spec = continuous();
	struct heard a = { 0 }, b = { 0 };

	assert_int_equal(start(record, &spec, &b), 0);
	assert_int_equal(start(record, &spec, &a), 0); /* its deadline is the one played */
	count(0, 3);
	count(1, 4);
	wire_expire();
	assert_int_equal(kernel.drains, 1);
	drained();
	assert_int_equal(a.windows, 1);
	assert_int_equal(a.last_cnt, 0);
	assert_int_equal(a.accepted, 4);
	assert_int_equal(b.windows, 0);
	assert_int_equal(kernel.slots[1].marks, 1);
	assert_int_equal(kernel.slots[0].marks, 0);
	count(0, 10);
	end(record, &b);
	assert_int_equal(b.accepted, 13);
	end(record, &a);
	record__free(record);
}

static void one_too_many_is_refused_until_one_was_delivered(void **state)
{
	struct record *record = begin(*state);
	struct session_spec spec = continuous();
	struct heard a = { 0 }, b = { 0 }, c = { 0 }, others[RECORD_RUNS_MAX - 2] = { 0 };

	assert_int_equal(start(record, &spec, &a), 0);
	for (uint32_t i = 0; i < RECORD_RUNS_MAX - 2; i++)
		assert_int_equal(start(record, &spec, &others[i]), 0);
	b.next = &c;
	b.next_record = record;
	assert_int_equal(start(record, &spec, &b), 0);
	assert_int_equal(start(record, &spec, &c), -EBUSY);
	record_run__stop(b.run);
	assert_int_equal(start(record, &spec, &c), -EBUSY);
	drained(); /* c begins from inside b's last window */
	assert_int_equal(b.last_cnt, 1);
	assert_non_null(c.run);
	end(record, &c);
	for (uint32_t i = 0; i < RECORD_RUNS_MAX - 2; i++)
		end(record, &others[i]);
	end(record, &a);
	record__free(record);
}

static void a_start_that_fails_leaves_nothing(void **state)
{
	struct record *record = begin(*state);
	struct session_spec spec = continuous();
	struct heard a = { 0 }, b = { 0 };

	kernel.refuse = -ESRCH;
	assert_int_equal(start(record, &spec, &a), -ESRCH);
	assert_int_equal(kernel.hurried, 0);
	kernel.refuse = 0;
	assert_int_equal(start(record, &spec, &a), 0);
	kernel.refuse = -EACCES;
	assert_int_equal(start(record, &spec, &b), -EACCES);
	assert_int_equal(kernel.hurried, 1); /* a still wants it */
	kernel.refuse = 0;
	assert_int_equal(start(record, &spec, &b), 0);
	end(record, &a);
	assert_int_equal(kernel.hurried, 1);
	end(record, &b);
	assert_int_equal(kernel.hurried, 0);
	record__free(record);
}

/* Its maps can be read once: whoever knows the process later has it from then. */
static void hide_process(const struct rig *rig)
{
	char path[PATH_BYTES], away[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/proc/42", rig->dir);
	snprintf(away, sizeof(away), "%s/proc/away", rig->dir);
	assert_int_equal(rename(path, away), 0);
}

static void who_asks_is_told_of_a_process_and_nobody_else(void **state)
{
	struct rig *rig = *state;
	struct record *record = begin(rig);
	struct session_spec spec = continuous();
	struct heard a = { 0 }, b = { 0 };

	assert_int_equal(start(record, &spec, &a), 0);
	assert_int_equal(start(record, &spec, &b), 0);
	ask(2, PP_ASK_NEW);
	assert_int_equal(a.sampling, 0);
	assert_int_equal(b.sampling, 1);
	hide_process(rig);
	count(0, 1);
	count(1, 1);
	record_run__stop(a.run);
	record_run__stop(b.run);
	drained();
	assert_int_equal(a.module, 0);
	assert_int_not_equal(b.module, 0);
	record__free(record);
}

static void what_one_has_read_the_other_needs_not_read(void **state)
{
	struct rig *rig = *state;
	struct record *record = begin(rig);
	struct session_spec spec = continuous();
	struct heard a = { 0 }, b = { 0 };

	assert_int_equal(start(record, &spec, &a), 0);
	ask(1, PP_ASK_NEW);
	assert_int_equal(start(record, &spec, &b), 0);
	hide_process(rig);
	ask(2, PP_ASK_NEW); /* b's first sample of it */
	assert_int_equal(a.sampling, 1);
	assert_int_equal(b.sampling, 1);
	count(1, 1);
	end(record, &a);
	end(record, &b);
	assert_int_not_equal(b.module, 0);
	record__free(record);
}

static void questions_of_a_run_that_is_over_are_nobodys(void **state)
{
	struct rig *rig = *state;
	struct record *record = begin(rig);
	struct session_spec spec = continuous();
	struct heard a = { 0 }, b = { 0 };

	assert_int_equal(start(record, &spec, &a), 0);
	assert_int_equal(start(record, &spec, &b), 0);
	record_run__stop(a.run);
	kernel.ops.drained(kernel.ops.arg, 0);
	kernel.slots[0].is_on = false;
	kernel.slots[0].ops.drained(kernel.slots[0].ops.arg, 0, true);
	ask(1, PP_ASK_NEW); /* while a is being named */
	assert_int_equal(a.sampling + b.sampling, 0);
	while (wire_work_off())
		continue;
	assert_int_equal(a.last_cnt, 1);
	ask(1, PP_ASK_NEW);
	assert_int_equal(b.sampling, 0);
	end(record, &b);
	record__free(record);
}

static void only_whom_it_wants_may_change(void **state)
{
	struct record *record = begin(*state);
	const struct session_spec spec = continuous();
	struct session_spec other = spec;
	struct heard a = { 0 };

	assert_int_equal(start(record, &spec, &a), 0);
	other.rate_hz++;
	assert_int_equal(record_run__change(a.run, &other), -EINVAL);
	other = spec;
	other.duration_s++;
	assert_int_equal(record_run__change(a.run, &other), -EINVAL);
	other = spec;
	other.continuous = false;
	assert_int_equal(record_run__change(a.run, &other), -EINVAL);
	other = spec;
	other.idle = true;
	assert_int_equal(record_run__change(a.run, &other), -EINVAL);
	assert_int_equal(kernel.changed.rate_hz, 0);
	other = spec;
	other.children = true;
	assert_int_equal(session_spec__add_pid_num(&other, 42, NULL), 0);
	assert_int_equal(session_spec__add_comm(&other, "app", NULL), 0);
	kernel.refuse = -ESRCH;
	assert_int_equal(record_run__change(a.run, &other), -ESRCH);
	kernel.refuse = 0;
	assert_int_equal(record_run__change(a.run, &other), 0);
	assert_true(session_spec__equal(&kernel.changed, &other));
	record_run__stop(a.run);
	assert_int_equal(record_run__change(a.run, &other), -ECANCELED);
	drained();
	assert_int_equal(a.last_cnt, 1);
	record__free(record);
}

static void stopping_twice_is_stopping_once(void **state)
{
	struct record *record = begin(*state);
	struct session_spec spec = continuous();
	struct heard a = { 0 };

	spec.continuous = false;
	assert_int_equal(start(record, &spec, &a), 0);
	wire_expire();
	record_run__stop(a.run); /* its time was over already */
	drained();
	assert_int_equal(a.last_cnt, 1);
	assert_false(a.interrupted);
	record__free(record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(each_has_its_own_counts_and_windows),
		RIG_TEST(a_window_of_one_ends_without_the_other),
		RIG_TEST(one_too_many_is_refused_until_one_was_delivered),
		RIG_TEST(a_start_that_fails_leaves_nothing),
		RIG_TEST(who_asks_is_told_of_a_process_and_nobody_else),
		RIG_TEST(what_one_has_read_the_other_needs_not_read),
		RIG_TEST(questions_of_a_run_that_is_over_are_nobodys),
		RIG_TEST(only_whom_it_wants_may_change),
		RIG_TEST(stopping_twice_is_stopping_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
