/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom options name. The processes of --pid: whether they are there before anything is loaded, when the last one
 * has ended, and how much CPU time they used, which tells why a profile is empty. A pid that was given
 * to another process meanwhile is not taken for the first.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/proc.h"
#include "run.h"

static int add_group(struct session_spec *spec, const char *kind, const char *names,
		     const char **ret_why)
{
	char *text _auto_free_ = NULL;

	if (asprintf(&text, "%s:%s", kind, names) < 0)
		return -ENOMEM;
	return session_spec__add_group(spec, text, ret_why);
}

bool target__is_option(int id)
{
	return id >= TARGET_PID && id <= TARGET_NAMESPACE;
}

int target__take(struct session_spec *spec, int id, const char *value, const char **ret_why)
{
	switch (id) {
	case TARGET_CHILDREN: spec->children = true; return 0;
	case TARGET_PID: return session_spec__add_pid(spec, value, ret_why);
	case TARGET_COMM: return session_spec__add_comm(spec, value, ret_why);
	case TARGET_CGROUP: return session_spec__add_cgroup(spec, value, ret_why);
	case TARGET_CONTAINER: return add_group(spec, "container", value, ret_why);
	case TARGET_POD: return add_group(spec, "pod", value, ret_why);
	case TARGET_WORKLOAD: return add_group(spec, "workload", value, ret_why);
	case TARGET_NAMESPACE: return add_group(spec, "namespace", value, ret_why);
	default: return 0;
	}
}

static int pidfd_open(uint32_t pid)
{
	long fd = syscall(SYS_pidfd_open, (pid_t)pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

static int open_target(struct targets *self, struct cli *cli, uint32_t pid)
{
	uint32_t i = self->cnt;
	struct proc_stat stat;
	struct pollfd ended;
	int err;

	err = proc__stat(&cli->root, pid, &stat);
	if (err)
		return cli__fail(cli, CLI_FAILED, -ESRCH, NULL, "no process has the id %u", pid);
	self->pids[i] = pid;
	self->start_ticks[i] = stat.start_ticks;
	self->cpu_ticks[i] = stat.cpu_ticks;
	self->fds[i] = pidfd_open(pid);
	self->cnt++;
	/* -EINVAL up to 6.14, -ENOENT since: it is there, but it is not a process. */
	if (self->fds[i] == -EINVAL || self->fds[i] == -ENOENT)
		return cli__fail(cli, CLI_FAILED, -ESRCH,
				 "give its process, or its name with --comm",
				 "%u ('%s') is a thread, not a process", pid, stat.comm);
	if (self->fds[i] == -ESRCH)
		return cli__fail(cli, CLI_FAILED, -ESRCH, NULL, "no process has the id %u", pid);
	if (self->fds[i] < 0)
		return 0; /* its end will not be noticed, no more */
	ended = (struct pollfd){ .fd = self->fds[i], .events = POLLIN };
	if (poll(&ended, 1, 0) == 1)
		return cli__fail(cli, CLI_FAILED, -ESRCH, NULL, "process %u ('%s') has ended", pid,
				 stat.comm);
	return 0;
}

int targets__open(struct targets *self, struct cli *cli, const struct session_spec *spec)
{
	size_t cnt = spec->pid_cnt ? spec->pid_cnt : 1;

	memset(self, 0, sizeof(*self));
	self->pids = calloc(cnt, sizeof(*self->pids));
	self->fds = calloc(cnt, sizeof(*self->fds));
	self->start_ticks = calloc(cnt, sizeof(*self->start_ticks));
	self->cpu_ticks = calloc(cnt, sizeof(*self->cpu_ticks));
	if (!self->pids || !self->fds || !self->start_ticks || !self->cpu_ticks)
		return cli__fail(cli, CLI_FAILED, -ENOMEM, NULL, "out of memory");
	for (uint32_t i = 0; i < spec->pid_cnt; i++) {
		int code = open_target(self, cli, spec->pids[i]);

		if (code)
			return code;
	}
	return 0;
}

void targets__close(struct targets *self)
{
	for (uint32_t i = 0; i < self->cnt; i++) {
		if (self->fds[i] >= 0)
			close(self->fds[i]);
	}
	free(self->pids);
	free(self->fds);
	free(self->start_ticks);
	free(self->cpu_ticks);
	memset(self, 0, sizeof(*self));
}

bool targets__have_ended(const struct targets *self)
{
	for (uint32_t i = 0; i < self->cnt; i++) {
		struct pollfd ended = { .fd = self->fds[i], .events = POLLIN };

		if (poll(&ended, 1, 0) != 1)
			return false;
	}
	return self->cnt > 0;
}

void targets__used(const struct targets *self, const struct sysroot *root, uint64_t *ret_cpu_ns,
		   uint32_t *ret_alive)
{
	uint64_t ticks = 0;
	uint32_t alive = 0;
	long tick_hz = sysconf(_SC_CLK_TCK);

	for (uint32_t i = 0; i < self->cnt; i++) {
		struct proc_stat stat;

		if (proc__stat(root, self->pids[i], &stat) ||
		    stat.start_ticks != self->start_ticks[i])
			continue;
		alive++;
		ticks += stat.cpu_ticks - self->cpu_ticks[i];
	}
	*ret_cpu_ns = ticks * 1000000000ull / (uint64_t)(tick_hz > 0 ? tick_hz : 100);
	*ret_alive = alive;
}
