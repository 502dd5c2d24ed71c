/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The run in one JSON object: what `pulseprof -j profile record` ends with, and what the page shows above
 * its flame graph. Field names are an interface: append only.
 */
#include <errno.h>

#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/intern.h"
#include "pp/base/json.h"
#include "pp/encode.h"
#include "pp/profile.h"

static int add_reasons(struct json_object *json, const char *name,
		       const struct profile_reason *reasons, uint32_t cnt)
{
	struct json_object *object = json__new_object();
	int err = object ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < cnt && !err; i++)
		err = json__add_u64(object, reasons[i].name, reasons[i].cnt);
	if (err) {
		json__put(object);
		return err;
	}
	return json__add(json, name, object);
}

static int add_account(struct json_object *json, const struct profile_account *account)
{
	int err = json__add_u64(json, "samples", account->accepted);

	if (!err)
		err = json__add_u64(json, "expected", account->expected);
	if (!err)
		err = json__add_u64(json, "missed", account->missed);
	if (!err)
		err = json__add_u64(json, "missed_idle", account->missed_idle);
	if (!err)
		err = json__add_u64(json, "taken", account->taken);
	if (!err)
		err = json__add_u64(json, "filtered", account->filtered);
	if (!err)
		err = add_reasons(json, "filtered_by", account->filtered_by,
				  account->filtered_by_cnt);
	if (!err)
		err = add_reasons(json, "lost", account->lost_by, account->lost_by_cnt);
	return err;
}

static uint64_t sampled_processes(const struct profile *profile)
{
	uint64_t cnt = 0;

	for (uint32_t i = 0; i < profile->process_cnt; i++)
		cnt += profile->processes[i].weight > 0;
	return cnt;
}

static int add_stacks(struct json_object *json, const struct profile *profile,
		      const struct profile_totals *totals)
{
	struct profile_reason ends[STACK_END_CNT];
	int err;

	for (uint32_t i = 0; i < STACK_END_CNT; i++)
		ends[i] = (struct profile_reason){ profile_stack_end__name(i), totals->by_end[i] };
	err = json__add_u64(json, "user_stacks", totals->user_stacks);
	if (!err && totals->user_stacks)
		err = json__add_double(json, "user_stacks_complete_pct",
				       100.0 * totals->user_stacks_complete / totals->user_stacks);
	else if (!err)
		err = json__add_null(json, "user_stacks_complete_pct");
	if (!err)
		err = add_reasons(json, "user_stack_ends", ends, STACK_END_CNT);
	if (!err)
		err = json__add_u64(json, "user_stacks_jit", totals->user_stacks_jit);
	if (!err)
		err = json__add_u64(json, "stacks", profile->stack_cnt);
	if (!err)
		err = json__add_u64(json, "processes", sampled_processes(profile));
	return err;
}

static int add_names(struct json_object *json, const struct profile_totals *totals)
{
	struct profile_reason why[UNNAMED_CNT];
	int err;

	for (uint32_t i = UNNAMED_NOT + 1; i < UNNAMED_CNT; i++)
		why[i - 1] =
			(struct profile_reason){ profile_unnamed__name(i), totals->frames_by[i] };
	err = json__add_u64(json, "frames", totals->frames);
	if (!err && totals->frames)
		err = json__add_double(json, "frames_named_pct",
				       100.0 * totals->frames_by[UNNAMED_NOT] / totals->frames);
	else if (!err)
		err = json__add_null(json, "frames_named_pct");
	return err ? err : add_reasons(json, "frames_unnamed", why, UNNAMED_CNT - 1);
}

static int add_meta(struct json_object *json, const struct profile *profile)
{
	const struct profile_meta *meta = &profile->meta;
	int err = json__add_str(json, "clock", intern__str(profile->strings, meta->clock));

	if (!err)
		err = json__add_u64(json, "rate_hz", meta->rate_hz);
	if (!err && meta->period) /* of an event: a sample stands for so many */
		err = json__add_u64(json, "period", meta->period);
	if (!err)
		err = json__add_double(json, "duration_s", meta->duration_ns / 1e9);
	/* 0 is "no sample timed itself", which is not a cost of 0. */
	if (!err && meta->kernel_ns_per_sample)
		err = json__add_u64(json, "kernel_ns_per_sample", meta->kernel_ns_per_sample);
	else if (!err)
		err = json__add_null(json, "kernel_ns_per_sample");
	if (!err)
		err = json__add_double(json, "user_cpu_ms", meta->user_cpu_ns / 1e6);
	if (!err)
		err = json__add_u64(json, "rss_peak_bytes", meta->rss_peak_bytes);
	return err;
}

/* null: the table walk was not loaded, frame pointers only; then unwind_tables_off says why. */
static int add_tables(struct json_object *json, const struct profile_tables *tables)
{
	const struct profile_reason facts[] = {
		{ "files", tables->files },
		{ "pages", tables->pages },
		{ "rows", tables->rows },
		{ "bytes", tables->bytes },
		{ "kernel_bytes", tables->kernel_bytes },
		{ "pages_converted", tables->pages_converted },
		{ "pages_from_cache", tables->pages_from_cache },
		{ "pages_evicted", tables->pages_evicted },
		{ "pages_failed", tables->pages_failed },
		{ "ranges_refused", tables->ranges_refused },
		{ "convert_us", tables->convert_ns / 1000 },
		{ "pages_refused", tables->pages_refused },
		{ "rules_refused", tables->rules_refused },
	};

	int err;

	if (!tables->on) {
		err = json__add_null(json, "unwind_tables");
		if (!err && tables->off_err)
			err = json__add_str(json, "unwind_tables_off", errname(tables->off_err));
		return err;
	}
	return add_reasons(json, "unwind_tables", facts, ARRAY_SIZE(facts));
}

int encode__summary(const struct profile *profile, struct json_object **ret_json)
{
	_auto_json_ struct json_object *json = json__new_object();
	struct profile_totals totals;
	int err = json ? 0 : -ENOMEM;

	profile__totals(profile, &totals);

	if (!err)
		err = add_account(json, &profile->account);
	if (!err)
		err = add_stacks(json, profile, &totals);
	if (!err)
		err = add_names(json, &totals);
	if (!err)
		err = add_meta(json, profile);
	if (!err)
		err = add_tables(json, &profile->meta.tables);
	if (err)
		return err;
	*ret_json = json__get(json);
	return 0;
}
