/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The local policy: its lists and hours from text, and whether a wish is within it. Each refusal names the
 * setting that stands against it: the operator at the server reads it and knows whom to ask.
 */
#include "pp/spec_policy.h"

#include <errno.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"

#define BLANKS		" ,\t"
#define MINUTES_PER_DAY (24u * 60)

int spec_policy_words__set(struct spec_policy_words *self, const char *text, const char **ret_why)
{
	struct spec_policy_words list = { 0 };
	size_t len;

	for (text += strspn(text, BLANKS); *text; text += len, text += strspn(text, BLANKS)) {
		len = strcspn(text, BLANKS);
		if (len >= SPEC_POLICY_WORD_BYTES || list.cnt == SPEC_POLICY_WORDS_MAX)
			return spec_refuse(-EINVAL, "must be at most 16 words of 47 letters",
					   ret_why);
		memcpy(list.words[list.cnt++], text, len);
	}
	if (list.cnt == 1 && !strcmp(list.words[0], "all"))
		memset(&list, 0, sizeof(list));
	*self = list;
	return 0;
}

static bool words__have(const struct spec_policy_words *self, const char *word)
{
	for (uint32_t i = 0; i < self->cnt; i++) {
		if (!strcmp(self->words[i], word))
			return true;
	}
	return false;
}

int spec_policy__set_targets(struct spec_policy *self, const char *text, const char **ret_why)
{
	struct spec_policy_words list;
	int err = spec_policy_words__set(&list, text, ret_why);
	uint32_t known;
	bool host, pids;

	if (err)
		return err;
	host = words__have(&list, "host");
	pids = words__have(&list, "pids");
	known = (uint32_t)host + (uint32_t)pids;
	if (known != list.cnt)
		return spec_refuse(-EINVAL, "must be host, pids or both", ret_why);
	self->no_host = list.cnt && !host;
	self->no_pids = list.cnt && !pids;
	return 0;
}

/* "HH:MM", two digits each. */
static int parse_minute(const char *text, uint32_t *ret_minute)
{
	int64_t hours, minutes;

	if (text[2] != ':' || spec_parse_digits(text, 2, &hours) ||
	    spec_parse_digits(text + 3, 2, &minutes) || hours > 23 || minutes > 59)
		return -EINVAL;
	*ret_minute = (uint32_t)(hours * 60 + minutes);
	return 0;
}

int spec_policy__set_quiet(struct spec_policy *self, const char *text, const char **ret_why)
{
	uint32_t from = 0, to = 0;

	if (*text && (strlen(text) != 11 || text[5] != '-' || parse_minute(text, &from) ||
		      parse_minute(text + 6, &to) || from == to))
		return spec_refuse(-EINVAL, "must be two times of the day, as 22:00-06:00",
				   ret_why);
	self->quiet_from = from;
	self->quiet_to = to;
	return 0;
}

bool spec_policy__allows_mode(const struct spec_policy *self, const char *mode)
{
	return !self->modes.cnt || words__have(&self->modes, mode);
}

/* Whichever of these is asked for, we sample CPU time. */
static const char *const cpu_events[] = { "cycles", "cpu-cycles", "cpu-clock", "task-clock" };

bool spec_policy__allows_event(const struct spec_policy *self, const char *event)
{
	bool is_cpu = false, allows_cpu = false;

	for (size_t i = 0; i < ARRAY_SIZE(cpu_events); i++) {
		is_cpu = is_cpu || !strcmp(event, cpu_events[i]);
		allows_cpu = allows_cpu || words__have(&self->events, cpu_events[i]);
	}
	return !self->events.cnt || words__have(&self->events, event) || (is_cpu && allows_cpu);
}

bool spec_policy__is_quiet(const struct spec_policy *self, uint32_t minute_of_day)
{
	uint32_t since = (minute_of_day + MINUTES_PER_DAY - self->quiet_from) % MINUTES_PER_DAY;
	uint32_t length = (self->quiet_to + MINUTES_PER_DAY - self->quiet_from) % MINUTES_PER_DAY;

	return since < length;
}

static const char *find_reason(const struct spec_policy *self, const struct session_spec *spec,
			       uint32_t minute_of_day, uint32_t runs)
{
	bool is_single = spec->pid_cnt || spec->cgroup_cnt || spec->group_cnt;

	if (spec_policy__is_quiet(self, minute_of_day))
		return "this host's policy has quiet hours now (policy_quiet_hours)";
	if (!spec_policy__allows_mode(self, "cpu"))
		return "this host's policy does not allow this mode (policy_modes)";
	if (!spec_policy__allows_event(self, spec->event[0] ? spec->event : cpu_events[0]))
		return "this host's policy does not allow this event (policy_events)";
	if (self->no_continuous && spec->continuous)
		return "this host's policy does not allow continuous runs (policy_continuous)";
	if (is_single ? self->no_pids : self->no_host)
		return is_single ?
			       "this host's policy does not allow single processes as target (policy_targets)" :
			       "this host's policy does not allow the whole host as target (policy_targets)";
	if (self->rate_max_hz && spec->rate_hz > self->rate_max_hz)
		return "the rate is above this host's policy (policy_max_frequency)";
	/* 0 is "until stopped" */
	if (self->duration_max_s && (!spec->duration_s || spec->duration_s > self->duration_max_s))
		return "the duration is above this host's policy (policy_max_duration)";
	if (self->runs_max && runs >= self->runs_max)
		return "as many runs as this host's policy allows are going on (policy_max_runs)";
	return NULL;
}

int spec_policy__check(const struct spec_policy *self, const struct session_spec *spec,
		       uint32_t minute_of_day, uint32_t runs, const char **ret_why)
{
	const char *why = find_reason(self, spec, minute_of_day, runs);

	return why ? spec_refuse(-EPERM, why, ret_why) : 0;
}
