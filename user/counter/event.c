/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an event's name means here. Our own keys are those of the table, by this CPU; the kernel's generic events are what
 * is left, and say what the kernel counts under that name: "cache-misses" are the last level's on Intel, those of L2 on
 * AMD and of L1 on Arm (arch/x86/events/{intel,amd}/core.c, drivers/perf/arm_pmuv3.c).
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"

#define PROBE_NS       2000000
#define FREE_MAX       32
#define PERIOD_DEFAULT 100003 /* odd ones fall into step with no loop */

static const struct {
	const char *name;
	uint64_t config;
	uint64_t period;
	const char *what;
} software[] = {
	{ "cpu-clock", PERF_COUNT_SW_CPU_CLOCK, 10101010, "ns of each CPU" },
	{ "task-clock", PERF_COUNT_SW_TASK_CLOCK, 10101010, "ns of tasks" },
	{ "page-faults", PERF_COUNT_SW_PAGE_FAULTS, 1, "minor and major" },
	{ "context-switches", PERF_COUNT_SW_CONTEXT_SWITCHES, 1, "a task leaves its CPU" },
	{ "cpu-migrations", PERF_COUNT_SW_CPU_MIGRATIONS, 1, "a task comes from another CPU" },
	{ "minor-faults", PERF_COUNT_SW_PAGE_FAULTS_MIN, 1, "pages that were in memory" },
	{ "major-faults", PERF_COUNT_SW_PAGE_FAULTS_MAJ, 1, "pages that were read" },
	{ "alignment-faults", PERF_COUNT_SW_ALIGNMENT_FAULTS, 1, "mended by the kernel" },
	{ "emulation-faults", PERF_COUNT_SW_EMULATION_FAULTS, 1, "mended by the kernel" },
};

static const struct {
	const char *name; /* as perf has it */
	const char *key; /* of the table, where it means the same; NULL: always the kernel's choice */
	uint64_t config;
	uint64_t period;
	const char *what[3]; /* Intel, AMD, Arm; NULL: not there */
} generic[] = {
	{ "cycles", "cycles", PERF_COUNT_HW_CPU_CYCLES, 10000019, { "cycles", "cycles", "cycles" } },
	{ "instructions",
	  "instructions",
	  PERF_COUNT_HW_INSTRUCTIONS,
	  1000000,
	  { "retired", "retired", "retired" } },
	{ "branches",
	  "branches",
	  PERF_COUNT_HW_BRANCH_INSTRUCTIONS,
	  1000003,
	  { "retired", "retired", "retired" } },
	{ "branch-instructions",
	  NULL,
	  PERF_COUNT_HW_BRANCH_INSTRUCTIONS,
	  1000003,
	  { "retired", "retired", "retired" } },
	{ "branch-misses",
	  NULL,
	  PERF_COUNT_HW_BRANCH_MISSES,
	  50021,
	  { "retired", "retired", "speculative" } },
	{ "cache-references",
	  NULL,
	  PERF_COUNT_HW_CACHE_REFERENCES,
	  1000003,
	  { "last level's", "of L2", "of L1 data" } },
	{ "cache-misses",
	  NULL,
	  PERF_COUNT_HW_CACHE_MISSES,
	  100003,
	  { "last level's", "of L2", "of L1 data" } },
	{ "stalled-cycles-frontend",
	  NULL,
	  PERF_COUNT_HW_STALLED_CYCLES_FRONTEND,
	  1000003,
	  { "cycles", "cycles", "cycles" } },
	{ "stalled-cycles-backend",
	  NULL,
	  PERF_COUNT_HW_STALLED_CYCLES_BACKEND,
	  1000003,
	  { "cycles", "cycles", "cycles" } },
	{ "ref-cycles",
	  NULL,
	  PERF_COUNT_HW_REF_CPU_CYCLES,
	  10000019,
	  { "at the TSC's rate", "at P0's rate", NULL } },
	{ "bus-cycles", NULL, PERF_COUNT_HW_BUS_CYCLES, 1000003, { "bus", NULL, "bus" } },
};

