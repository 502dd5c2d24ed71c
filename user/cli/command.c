/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A command run under a profile: forked first and held until sampling is on, so that nothing of it is
 * missed; as the user behind sudo, never with more rights than that user has. It keeps our descriptors 0
 * to 2, our folder and our terminal. Not a supervisor: signals of the terminal reach it by themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "run.h"

/* All that NSS is asked for is asked before the fork. */
struct invoker {
	bool is_set;
	uid_t uid;
	gid_t gid;
	const struct passwd *passwd; /* NULL: no entry */
};

static int become(const struct invoker *invoker)
{
	const struct passwd *passwd = invoker->passwd;
	int err;

	if (!invoker->is_set)
		return 0;
	err = passwd ? initgroups(passwd->pw_name, invoker->gid) : setgroups(1, &invoker->gid);
	if (err < 0 || setresgid(invoker->gid, invoker->gid, invoker->gid) < 0 ||
	    setresuid(invoker->uid, invoker->uid, invoker->uid) < 0)
		return -errno;
	if (passwd) {
		setenv("HOME", passwd->pw_dir, 1);
		setenv("USER", passwd->pw_name, 1);
		setenv("LOGNAME", passwd->pw_name, 1);
	}
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	unsetenv("SUDO_USER");
	unsetenv("SUDO_COMMAND");
	return 0;
}

static void run_when_let(const struct cli *cli, const struct invoker *invoker, int go_fd,
			 int failed_fd, char *const *argv) __attribute__((noreturn));
static void run_when_let(const struct cli *cli, const struct invoker *invoker, int go_fd,
			 int failed_fd, char *const *argv)
{
	char go = 0;
	ssize_t n;
	int err;

	do {
		n = read(go_fd, &go, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(127); /* the profile could not begin */
	(void)setrlimit(RLIMIT_NOFILE, &cli->files_before); /* a higher one does no harm */
	signal(SIGPIPE, SIG_DFL);
	err = become(invoker);
	if (!err) {
		execvp(argv[0], argv);
		err = -errno;
	}
	n = write(failed_fd, &err, sizeof(err));
	_exit(n == sizeof(err) ? 127 : 126);
}

int command__start(struct command *self, const struct cli *cli, char *const *argv)
{
	struct invoker invoker = { 0 };
	int go[2], failed[2];
	pid_t pid;

	memset(self, 0, sizeof(*self));
	self->go_fd = self->failed_fd = -1;
	invoker.is_set = invoker__find(&invoker.uid, &invoker.gid);
	if (invoker.is_set)
		invoker.passwd = getpwuid(invoker.uid);
	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(failed, O_CLOEXEC) < 0) {
		int err = -errno;

		close(go[0]);
		close(go[1]);
		return err;
	}
	pid = fork();
	if (!pid) {
		close(go[1]); /* else its end would never be seen */
		run_when_let(cli, &invoker, go[0], failed[1], argv);
	}
	self->go_fd = go[1];
	self->failed_fd = failed[0];
	close(go[0]);
	close(failed[1]);
	if (pid < 0) {
		int err = -errno;

		command__close(self);
		return err;
	}
	self->pid = pid;
	return 0;
}

int command__go(struct command *self)
{
	int err = 0;
	ssize_t n;

	if (write(self->go_fd, "g", 1) != 1)
		return -errno;
	close(self->go_fd);
	self->go_fd = -1;
	do {
		n = read(self->failed_fd, &err, sizeof(err));
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(err))
		return 0;
	command__reap(self);
	return err;
}

void command__reap(struct command *self)
{
	struct rusage used;
	pid_t pid;

	do {
		pid = wait4(self->pid, &self->status, 0, &used);
	} while (pid < 0 && errno == EINTR);
	self->has_ended = true;
	if (pid != self->pid)
		return;
	self->cpu_ns = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000ull +
		       (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000ull;
}

void command__close(struct command *self)
{
	bool was_let = self->go_fd < 0;

	if (self->go_fd >= 0)
		close(self->go_fd);
	if (self->failed_fd >= 0)
		close(self->failed_fd);
	self->go_fd = self->failed_fd = -1;
	if (self->pid && !was_let && !self->has_ended)
		command__reap(self);
}
