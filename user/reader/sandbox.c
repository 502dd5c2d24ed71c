/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a parser of hostile files is left with: memory, the files that it is handed or that it opens for reading
 * below a root that it was handed, and its socket. Four walls, so that one that a kernel lacks or that a way
 * around is found for is not all there is: limits, capabilities (to read and search remain, for what belongs to
 * other users), Landlock (no writing anywhere; from 5.13 on), and a filter of system calls that knows no socket, no bpf, no
 * execve, no ptrace, no kill. What is not on the list fails with EPERM: a library may ask for more than it needs.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pp/base/cleanup.h"

/* Names, an unpacked table and xz's dictionary each have 64 MiB at most. */
#define MEMORY_BYTES_MAX (512ull << 20)
#define FILES_MAX	 64

#if defined(__x86_64__)
#define AUDIT_ARCH_HERE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define AUDIT_ARCH_HERE AUDIT_ARCH_AARCH64
#endif

static int set_limits(void)
{
	static const struct {
		__rlimit_resource_t what;
		rlim_t max;
	} limits[] = {
#ifndef __SANITIZE_ADDRESS__ /* maps terabytes, and writes none */
		{ RLIMIT_AS, MEMORY_BYTES_MAX },
#endif
		{ RLIMIT_NOFILE, FILES_MAX },
		{ RLIMIT_FSIZE, 0 },
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_NPROC, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit limit = { limits[i].max, limits[i].max };

		if (setrlimit(limits[i].what, &limit))
			return -errno;
	}
	return 0;
}

/* Without any to begin with (a user's own run) there is nothing to keep. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	__u32 kept;

	if (syscall(SYS_capget, &head, data))
		return -errno;
	kept = data[0].permitted & (1u << CAP_DAC_READ_SEARCH);
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		data[i] = (struct __user_cap_data_struct){ 0 };
	data[0].permitted = data[0].effective = kept;
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/* Everything that version 1 of Landlock can deny, but reading. */
static int deny_writing(void)
{
	const struct landlock_ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				     LANDLOCK_ACCESS_FS_REMOVE_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
				     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
				     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	_auto_close_ int rules = -1;

	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (rules < 0) /* before 5.13, or switched off at boot: the other walls stand */
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	return syscall(SYS_landlock_restrict_self, rules, 0) ? -errno : 0;
}

#define LOAD(field)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (__u32)offsetof(struct seccomp_data, field))
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define ALLOW(name) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (__NR_##name), 0, 1), ANSWER(SECCOMP_RET_ALLOW)
/* Of a call with flags in one argument (low half, little endian): none of these. */
#define ALLOW_WITHOUT(name, arg, flags)                                                         \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (__NR_##name), 0, 4), LOAD(args[arg]),              \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (flags), 1, 0), ANSWER(SECCOMP_RET_ALLOW), \
		ANSWER(SECCOMP_RET_ERRNO | EPERM)

static int filter_calls(void)
{
	static const struct sock_filter filter[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_HERE, 1, 0),
		ANSWER(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		ALLOW_WITHOUT(openat, 2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC),
		ALLOW_WITHOUT(mmap, 2, PROT_EXEC),
		ALLOW_WITHOUT(mprotect, 2, PROT_EXEC),
		ALLOW(openat2), /* its flags are in memory: Landlock and RLIMIT_FSIZE bound what it can do */
		ALLOW(pread64),
		ALLOW(read),
		ALLOW(lseek),
		ALLOW(close),
		ALLOW(newfstatat),
		ALLOW(fstat),
		ALLOW(recvmsg),
		ALLOW(sendmsg),
		ALLOW(ppoll),
#ifdef __SANITIZE_ADDRESS__ /* before each call that does not return */
		ALLOW(sigaltstack),
#endif
#ifdef __NR_poll
		ALLOW(poll),
#endif
		ALLOW(munmap),
		ALLOW(mremap),
		ALLOW(brk),
		ALLOW(madvise),
		ALLOW(futex),
		ALLOW(getpid),
		ALLOW(gettid),
		ALLOW(clock_gettime),
		ALLOW(getrandom),
		ALLOW(rt_sigprocmask),
		ALLOW(rt_sigreturn),
		ALLOW(exit),
		ALLOW(exit_group),
		ANSWER(SECCOMP_RET_ERRNO | EPERM),
	};
	const struct sock_fprog program = { ARRAY_SIZE(filter), (struct sock_filter *)filter };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

int sandbox__enter(void)
{
	int err;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	err = set_limits();
	if (!err)
		err = drop_capabilities();
	if (!err)
		err = deny_writing();
	if (!err)
		err = filter_calls();
	return err;
}
