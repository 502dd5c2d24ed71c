/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which events are counted together. Software events first, each a group of its own kind; then the hardware's, as many
 * as there are counters in one group that is always on, what is asked for beyond in a second one that takes turns.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/counter_window.h"

#define GROUP_FIRST 1 /* of the hardware's, up to PP_GROUPS_MAX - 1 */

/* What metrics are made of, the most useful first; those that this machine has not are left out. */
static const char *const default_software[] = { "page-faults", "context-switches", "cpu-migrations",
						"major-faults" };
static const char *const default_hardware[] = {
	"cycles",     "instructions",	 "branch_misses", "branches",
	"l1d_misses", "l2_misses",	 "llc_misses",	  "llc_misses_core",
	"dtlb_walks", "dtlb_load_walks", "itlb_walks",	  "dtlb_store_walks",
};
/* Where the table does not know the CPU. */
static const char *const generic_hardware[] = {
	"cycles", "instructions", "branches", "branch-misses", "cache-references", "cache-misses"
};

static bool is_hardware(const struct counter_event *event)
{
	return !event->is_software && event->code.type != 2; /* PERF_TYPE_TRACEPOINT */
}

static int add(const struct sysroot *root, struct counter_set *set, const char *name,
	       bool must_count)
{
	struct counter_event *event = &set->events[set->cnt];
	int err;

	if (set->cnt == PP_EVENTS_MAX)
		return -E2BIG;
	err = counter_event__find(root, &set->cpu, name, event);
	if (err)
		return err;
	counter_event__probe(event);
	if (!must_count || event->status == COUNTER_OK)
		set->cnt++;
	return 0;
}

/* Software before hardware, else as they were asked for. */
static void sort(struct counter_set *set)
{
	for (uint32_t i = 1; i < set->cnt; i++)
		for (uint32_t k = i;
		     k && is_hardware(&set->events[k - 1]) && !is_hardware(&set->events[k]); k--) {
			struct counter_event event = set->events[k];

			set->events[k] = set->events[k - 1];
			set->events[k - 1] = event;
		}
}

static void group(struct counter_set *set)
{
	uint32_t in_group = 0, last = GROUP_FIRST;
	uint32_t max = set->free_counters ? set->free_counters : PP_EVENTS_MAX;

	sort(set);
	for (uint32_t i = 0; i < set->cnt; i++) {
		set->group[i] = COUNTER_GROUP_SOFTWARE;
		if (!is_hardware(&set->events[i]) || set->events[i].status != COUNTER_OK)
			continue;
		if (in_group == max && last + 1 < PP_GROUPS_MAX) {
			last++;
			in_group = 0;
		}
		set->group[i] = last;
		in_group++;
	}
}

static int begin(const struct sysroot *root, struct counter_set *set)
{
	int err;

	memset(set, 0, sizeof(*set));
	err = counter_cpu__read(root, &set->cpu);
	if (!err)
		set->free_counters = counter_pmu__free(&set->cpu);
	return err;
}

int counter_set__default(const struct sysroot *root, struct counter_set *ret_set)
{
	const char *const *names;
	size_t cnt;
	int err = begin(root, ret_set);

	for (size_t i = 0; i < ARRAY_SIZE(default_software) && !err; i++)
		err = add(root, ret_set, default_software[i], false);
	names = ret_set->cpu.uarch ? default_hardware : generic_hardware;
	cnt = ret_set->cpu.uarch ? ARRAY_SIZE(default_hardware) : ARRAY_SIZE(generic_hardware);
	for (size_t i = 0; i < cnt && !err; i++) {
		/* without a PMU the first two say so */
		bool is_first = i < 2;

		if (ret_set->cnt >=
		    ARRAY_SIZE(default_software) + max_of(ret_set->free_counters, 2u))
			break;
		err = add(root, ret_set, names[i], !is_first);
	}
	if (!err)
		group(ret_set);
	return err;
}

int counter_set__parse(const struct sysroot *root, const char *names, struct counter_set *ret_set,
		       const char **ret_name)
{
	char text[1024], *rest = text, *name;
	int err = begin(root, ret_set);

	*ret_name = "";
	if (err)
		return err;
	if (strlen(names) >= sizeof(text))
		return -E2BIG;
	snprintf(text, sizeof(text), "%s", names);
	while (!err && (name = strsep(&rest, ","))) {
		/* a comma inside of PMU/a=1,b=2/ belongs to the name */
		while (rest && strchr(name, '/') && !strchr(strchr(name, '/') + 1, '/')) {
			rest[-1] = ',';
			rest += strcspn(rest, ",");
			if (*rest)
				*rest++ = '\0';
			else
				rest = NULL;
		}
		err = add(root, ret_set, name, false);
		if (err) { /* kept where the caller can read it */
			struct counter_event *event =
				&ret_set->events[ret_set->cnt < PP_EVENTS_MAX ? ret_set->cnt : 0];

			snprintf(event->name, sizeof(event->name), "%.*s",
				 (int)sizeof(event->name) - 1, name);
			*ret_name = event->name;
		}
	}
	if (!err)
		group(ret_set);
	return err;
}
