/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sources: which programs are attached to what. A link exists exactly while its source is on; idle means
 * none, and no perf event open. Closing is as cheap as disabling, so off is closed.
 */
#include "internal.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pp/base/cleanup.h"

#include "pulseprof.skel.h"

/*
 * A perf link where the kernel has them (5.15), so that link list shows it; else the ioctl, whose
 * attachment ends with the event. Delete the ioctl when the floor is 5.15.
 */
static int event__attach(int prog_fd, int event_fd, int *ret_link_fd)
{
	int fd = bpf_link_create(prog_fd, event_fd, BPF_PERF_EVENT, NULL);

	if (fd >= 0) {
		*ret_link_fd = fd;
		return 0;
	}
	if (ioctl(event_fd, PERF_EVENT_IOC_SET_BPF, prog_fd))
		return -errno;
	*ret_link_fd = -1;
	return 0;
}

static int sample__on(struct collect *self, const char **ret_why)
{
	int prog_fd = bpf_program__fd(self->sampler);
	int err = perf_set__open(&self->events, self->root, &self->clock);

	if (err) {
		*ret_why = "perf events cannot be opened: permission or kernel.perf_event_paranoid";
		return err;
	}
	self->link_fds = malloc(self->events.cnt * sizeof(*self->link_fds));
	if (!self->link_fds)
		return -ENOMEM;
	for (uint32_t i = 0; i < self->events.cnt; i++)
		self->link_fds[i] = -1;
	for (uint32_t i = 0; i < self->events.cnt; i++) {
		err = event__attach(prog_fd, self->events.fds[i], &self->link_fds[i]);
		if (err) {
			*ret_why = "the program cannot be attached to a perf event";
			return err;
		}
	}
	return perf_set__enable(&self->events);
}

static void sample__off(struct collect *self)
{
	for (uint32_t i = 0; self->link_fds && i < self->events.cnt; i++)
		if (self->link_fds[i] >= 0)
			close(self->link_fds[i]);
	free(take_ptr(self->link_fds));
	perf_set__close(&self->events);
}

/* Forks and exits matter only to a filter by process. */
static int proc__on(struct collect *self, const char **ret_why)
{
	if (!self->spec.pid_cnt)
		return 0;
	self->exit_link = bpf_program__attach(self->skel->progs.pp_exit);
	if (self->exit_link && self->spec.children)
		self->fork_link = bpf_program__attach(self->skel->progs.pp_fork);
	if (!self->exit_link || (self->spec.children && !self->fork_link)) {
		*ret_why = "raw tracepoints for fork and exit cannot be attached";
		return -errno;
	}
	return 0;
}

/* Only for the tables: without it the first sample of a new image is not complete. */
static void exec__on(struct collect *self)
{
	if (self->has_tables)
		self->exec_link = bpf_program__attach(self->skel->progs.pp_exec);
}

static void proc__off(struct collect *self)
{
	bpf_link__destroy(take_ptr(self->exec_link));
	bpf_link__destroy(take_ptr(self->fork_link));
	bpf_link__destroy(take_ptr(self->exit_link));
}

int sources__on(struct collect *self, const char **ret_why)
{
	int err = proc__on(self, ret_why);

	if (!err)
		err = sample__on(self, ret_why);
	if (!err)
		exec__on(self);
	if (err)
		sources__off(self);
	return err;
}

void sources__off(struct collect *self)
{
	sample__off(self);
	proc__off(self);
}
