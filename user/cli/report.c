/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a run came to: one JSON object (encode's summary and what only the command line knows), which is
 * also what the plain summary is printed from. When there is nothing, it says why.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"
#include "pp/encode.h"
#include "pp/profile.h"
#include "run.h"

/* From here on, being asleep is the first thing to know. */
#define SLEEPY_PCT 90.0

/* How much of the time the processes asked for slept; < 0: not known. */
static double slept_pct(struct cli *cli, const struct report *report)
{
	double duration_ns = (double)report->profile->meta.duration_ns;
	uint64_t cpu_ns;
	uint32_t alive;
	double pct;

	targets__used(report->targets, &cli->root, &cpu_ns, &alive);
	if (!alive || duration_ns <= 0)
		return -1;
	pct = 100.0 * (1.0 - (double)cpu_ns / (duration_ns * alive));
	return pct < 0 ? 0 : pct;
}

static void why_nothing(const struct report *report, char *text, size_t text_bytes)
{
	const struct request *request = report->request;
	const struct profile_account *account = &report->profile->account;

	if (account->lost)
		snprintf(text, text_bytes, "every sample was lost");
	else if (request->spec.comm_cnt)
		snprintf(text, text_bytes, "no thread of %s ran",
			 request->spec.comm_cnt == 1 ? "that name" : "those names");
	else if (request->spec.cgroup_cnt || request->spec.group_cnt)
		snprintf(text, text_bytes, "nothing ran there");
	else if (report->command)
		snprintf(text, text_bytes,
			 "the command used %.1f ms of CPU time: too short for %u samples a second",
			 (double)report->command->cpu_ns / 1e6, request->spec.rate_hz);
	else if (report->targets->cnt)
		snprintf(text, text_bytes, "the process ended before it was sampled");
	else
		snprintf(text, text_bytes, "the CPUs were idle");
}

static void note(struct cli *cli, const struct report *report, char *text, size_t text_bytes)
{
	double pct = report->targets->cnt ? slept_pct(cli, report) : -1;
	uint64_t samples = report->profile->account.accepted;

	text[0] = '\0';
	if (pct >= SLEEPY_PCT || (pct >= 0 && !samples && !report->request->spec.comm_cnt))
		snprintf(text, text_bytes, "%s slept %.1f %% of the time",
			 report->targets->cnt == 1 ? "the process" : "the processes", pct);
	else if (!samples)
		why_nothing(report, text, text_bytes);
	else if (report->end == ENDED_TARGETS)
		snprintf(text, text_bytes, "%s ended, and the profile with it",
			 report->targets->cnt == 1 ? "the process" : "every process");
}

static int add_command(struct json_object *json, const struct command *command)
{
	if (!command->has_ended)
		return json__add_u64(json, "command_goes_on", (uint64_t)command->pid);
	if (WIFSIGNALED(command->status))
		return json__add_int(json, "command_signal", WTERMSIG(command->status));
	return json__add_int(json, "command_exit_status", WEXITSTATUS(command->status));
}

static int make(struct cli *cli, const struct report *report, struct json_object **ret_json)
{
	static const char *const ends[] = {
		[ENDED_DURATION] = "duration",
		[ENDED_SIGNAL] = "signal",
		[ENDED_COMMAND] = "command",
		[ENDED_TARGETS] = "processes",
	};
	_auto_json_ struct json_object *json = NULL;
	char text[256];
	int err = encode__summary(report->profile, &json);

	if (!err)
		err = json__add_str(json, "ended_by", ends[report->end]);
	if (!err && report->command)
		err = add_command(json, report->command);
	note(cli, report, text, sizeof(text));
	if (!err)
		err = json__add_str(json, "note", text);
	if (!err)
		err = json__add_str(json, "format", report->request->format->name);
	if (!err)
		err = json__add_str(json, "output", report->output->path);
	if (!err)
		*ret_json = json__get(json);
	return err;
}

static uint64_t number(struct json_object *json, const char *name)
{
	int64_t value = 0;

	(void)json__get_int(json, name, 0, INT64_MAX, &value); /* not there: 0 */
	return (uint64_t)value;
}

static double fraction(struct json_object *json, const char *name)
{
	double value = 0;

	(void)json__get_double(json, name, &value); /* not there: 0 */
	return value;
}

struct reasons {
	uint64_t sum;
	bool is_printing;
	const char *separator;
};

static int take_reason(void *arg, const char *name, struct json_object *value)
{
	struct reasons *reasons = arg;
	uint64_t cnt = (uint64_t)json__int(value);

	reasons->sum += cnt;
	if (cnt && reasons->is_printing) {
		printf("%s%s %llu", reasons->separator, name, (unsigned long long)cnt);
		reasons->separator = ", ";
	}
	return 0;
}

static void print_reasons(struct json_object *json, const char *title, const char *name)
{
	struct reasons reasons = { 0 };
	struct json_object *object;

	if (json__get_object(json, name, &object))
		return;
	(void)json__each(object, take_reason, &reasons); /* never stops it */
	printf("  %-12s %llu", title, (unsigned long long)reasons.sum);
	reasons.is_printing = true;
	reasons.separator = ": ";
	(void)json__each(object, take_reason, &reasons);
	printf("\n");
}

static void print_amount(uint64_t cnt, const char *one, const char *many, const char *after)
{
	printf("%llu %s%s", (unsigned long long)cnt, cnt == 1 ? one : many, after);
}

/* Only what is neither complete nor told before. */
static int take_end(void *arg, const char *name, struct json_object *value)
{
	static const char *const told[] = { "no_user_stack", "complete", "jit_code",
					    "jit_code_incomplete" };

	for (size_t i = 0; i < ARRAY_SIZE(told); i++)
		if (!strcmp(name, told[i]))
			return 0;
	return take_reason(arg, name, value);
}

static void print_incomplete(struct json_object *json)
{
	struct reasons reasons = { 0 };
	struct json_object *ends;

	if (json__get_object(json, "user_stack_ends", &ends))
		return;
	(void)json__each(ends, take_end, &reasons); /* never stops it */
	if (!reasons.sum)
		return;
	printf("  %-12s %llu", "incomplete", (unsigned long long)reasons.sum);
	reasons.is_printing = true;
	reasons.separator = ": ";
	(void)json__each(ends, take_end, &reasons);
	printf("\n");
}

static void print_names(struct json_object *json)
{
	struct reasons reasons = { .is_printing = true, .separator = "; " };
	struct json_object *why;

	if (!number(json, "frames") || json__get_object(json, "frames_unnamed", &why))
		return;
	printf("  %-12s %llu, %.1f %% with a name", "frames",
	       (unsigned long long)number(json, "frames"), fraction(json, "frames_named_pct"));
	(void)json__each(why, take_reason, &reasons); /* never stops it */
	printf("\n");
}

static void print_tables(struct json_object *json)
{
	struct json_object *tables;

	if (json__get_object(json, "unwind_tables", &tables)) {
		const char *why = "";

		(void)json__get_str(json, "unwind_tables_off", &why); /* not there: "" */
		printf("  %-12s none, by frame pointers only%s%s%s\n", "unwound", *why ? " (" : "",
		       why, *why ? ")" : "");
		return;
	}
	printf("  %-12s by %llu pages of tables, %.1f MB in the kernel; %llu converted, %llu from the "
	       "cache\n",
	       "unwound", (unsigned long long)number(tables, "pages"),
	       (double)number(tables, "kernel_bytes") / 1e6,
	       (unsigned long long)number(tables, "pages_converted"),
	       (unsigned long long)number(tables, "pages_from_cache"));
}

static void print_counts(struct json_object *json)
{
	uint64_t expected = number(json, "expected"), missed = number(json, "missed");
	const char *clock = "";

	(void)json__get_str(json, "clock", &clock); /* not there: "" */
	print_amount(number(json, "samples"), "sample", "samples", ", ");
	print_amount(number(json, "processes"), "process", "processes", ", ");
	print_amount(number(json, "stacks"), "stack", "stacks", "\n");
	if (number(json, "period"))
		printf("  %-12s %.1f s, %s, a sample each %llu\n", "duration",
		       fraction(json, "duration_s"), clock,
		       (unsigned long long)number(json, "period"));
	else
		printf("  %-12s %.1f s at %llu Hz, %s\n", "duration", fraction(json, "duration_s"),
		       (unsigned long long)number(json, "rate_hz"), clock);
	printf("  %-12s %llu", "user stacks", (unsigned long long)number(json, "user_stacks"));
	if (number(json, "user_stacks"))
		printf(", %.1f %% complete", fraction(json, "user_stacks_complete_pct"));
	if (number(json, "user_stacks_jit"))
		printf(", %.1f %% through JIT code",
		       100.0 * (double)number(json, "user_stacks_jit") /
			       (double)number(json, "user_stacks"));
	printf("\n");
	print_incomplete(json);
	print_names(json);
	print_tables(json);
	printf("  %-12s %llu, %.2f %% of %llu expected", "missed", (unsigned long long)missed,
	       expected ? 100.0 * (double)missed / (double)expected : 0.0,
	       (unsigned long long)expected);
	if (number(json, "missed_idle"))
		printf(" (%llu on idle CPUs)", (unsigned long long)number(json, "missed_idle"));
	printf("\n");
	print_reasons(json, "lost", "lost");
	print_reasons(json, "filtered", "filtered_by");
	printf("  %-12s ", "own cost");
	if (number(json, "kernel_ns_per_sample"))
		printf("%llu ns a sample in the kernel, ",
		       (unsigned long long)number(json, "kernel_ns_per_sample"));
	printf("%.0f ms CPU, %.1f MB memory at most\n", fraction(json, "user_cpu_ms"),
	       (double)number(json, "rss_peak_bytes") / 1e6);
}

static void print_plain(struct json_object *json)
{
	const char *text = "";
	char safe[4400];
	int64_t value;

	print_counts(json);
	if (!json__get_int(json, "command_exit_status", 0, 255, &value) && value)
		printf("  %-12s exited with %lld\n", "command", (long long)value);
	if (!json__get_int(json, "command_signal", 0, 255, &value))
		printf("  %-12s ended by signal %lld\n", "command", (long long)value);
	if (!json__get_int(json, "command_goes_on", 0, INT32_MAX, &value))
		printf("  %-12s goes on as process %lld\n", "command", (long long)value);
	if (!json__get_str(json, "note", &text) && *text)
		printf("  %-12s %s\n", "note", text);
	if (!json__get_str(json, "output", &text) && strcmp(text, "-"))
		printf("  %-12s %s\n", "written to", view__safe(text, safe, sizeof(safe)));
}

int report__print(struct cli *cli, const struct report *report)
{
	_auto_json_ struct json_object *json = NULL;
	int err = make(cli, report, &json);

	if (err)
		return err;
	if (cli->json)
		view__print_json(cli, json);
	else
		print_plain(json);
	return 0;
}