static const char *const status_names[] = {
	[COUNTER_OK] = "ok",
	[COUNTER_MULTIPLEXED] = "multiplexed",
	[COUNTER_NOT_COUNTED] = "not_counted",
	[COUNTER_NOT_SUPPORTED] = "not_supported",
	[COUNTER_NOT_PERMITTED] = "not_permitted",
	[COUNTER_WRONG_SCOPE] = "wrong_scope",
	[COUNTER_SUSPECT] = "suspect",
	[COUNTER_MISSING_INPUT] = "missing_input",
	[COUNTER_DISABLED] = "disabled",
};

const char *counter_status__name(enum counter_status self)
{
	return status_names[self];
}

static void refuse(struct counter_event *self, enum counter_status status, const char *why)
{
	self->status = status;
	self->why = why;
}

void counter_event__refused(struct counter_event *self, int err)
{
	switch (-err) {
	case EACCES:
	case EPERM:
		refuse(self, COUNTER_NOT_PERMITTED,
		       "kernel.perf_event_paranoid, a missing CAP_PERFMON or a seccomp filter forbids it");
		return;
	case EMFILE:
		refuse(self, COUNTER_NOT_COUNTED, "too many open files (RLIMIT_NOFILE)");
		return;
	case EBUSY: refuse(self, COUNTER_NOT_COUNTED, "another user holds the counters"); return;
	default:
		refuse(self, COUNTER_NOT_SUPPORTED,
		       self->is_software ? "this kernel does not count it" :
		       !self->has_pmu	 ? COUNTER_NO_PMU :
					   "the kernel has no such event on this CPU");
	}
}

static void set_what(struct counter_event *self, const char *text)
{
	snprintf(self->what, sizeof(self->what), "%s", text);
}

static bool find_software(const char *name, struct counter_event *event)
{
	for (size_t i = 0; i < ARRAY_SIZE(software); i++) {
		if (strcmp(name, software[i].name))
			continue;
		event->code = (struct perf_code){ .type = PERF_TYPE_SOFTWARE,
						  .config = software[i].config };
		event->is_software = true;
		/* The kernel counts the switch behind its tracepoint, for who comes next. */
		event->is_own = software[i].config == PERF_COUNT_SW_CONTEXT_SWITCHES;
		event->period = software[i].period;
		set_what(event, software[i].what);
		return true;
	}
	return false;
}

static bool find_generic(const struct counter_cpu *cpu, const char *name,
			 struct counter_event *event)
{
	int vendor = !strncmp(cpu->id, "GenuineIntel", 12) ? 0 :
		     !strncmp(cpu->id, "AuthenticAMD", 12) ? 1 :
							     2;

	for (size_t i = 0; i < ARRAY_SIZE(generic); i++) {
		const char *what = generic[i].what[vendor];

		if (strcmp(name, generic[i].name))
			continue;
		event->code = (struct perf_code){ .type = PERF_TYPE_HARDWARE,
						  .config = generic[i].config };
		event->period = generic[i].period;
		snprintf(event->what, sizeof(event->what), "the kernel's choice: %s",
			 what ? what : "none");
		return true;
	}
	return false;
}

static int note_key(void *arg, const char *key)
{
	return !strcmp(arg, key);
}

/* A key of the table: 0 also if this CPU has it not (status). -ENOENT: no key of any CPU. */
static int find_key(const struct sysroot *root, const struct counter_cpu *cpu, const char *name,
		    struct counter_event *event)
{
	struct encoding encoding;
	char key[PERF_NAME_BYTES], terms[32];
	int err;

