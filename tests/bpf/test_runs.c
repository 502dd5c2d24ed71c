/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose sample it is: the run's slot from the period of its event, its filters, its counters, and to whom a
 * process was announced. The program is the kernel's (host_sampler.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "made_process.h"

#define ALL_ON	     ((1u << PP_SLOTS) - 1)
#define PERIOD_99_HZ 10101010ull
#define START_TICKS  (HOST_START_BOOTTIME / PP_NSEC_PER_TICK)

static int begin(void **state)
{
	made__begin();
	*host__run() =
		(struct pp_run){ .filters = { PP_FILTER_ON, PP_FILTER_ON }, .window = { 1, 1 } };
	return 0;
}

static const struct host_sample *sample_of(uint32_t slot)
{
	made.regs.sample_period = PP_PERIOD(PERIOD_99_HZ, slot);
	host__sample(&made.regs, &made.sample);
	assert_int_equal(made.sample.cnt[PP_CNT_TAKEN], 1);
	assert_int_equal(made.sample.cnt_others, 0);
	return &made.sample;
}

/* The slots by whose events the sample is accepted, a bit each; reason: why not by the others. */
static uint32_t accepted_by(enum pp_counter reason)
{
	uint32_t slots = 0;

	for (uint32_t slot = 0; slot < PP_SLOTS; slot++) {
		const struct host_sample *sample = sample_of(slot);

		assert_int_equal(sample->cnt[PP_CNT_ACCEPTED] + sample->cnt[reason], 1);
		if (!sample->cnt[PP_CNT_ACCEPTED])
			continue;
		slots |= 1u << slot;
		assert_int_equal(sample->key.slot, slot);
		assert_int_equal(sample->key.event, 0);
	}
	return slots;
}

static void periods_differ_by_less_than_a_slot(void **state)
{
	for (uint64_t period = 100000; period < 100010; period++)
		for (uint32_t slot = 0; slot < PP_SLOTS; slot++) {
			uint64_t marked = PP_PERIOD(period, slot);

			assert_int_equal(PP_PERIOD_SLOT(marked), slot);
			assert_true(marked < period + PP_SLOTS && period < marked + PP_SLOTS);
		}
}

/* What one of them said holds for its own sample only. */
static void a_program_in_front_says_whose_sample_it_is(void **state)
{
	for (uint32_t period = 1; period < 10; period++)
		for (uint32_t slot = 0; slot < PP_SLOTS; slot++) {
			made.regs.in_front = slot + 1;
			made.regs.sample_period = period;
			host__sample(&made.regs, &made.sample);
			assert_int_equal(made.sample.cnt[PP_CNT_TAKEN], 1);
			assert_int_equal(made.sample.cnt_others, 0);
			assert_int_equal(made.sample.key.slot, slot);
			made.regs.in_front = 0;
			assert_int_equal(sample_of((slot + 1) % PP_SLOTS)->key.slot,
					 (slot + 1) % PP_SLOTS);
		}
}

static void each_run_has_its_own_counters_in_each_generation(void **state)
{
	for (uint32_t generation = 0; generation < PP_GENERATIONS; generation++) {
		host__run()->generation = generation;
		assert_int_equal(accepted_by(PP_CNT_FILTERED_PID), ALL_ON);
	}
}

static void a_process_is_whose_filter_has_it(void **state)
{
	struct pp_run *run = host__run();
	struct pp_filter_pid wanted = { .start_ticks = START_TICKS };

	run->filters[0] |= PP_FILTER_PIDS;
	assert_int_equal(accepted_by(PP_CNT_FILTERED_PID), ALL_ON & ~1u);
	for (uint32_t slot = 1; slot < PP_SLOTS; slot++)
		run->filters[slot] |= PP_FILTER_PIDS;
	for (uint32_t slots = 1; slots <= ALL_ON; slots++) {
		for (uint32_t slot = 0; slot < PP_SLOTS;
		     slot++) /* odd ones as a child of another */
			wanted.root[slot] = !(slots >> slot & 1) ? 0 : slot & 1 ? 1 : HOST_TGID;
		host__want_pid(HOST_TGID, &wanted);
		assert_int_equal(accepted_by(PP_CNT_FILTERED_PID), slots);
	}
	wanted.start_ticks++; /* the pid was another's */
	host__want_pid(HOST_TGID, &wanted);
	assert_int_equal(accepted_by(PP_CNT_FILTERED_PID), 0);
}

