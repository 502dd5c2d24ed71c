/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wish as data: defaults, ranges, comparison. Lists are kept ascending and distinct and unused
 * places zero, so that equal wishes are equal structs whatever the order they were said in.
 */
#include "pp/spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x
#define PID_MAX	    4194304 /* PID_MAX_LIMIT of 64-bit kernels, include/linux/threads.h */

void session_spec__init(struct session_spec *self)
{
	memset(self, 0, sizeof(*self));
	self->rate_hz = SPEC_RATE_DEFAULT_HZ;
}

bool session_spec__equal(const struct session_spec *a, const struct session_spec *b)
{
	return a->rate_hz == b->rate_hz && a->duration_s == b->duration_s &&
	       a->continuous == b->continuous && a->idle == b->idle && a->children == b->children &&
	       a->inlined == b->inlined && a->counters == b->counters && a->pid_cnt == b->pid_cnt &&
	       a->comm_cnt == b->comm_cnt && a->cgroup_cnt == b->cgroup_cnt &&
	       a->group_cnt == b->group_cnt && !strcmp(a->event, b->event) &&
	       !memcmp(a->pids, b->pids, a->pid_cnt * sizeof(a->pids[0])) &&
	       !memcmp(a->comms, b->comms, a->comm_cnt * sizeof(a->comms[0])) &&
	       !memcmp(a->cgroups, b->cgroups, a->cgroup_cnt * sizeof(a->cgroups[0])) &&
	       !memcmp(a->groups, b->groups, a->group_cnt * sizeof(a->groups[0]));
}

int spec_refuse(int err, const char *why, const char **ret_why)
{
	if (ret_why)
		*ret_why = why;
	return err;
}

int spec_set_rate_num(struct session_spec *self, int64_t rate_hz, const char **ret_why)
{
	if (rate_hz < SPEC_RATE_MIN_HZ || rate_hz > SPEC_RATE_MAX_HZ)
		return spec_refuse(-EINVAL,
				   "the rate must be a whole number of Hz from " TEXT_OF(
					   SPEC_RATE_MIN_HZ) " to " TEXT_OF(SPEC_RATE_MAX_HZ),
				   ret_why);
	self->rate_hz = (uint32_t)rate_hz;
	return 0;
}

int session_spec__set_event(struct session_spec *self, const char *text, const char **ret_why)
{
	size_t len = strlen(text);

	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("\"'\\", *c))
			len = 0;
	if (!len || len >= sizeof(self->event))
		return spec_refuse(-EINVAL, "an event is a word of at most 63 printable characters",
				   ret_why);
	memset(self->event, 0, sizeof(self->event));
	memcpy(self->event, text, len);
	return 0;
}

int spec_set_duration_num(struct session_spec *self, int64_t duration_s, const char **ret_why)
{
	if (duration_s < 1 || duration_s > SPEC_DURATION_MAX_S)
		return spec_refuse(
			-EINVAL,
			"the duration must be from 1 to " TEXT_OF(SPEC_DURATION_MAX_S) " seconds",
			ret_why);
	self->duration_s = (uint32_t)duration_s;
	return 0;
}

int session_spec__add_pid_num(struct session_spec *self, int64_t pid, const char **ret_why)
{
	uint32_t i = 0;

	if (pid < 1 || pid > PID_MAX)
		return spec_refuse(-EINVAL, "a pid is a whole number from 1 to " TEXT_OF(PID_MAX),
				   ret_why);
	while (i < self->pid_cnt && self->pids[i] < pid)
		i++;
	if (i < self->pid_cnt && self->pids[i] == pid)
		return 0;
	if (self->pid_cnt == SPEC_PIDS_MAX)
		return spec_refuse(-E2BIG, "at most " TEXT_OF(SPEC_PIDS_MAX) " pids can be named",
				   ret_why);
	memmove(&self->pids[i + 1], &self->pids[i], (self->pid_cnt - i) * sizeof(self->pids[0]));
	self->pids[i] = (uint32_t)pid;
	self->pid_cnt++;
	return 0;
}

