/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A running process, by ptrace: all its threads are stopped where they happen to be, and go on. Signals that
 * arrive meanwhile are delivered later. Its mappings are read as record reads them.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/vec.h"
#include "target.h"

#define THREADS_MAX 4096

struct live {
	struct proc_table *table;
	struct proc_id id;
	uint64_t now_ns; /* of a clock that lets every re-reading through */
};

void target__set_regs(struct host_regs *self, const struct user_regs_struct *from)
{
	const uint64_t regs[16] = { from->rax, from->rdx, from->rcx, from->rbx,
				    from->rsi, from->rdi, from->rbp, from->rsp,
				    from->r8,  from->r9,  from->r10, from->r11,
				    from->r12, from->r13, from->r14, from->r15 };

	*self = (struct host_regs){ .ip = from->rip };
	memcpy(self->regs, regs, sizeof(regs));
}

struct target_thread *target__add_thread(struct target *self, pid_t tid)
{
	int err = vec_room(self->threads, self->thread_cnt + 1, self->thread_cap, THREADS_MAX);

	if (err)
		return NULL;
	self->threads[self->thread_cnt] = (struct target_thread){ .tid = tid };
	return &self->threads[self->thread_cnt++];
}

static struct target_thread *find_thread(struct target *self, pid_t tid)
{
	for (size_t i = 0; i < self->thread_cnt; i++)
		if (self->threads[i].tid == tid)
			return &self->threads[i];
	return NULL;
}

/* Every thread that is there now is traced. */
static int seize_all(struct target *self)
{
	char path[64];
	struct dirent *entry;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", self->pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	while ((entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0 && !find_thread(self, tid) && !ptrace(PTRACE_SEIZE, tid, NULL, NULL))
			(void)target__add_thread(self, tid);
	}
	closedir(dir);
	return self->thread_cnt ? 0 : -ESRCH;
}

int target__attach(struct target *self, const struct sysroot *root, pid_t pid)
{
	struct proc_stat stat;
	int err;

	*self = (struct target){ .pid = pid };
	self->live = calloc(1, sizeof(*self->live));
	if (!self->live)
		return -ENOMEM;
	if (proc__stat(root, (uint32_t)pid, &stat))
		return -ESRCH;
	self->live->id =
		(struct proc_id){ .pid = (uint32_t)pid,
				  .exec_id = 1,
				  .start_boottime_ns = stat.start_ticks * PP_NSEC_PER_TICK };
	err = proc_table__new(root, &self->live->table);
	self->modules = self->live->table;
	return err ? err : seize_all(self);
}

void live__free(struct target *self)
{
	if (!self->live)
		return;
	for (size_t i = 0; i < self->thread_cnt; i++)
		if (self->threads[i].is_stopped)
			(void)ptrace(PTRACE_DETACH, self->threads[i].tid, NULL,
				     self->threads[i].signal);
	proc_table__free(self->live->table);
	free(self->live);
}

/* Has it stopped? -EAGAIN: not yet; -ESRCH: it has ended. how: 0 waits. */
static int wait_stopped(struct target_thread *thread, int how)
{
	int status;
	const pid_t tid = waitpid(thread->tid, &status, __WALL | how);

	if (!tid)
		return -EAGAIN;
	if (tid != thread->tid || !WIFSTOPPED(status))
		return -ESRCH;
	thread->is_stopped = true;
	if (status >> 16 == 0 && WSTOPSIG(status) != SIGTRAP)
		thread->signal = WSTOPSIG(status);
	return 0;
}

/*
 * Waits for all of them in no order: where the process ends meanwhile, its first thread is told of only when
 * the end of each other one has been taken note of.
 */
static void wait_all_stopped(struct target *self)
{
	size_t kept, i, waited_for;

	do {
		for (kept = 0, waited_for = 0, i = 0; i < self->thread_cnt; i++) {
			struct target_thread *thread = &self->threads[i];
			const int err = thread->is_stopped ? 0 : wait_stopped(thread, WNOHANG);

			waited_for += err == -EAGAIN;
			if (err != -ESRCH)
				self->threads[kept++] = *thread;
		}
		self->thread_cnt = kept;
		if (waited_for)
			usleep(100);
	} while (waited_for);
}

static int read_registers(struct target_thread *thread)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &regs))
		return -ESRCH;
	target__set_regs(&thread->regs, &regs);
	return 0;
}

static int read_mappings(struct target *self)
{
	struct live *live = self->live;
	uint32_t tid = (uint32_t)self->threads[0].tid;
	int err;

	live->now_ns += 1000000000;
	err = proc_table__note(live->table, &live->id, tid);
	if (!err)
		err = proc_table__refresh(live->table, &live->id, tid, live->now_ns);
	return err < 0 ? err : 0;
}

int target__stop(struct target *self)
{
	size_t kept = 0;
	int err = seize_all(self);

	for (size_t i = 0; i < self->thread_cnt && !err; i++)
		(void)ptrace(PTRACE_INTERRUPT, self->threads[i].tid, NULL, NULL);
	if (!err)
		wait_all_stopped(self);
	for (size_t i = 0; i < self->thread_cnt && !err; i++)
		if (!read_registers(&self->threads[i]))
			self->threads[kept++] = self->threads[i];
	self->thread_cnt = kept;
	if (err || !kept)
		return -ESRCH;
	err = read_mappings(self);
	return err ? err :
		     proc_table__mappings(self->live->table, &self->live->id, &self->mappings,
					  &self->mapping_cnt);
}

void target__go(struct target *self)
{
	for (size_t i = 0; i < self->thread_cnt; i++) {
		struct target_thread *thread = &self->threads[i];

		if (thread->is_stopped)
			(void)ptrace(PTRACE_CONT, thread->tid, NULL, thread->signal);
		thread->is_stopped = false;
		thread->signal = 0;
	}
}

/* In a system call, or before one: it could wait for threads that are stopped. */
bool target__can_step(struct target *self, const struct target_thread *thread)
{
	static const uint8_t syscall[2] = { 0x0f, 0x05 };
	uint8_t code[4];

	return !target__read(self, thread->regs.ip - 2, code, sizeof(code)) &&
	       memcmp(code, syscall, 2) && memcmp(code + 2, syscall, 2);
}

int target__step(struct target *self, struct target_thread *thread)
{
	int signal = thread->signal;

	thread->signal = 0;
	if (ptrace(PTRACE_SINGLESTEP, thread->tid, NULL, signal))
		return -ESRCH;
	thread->is_stopped = false;
	if (wait_stopped(thread, 0))
		return -ESRCH;
	return read_registers(thread);
}

int live__read(const struct target *self, uint64_t addr, void *data, size_t bytes)
{
	struct iovec local = { data, bytes };
	struct iovec remote = { (void *)(uintptr_t)addr, bytes };

	return process_vm_readv(self->pid, &local, 1, &remote, 1, 0) == (ssize_t)bytes ? 0 :
											 -EFAULT;
}