static void a_thread_name_is_whose_filter_has_it(void **state)
{
	struct pp_run *run = host__run();

	for (uint32_t slot = 0; slot < PP_SLOTS; slot++)
		run->filters[slot] |= PP_FILTER_COMMS;
	host__want_comm("hos", ALL_ON);
	assert_int_equal(accepted_by(PP_CNT_FILTERED_COMM), 0);
	for (uint32_t slots = 1; slots <= ALL_ON; slots++) {
		host__want_comm("host", slots);
		assert_int_equal(accepted_by(PP_CNT_FILTERED_COMM), slots);
	}
	host__want_comm("host", 1);
	for (uint32_t slot = 1; slot < PP_SLOTS; slot++)
		run->filters[slot] &= ~PP_FILTER_COMMS;
	assert_int_equal(accepted_by(PP_CNT_FILTERED_COMM), ALL_ON);
}

static void a_cgroup_is_wanted_with_what_is_below(void **state)
{
	static const uint64_t ids[] = { 1, 20, 300, 4000 };
	struct pp_run *run = host__run();

	for (uint32_t slot = 0; slot < PP_SLOTS; slot++)
		run->filters[slot] |= PP_FILTER_CGROUPS;
	host__enter_cgroups(ids, 4);
	host__want_cgroup(4001, ALL_ON);
	assert_int_equal(accepted_by(PP_CNT_FILTERED_CGROUP), 0);
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t slots = ALL_ON + 1; slots-- > 0;) {
			host__want_cgroup(ids[i], slots);
			assert_int_equal(accepted_by(PP_CNT_FILTERED_CGROUP), slots);
		}
	host__want_cgroup(300, 1);
	host__enter_cgroups(ids, 2);
	assert_int_equal(accepted_by(PP_CNT_FILTERED_CGROUP), 0);
	host__enter_cgroups(ids, 3);
	assert_int_equal(accepted_by(PP_CNT_FILTERED_CGROUP), 1);
	for (uint32_t slot = 1; slot < PP_SLOTS; slot++)
		run->filters[slot] &= ~PP_FILTER_CGROUPS;
	assert_int_equal(accepted_by(PP_CNT_FILTERED_CGROUP), ALL_ON);
	assert_int_equal(made.sample.key.cgroup_id, 300);
}

static void one_below_32_levels_is_found_by_its_own_id_only(void **state)
{
	uint64_t ids[40];
	struct pp_run *run = host__run();

	for (uint32_t i = 0; i < 40; i++)
		ids[i] = i + 1;
	for (uint32_t slot = 0; slot < PP_SLOTS; slot++)
		run->filters[slot] |= PP_FILTER_CGROUPS;
	host__enter_cgroups(ids, 40);
	host__want_cgroup(33, ALL_ON);
	assert_int_equal(accepted_by(PP_CNT_FILTERED_CGROUP), 0);
	host__want_cgroup(32, 1);
	assert_int_equal(accepted_by(PP_CNT_FILTERED_CGROUP), 1);
	host__want_cgroup(40, 2);
	assert_int_equal(accepted_by(PP_CNT_FILTERED_CGROUP), 3);
}

static void a_process_is_announced_once_to_each_run_in_each_window(void **state)
{
	struct pp_run *run = host__run();
	struct pp_proc_info info = *host__process();

	memcpy(info.window, run->window, sizeof(info.window));
	host__set_process(&info);
	for (uint32_t i = 0; i < 6; i++) {
		uint32_t slot = i % PP_SLOTS;

		run->window[slot]++;
		assert_int_equal(sample_of(!slot)->proc_cnt, 0);
		assert_int_equal(sample_of(slot)->proc_cnt, 1);
		assert_int_equal(made.sample.proc.why, PP_ASK_NEW);
		assert_int_equal(made.sample.proc.slots, 1u << slot);
		assert_int_equal(sample_of(slot)->proc_cnt, 0);
	}
}

static void one_that_is_new_is_new_to_both(void **state)
{
	host__set_process(NULL);
	assert_int_equal(sample_of(1)->proc_cnt, 1);
	assert_int_equal(made.sample.proc.slots, 2);
	assert_int_equal(sample_of(0)->proc_cnt, 1);
	assert_int_equal(made.sample.proc.slots, 1);
	assert_int_equal(host__process()->window[0], 1);
	assert_int_equal(host__process()->window[1], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(periods_differ_by_less_than_a_slot, begin),
		cmocka_unit_test_setup(a_program_in_front_says_whose_sample_it_is, begin),
		cmocka_unit_test_setup(each_run_has_its_own_counters_in_each_generation, begin),
		cmocka_unit_test_setup(a_process_is_whose_filter_has_it, begin),
		cmocka_unit_test_setup(a_thread_name_is_whose_filter_has_it, begin),
		cmocka_unit_test_setup(a_cgroup_is_wanted_with_what_is_below, begin),
		cmocka_unit_test_setup(one_below_32_levels_is_found_by_its_own_id_only, begin),
		cmocka_unit_test_setup(a_process_is_announced_once_to_each_run_in_each_window,
				       begin),
		cmocka_unit_test_setup(one_that_is_new_is_new_to_both, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