/* Adds a text to a list that is ascending, distinct and zero-padded. False: it is full. */
static bool add_text(char *rows, size_t row_bytes, uint32_t max, uint32_t *cnt, const char *text)
{
	uint32_t i = 0;

	while (i < *cnt && strcmp(rows + i * row_bytes, text) < 0)
		i++;
	if (i < *cnt && !strcmp(rows + i * row_bytes, text))
		return true;
	if (*cnt == max)
		return false;
	memmove(rows + (i + 1) * row_bytes, rows + i * row_bytes, (*cnt - i) * row_bytes);
	memset(rows + i * row_bytes, 0, row_bytes);
	memcpy(rows + i * row_bytes, text, strlen(text));
	++*cnt;
	return true;
}

int session_spec__add_comm(struct session_spec *self, const char *text, const char **ret_why)
{
	char comm[SPEC_COMM_BYTES] = "";

	if (!*text)
		return spec_refuse(-EINVAL, "the name of a thread is empty", ret_why);
	memcpy(comm, text, strnlen(text, SPEC_COMM_BYTES - 1));
	if (!add_text(self->comms[0], SPEC_COMM_BYTES, SPEC_COMMS_MAX, &self->comm_cnt, comm))
		return spec_refuse(-E2BIG,
				   "at most " TEXT_OF(SPEC_COMMS_MAX) " thread names can be named",
				   ret_why);
	return 0;
}

/* Slashes as the kernel writes them; nothing leads out of the hierarchy. */
static int canonical_path(const char *text, char path[SPEC_CGROUP_BYTES])
{
	size_t len = 0;

	if (*text != '/')
		return -EINVAL;
	while (*text) {
		size_t part = strcspn(text, "/");

		if ((part == 1 || part == 2) && !strncmp(text, "..", part))
			return -EINVAL;
		if (part && len + 1 + part >= SPEC_CGROUP_BYTES)
			return -EINVAL;
		if (part) {
			path[len++] = '/';
			memcpy(path + len, text, part);
			len += part;
		}
		text += part + (text[part] == '/');
	}
	if (!len)
		path[len++] = '/';
	path[len] = '\0';
	return strchr(path, '\n') ? -EINVAL : 0;
}

int session_spec__add_cgroup(struct session_spec *self, const char *text, const char **ret_why)
{
	char path[SPEC_CGROUP_BYTES];

	if (canonical_path(text, path))
		return spec_refuse(
			-EINVAL,
			"a cgroup is a path from / on, of at most 511 bytes and without .. in it",
			ret_why);
	if (!add_text(self->cgroups[0], SPEC_CGROUP_BYTES, SPEC_CGROUPS_MAX, &self->cgroup_cnt,
		      path))
		return spec_refuse(-E2BIG,
				   "at most " TEXT_OF(SPEC_CGROUPS_MAX) " cgroups can be named",
				   ret_why);
	return 0;
}

/* No name is empty, and there are not too many. */
static bool are_names(const char *names, uint32_t max)
{
	uint32_t cnt = 1;

	if (!*names || strpbrk(names, "\n:"))
		return false;
	for (const char *at = names; *at; at++)
		if (*at == '/' && (at == names || !at[1] || at[1] == '/' || ++cnt > max))
			return false;
	return true;
}

static bool is_group(const char *text)
{
	static const struct {
		const char *name;
		uint32_t names_max;
	} kinds[] = { { "container:", 3 }, { "namespace:", 1 }, { "pod:", 2 }, { "workload:", 2 } };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].name);

		if (!strncmp(text, kinds[i].name, len))
			return strlen(text) < SPEC_GROUP_BYTES &&
			       are_names(text + len, kinds[i].names_max);
	}
	return false;
}

int session_spec__add_group(struct session_spec *self, const char *text, const char **ret_why)
{
	if (!is_group(text))
		return spec_refuse(
			-EINVAL,
			"containers are named as container:[[NAMESPACE/]POD/]NAME,"
			" pod:[NAMESPACE/]NAME, workload:[NAMESPACE/]NAME or namespace:NAME",
			ret_why);
	if (!add_text(self->groups[0], SPEC_GROUP_BYTES, SPEC_GROUPS_MAX, &self->group_cnt, text))
		return spec_refuse(-E2BIG,
				   "at most " TEXT_OF(SPEC_GROUPS_MAX) " groups can be named",
				   ret_why);
	return 0;
}
