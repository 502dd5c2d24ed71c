/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sources: which programs are attached to what, for one run and for all. A link exists exactly while its source is on; idle means
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

static int sample__on(struct collect *self, struct slot *slot, const char **ret_why)
{
	struct bpf_program *const in_front[] = { self->skel->progs.pp_event_0,
						 self->skel->progs.pp_event_1,
						 self->skel->progs.pp_event_2,
						 self->skel->progs.pp_event_3 };
	struct bpf_program *prog = slot->clock.is_event ? in_front[slot - self->slots] :
							  self->sampler;
	int prog_fd = bpf_program__fd(prog);
	int err = perf_set__open(&slot->events, self->root, &slot->clock);

	if (err) {
		*ret_why = "perf events cannot be opened: permission or kernel.perf_event_paranoid";
		return err;
	}
	slot->link_fds = malloc(slot->events.cnt * sizeof(*slot->link_fds));
	if (!slot->link_fds)
		return -ENOMEM;
	for (uint32_t i = 0; i < slot->events.cnt; i++)
		slot->link_fds[i] = -1;
	for (uint32_t i = 0; i < slot->events.cnt; i++) {
		err = event__attach(prog_fd, slot->events.fds[i], &slot->link_fds[i]);
		if (err) {
			*ret_why = "the program cannot be attached to a perf event";
			return err;
		}
	}
	return perf_set__enable(&slot->events);
}

static void sample__off(struct slot *self)
{
	for (uint32_t i = 0; self->link_fds && i < self->events.cnt; i++)
		if (self->link_fds[i] >= 0)
			close(self->link_fds[i]);
	free(take_ptr(self->link_fds));
	perf_set__close(&self->events);
}

static int link__fit(struct bpf_link **link, struct bpf_program *prog, bool is_wanted)
{
	if (!is_wanted)
		bpf_link__destroy(take_ptr(*link));
	else if (!*link)
		*link = bpf_program__attach(prog);
	return is_wanted && !*link ? -errno : 0;
}

/*
 * Forks and exits matter only to filters by process. New images only to the tables: without them the first
 * sample of one is not complete, and that is all.
 */
int sources__fit(struct collect *self)
{
	bool wants_exit = false, wants_fork = false, wants_exec = false;
	int err;

	for (uint32_t s = 0; s < PP_SLOTS; s++) {
		const struct slot *slot = &self->slots[s];

		if (!slot->is_on || slot->is_stopping)
			continue;
		wants_exit |= slot->spec.pid_cnt != 0;
		wants_fork |= slot->spec.pid_cnt && slot->spec.children;
		wants_exec |= self->has_tables;
	}
	err = link__fit(&self->exit_link, self->skel->progs.pp_exit, wants_exit);
	if (!err)
		err = link__fit(&self->fork_link, self->skel->progs.pp_fork, wants_fork);
	(void)link__fit(&self->exec_link, self->skel->progs.pp_exec, wants_exec);
	return err;
}

int sources__on(struct collect *self, uint32_t slot, const char **ret_why)
{
	int err = sources__fit(self);

	if (err)
		*ret_why = "raw tracepoints for fork and exit cannot be attached";
	else
		err = sample__on(self, &self->slots[slot], ret_why);
	return err;
}

void sources__off(struct collect *self, uint32_t slot)
{
	sample__off(&self->slots[slot]);
	(void)sources__fit(self); /* less is always possible */
}