	snprintf(key, sizeof(key), "%s", name);
	if (!encodings__each_key(note_key, key))
		return -ENOENT;
	event->period = PERIOD_DEFAULT;
	if (!cpu->pmu[0] || !cpu->uarch || encoding__find(cpu->uarch, key, &encoding)) {
		refuse(event, COUNTER_NOT_SUPPORTED,
		       !cpu->pmu[0] ? COUNTER_NO_PMU :
		       !cpu->uarch  ? "the encodings of this CPU are not known" :
				      "this CPU has no such event");
		return 0;
	}
	snprintf(event->what, sizeof(event->what), "%s", encoding.event_name);
	if (!encoding.is_available || !encoding.is_core) {
		refuse(event, encoding.is_available ? COUNTER_WRONG_SCOPE : COUNTER_NOT_SUPPORTED,
		       encoding.is_available ? "counted outside of the cores: of no task" :
					       "this CPU has no such event");
		return 0;
	}
	snprintf(terms, sizeof(terms), "config=0x%llx", (unsigned long long)encoding.config);
	err = perf_pmu__encode(root, cpu->pmu, terms, &event->code);
	if (err)
		refuse(event, COUNTER_NOT_SUPPORTED,
		       "the kernel's description of the PMU is damaged");
	return 0;
}

/* "raw:0x1c2": of the CPU's own PMU. */
static int find_raw(const char *text, struct counter_event *event)
{
	char *end;
	uint64_t config = strtoull(text, &end, 16);

	if (end == text || *end)
		return -EINVAL;
	event->code = (struct perf_code){ .type = PERF_TYPE_RAW, .config = config };
	event->period = PERIOD_DEFAULT;
	set_what(event, "raw code of this CPU's PMU");
	return 0;
}

static int find_tracepoint(const struct sysroot *root, const char *name,
			   struct counter_event *event)
{
	uint64_t id;
	int err = perf_tracepoint__id(root, name, &id);

	if (!strchr(name, ':'))
		return -EINVAL;
	event->period = 1;
	event->is_software = true;
	set_what(event, "tracepoint of the kernel");
	if (err)
		refuse(event, err == -EACCES ? COUNTER_NOT_PERMITTED : COUNTER_NOT_SUPPORTED,
		       err == -EACCES ? "tracefs may not be read" :
					"no such tracepoint, or no tracefs on this kernel");
	else
		event->code = (struct perf_code){ .type = PERF_TYPE_TRACEPOINT, .config = id };
	return 0;
}

/* "PMU/TERMS/" or "PMU/ALIAS/". */
static int find_pmu(const struct sysroot *root, const char *name, struct counter_event *event)
{
	const char *slash = strchr(name, '/');
	char pmu[PERF_NAME_BYTES], terms[PERF_NAME_BYTES];
	size_t len = slash ? strlen(slash + 1) : 0;
	int err;

	if (!slash || slash == name || len < 2 || slash[len] != '/' ||
	    strchr(slash + 1, '/') != slash + len)
		return -EINVAL;
	snprintf(pmu, sizeof(pmu), "%.*s", (int)(slash - name), name);
	snprintf(terms, sizeof(terms), "%.*s", (int)len - 1, slash + 1);
	event->period = PERIOD_DEFAULT;
	set_what(event, "by the PMU's own names");
	err = perf_pmu__encode_alias(root, pmu, terms, &event->code);
	if (err == -ENOENT)
		err = perf_pmu__encode(root, pmu, terms, &event->code);
	if (err == -ENOENT)
		refuse(event, COUNTER_NOT_SUPPORTED, "no such PMU");
	else if (err)
		refuse(event, COUNTER_NOT_SUPPORTED, "the PMU has no such event or term");
	return 0;
}

static const char *table_key_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(generic); i++)
		if (generic[i].key && !strcmp(name, generic[i].name))
			return generic[i].key;
	return NULL;
}

int counter_event__find(const struct sysroot *root, const struct counter_cpu *cpu, const char *name,
			struct counter_event *ret_event)
{
	struct counter_event event = { .why = "", .has_pmu = cpu->pmu[0] != 0 };
	const char *key = table_key_of(name);
	int err = 0;

