/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The root directories of sampled processes, held open: what lies beside a program (its debug files) is looked
 * for as the program itself would see it, also after it has gone. All processes of a host or a container have
 * one root, so there are few; beyond the limit there is none, and only names are missing.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"
#include "pp/base/vec.h"

/* fd is taken. */
static int keep(struct root_set *self, int fd)
{
	_auto_close_ int new_fd = fd;
	struct stat st;

	if (fstat(fd, &st))
		return -1;
	for (size_t i = 0; i < self->cnt; i++)
		if (self->rows[i].dev == st.st_dev && self->rows[i].inode == st.st_ino)
			return self->rows[i].fd;
	if (vec_room(self->rows, self->cnt + 1, self->cap, ROOT_FDS_MAX))
		return -1;
	self->rows[self->cnt++] = (struct process_root){ st.st_dev, st.st_ino, fd };
	return take_fd(new_fd);
}

int root_set__note(struct root_set *self, uint32_t pid, uint32_t tid)
{
	int fd;

	if (self->last_tid == tid)
		return self->last_fd;
	fd = sysroot__open(self->root, O_PATH | O_DIRECTORY, "proc/%u/task/%u/root", pid, tid);
	self->last_fd = fd < 0 ? -1 : keep(self, fd);
	self->last_tid = tid;
	return self->last_fd;
}

int root_set__adopt(struct root_set *self, int fd)
{
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -1 : keep(self, copy);
}

void root_set__clear(struct root_set *self)
{
	for (size_t i = 0; i < self->cnt; i++)
		close(self->rows[i].fd);
	free(self->rows);
	*self = (struct root_set){ .root = self->root };
}