	if (strlen(name) >= sizeof(event.name))
		return -EINVAL;
	snprintf(event.name, sizeof(event.name), "%s", name);
	if (!strncmp(name, "raw:", 4)) {
		err = find_raw(name + 4, &event);
	} else if (!strncmp(name, "tracepoint:", 11)) {
		err = find_tracepoint(root, name + 11, &event);
	} else if (strchr(name, '/')) {
		err = find_pmu(root, name, &event);
	} else if (!find_software(name, &event) && !find_generic(cpu, name, &event)) {
		err = find_key(root, cpu, name, &event);
	} else if (key && cpu->uarch && cpu->pmu[0]) {
		uint64_t period = event.period;

		err = find_key(root, cpu, key, &event);
		event.period = period;
	}
	if (err)
		return -EINVAL;
	*ret_event = event;
	return 0;
}

/* Work that moves what can be moved: instructions, branches, memory, a page. */
static void do_work(uint64_t until_ns)
{
	volatile uint64_t sum = 0;
	volatile char *page = malloc(1u << 20);

	while (clock_mono_ns() < until_ns)
		for (uint32_t i = 0; i < 4096; i++) {
			sum += i & 1 ? sum >> 1 : i;
			if (page)
				page[(i * 4096 + i) & 0xfffff] = (char)sum;
		}
	free((void *)page);
}

void counter_event__probe(struct counter_event *self)
{
	bool must_count = !self->is_software && self->code.type != PERF_TYPE_TRACEPOINT;
	struct perf_reading reading;
	int fd, err;

	if (self->status != COUNTER_OK)
		return;
	err = perf_counter__open(&self->code, 0, -1, -1, &fd);
	if (err) {
		counter_event__refused(self, err);
		return;
	}
	do_work(clock_mono_ns() + PROBE_NS);
	err = perf_counter__read(fd, &reading);
	close(fd);
	if (err)
		counter_event__refused(self, err);
	else if (!reading.running_ns)
		refuse(self, COUNTER_NOT_COUNTED, "the counters are taken: it was on none of them");
	else if (!reading.value && must_count)
		refuse(self, COUNTER_SUSPECT, "it opens, and counts nothing while this CPU works");
}

struct each_name {
	int (*fn)(void *arg, const char *name);
	void *arg;
};

static int each_key(void *arg, const char *key)
{
	const struct each_name *each = arg;

	return table_key_of(key) ? 0 : each->fn(each->arg, key); /* those are named already */
}

int counter_events__each_name(int (*fn)(void *arg, const char *name), void *arg)
{
	struct each_name each = { fn, arg };
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(software) && !ret; i++)
		ret = fn(arg, software[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(generic) && !ret; i++)
		ret = fn(arg, generic[i].name);
	return ret ?: encodings__each_key(each_key, &each);
}

/*
 * More than fit take turns, from one tick to the next: those that were on all the time, up to the first that was not, have
 * a counter each. 0: a tick came between.
 */
static uint32_t count_free(const int *fds, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++) {
		struct perf_reading reading;

		if (perf_counter__read(fds[i], &reading) || !reading.running_ns ||
		    reading.running_ns != reading.enabled_ns)
			return i;
	}
	return cnt;
}

uint32_t counter_pmu__free(const struct counter_cpu *cpu)
{
	const struct perf_code code = { .type = PERF_TYPE_HARDWARE,
					.config = PERF_COUNT_HW_INSTRUCTIONS };
	uint32_t free_cnt = 0;

	for (int tries = 0; tries < 3 && !free_cnt && cpu->pmu[0]; tries++) {
		int fds[FREE_MAX];
		uint32_t cnt = 0;

		while (cnt < FREE_MAX && !perf_counter__open(&code, 0, -1, -1, &fds[cnt]))
			cnt++;
		do_work(clock_mono_ns() + PROBE_NS);
		free_cnt = count_free(fds, cnt);
		for (uint32_t i = 0; i < cnt; i++)
			close(fds[i]);
	}
	return free_cnt;
}
