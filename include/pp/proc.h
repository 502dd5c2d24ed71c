/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROC_H
#define PP_PROC_H
/*
 * Processes, their mappings and the files behind these: fed only by samples (no sweeps of /proc).
 * A process is {tgid, exec id, start time}; a mapping table is kept after the process has gone, until
 * the table is cleared, so that late symbolization still works. addr = runtime address.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sysroot;

enum mapping_kind {
	MAPPING_FILE,
	MAPPING_ANON,
	MAPPING_VDSO,
	MAPPING_SPECIAL /* [vsyscall], [uprobes] ... */
};

struct mapping {
	uint64_t start_addr;
	uint64_t end_addr;
	uint64_t off; /* file offset of start_addr */
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t kind; /* enum mapping_kind */
	uint32_t module; /* index into the module table, 0 for none */
	bool is_deleted; /* " (deleted)" stood behind the path */
	const char *path; /* newlines unescaped, " (deleted)" cut; borrowed from table; "": none */
};

/*
 * Parses the text of /proc/PID/maps; calls fn for each executable mapping (borrowed) in address order.
 * Lines that are not of the form are -EBADMSG. At most 65,536 lines are taken (-E2BIG after that).
 */
int maps__parse(const char *text, size_t len, int (*fn)(void *arg, const struct mapping *mapping),
		void *arg);

/* Of a process that makes code: what its perf map must look like. */
struct proc_jit {
	uint32_t ns_pid; /* in its own pid namespace */
	uint32_t uid;
	uint64_t start_boottime_ns;
	uint32_t dump; /* the module of its jitdump file; 0: none */
	bool is_java; /* HotSpot is in it */
};

/* A file (by device and inode) that was mapped executable somewhere; or the code that one process made. */
struct proc_module {
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t kind; /* enum mapping_kind: FILE, VDSO, or ANON with jit */
	int fd; /* open for reading, or -1 with err */
	int err; /* -ENOENT, -EACCES, -ESTALE (not the same file), -EBADMSG (not regular), -EMFILE */
	int root_fd; /* of its first process, O_PATH, or -1; borrowed until clear */
	const char *path; /* as its first process saw it; borrowed from the table until clear */
	struct proc_jit jit;
};

struct proc_table;

int proc_table__new(const struct sysroot *root, struct proc_table **ret_table);
/* Closes every module's descriptor. */
void proc_table__free(struct proc_table *self);
void proc_table__clear(struct proc_table *self); /* forget all, as between runs */

struct proc_id {
	uint32_t pid; /* tgid */
	uint32_t exec_id;
	uint64_t start_boottime_ns;
};

/*
 * Called when the kernel reports the first sample of a process: reads its maps through task `tid` (the
 * leader may have gone) and opens the files that no earlier process had mapped. Costs file I/O: 50 us to
 * some ms. Returns 0, -ESRCH when it has gone. Loop thread.
 */
int proc_table__note(struct proc_table *self, const struct proc_id *id, uint32_t tid);
/*
 * Where does addr lie in the newest list? Returns 0 with the mapping (borrowed until the next note, refresh
 * or clear), -ENOENT when the process is known and addr is in no executable mapping, -ESRCH when its maps
 * were never read.
 */
int proc_table__find(struct proc_table *self, const struct proc_id *id, uint64_t addr,
		     const struct mapping **ret_mapping);
/*
 * An address in no range is itself the reason to re-read: re-read at most once in 2 ms and
 * so that reading takes no more than one part in 50 of the time.
 * Returns 1 if the maps were read again, 0 if not (too soon), -ESRCH.
 */
int proc_table__refresh(struct proc_table *self, const struct proc_id *id, uint32_t tid,
			uint64_t now_ns);

/*
 * The history: each list of mappings that differs from the one before is a version. Whoever gives lists to
 * the kernel says under which epochs; epochs grow. The last 256 versions are kept.
 */
int proc_table__mappings(const struct proc_table *self, const struct proc_id *id,
			 const struct mapping **ret_mappings,
			 uint32_t *ret_cnt); /* newest; borrowed */
void proc_table__set_epoch(struct proc_table *self, const struct proc_id *id, uint32_t epoch);
/*
 * Where did addr lie in that epoch? epoch 0: before the kernel knew any, taken for the first one. One that
 * is not in the history: only what all versions agree upon. is_doubted: mappings may have changed before the
 * sample, so what was read later must agree (see __verify). Returns as __find, and -ESTALE: lists disagree
 * about the code at addr.
 */
int proc_table__find_at(struct proc_table *self, const struct proc_id *id, uint32_t epoch,
			bool is_doubted, uint64_t addr, const struct mapping **ret_mapping);
/*
 * Has the history what was mapped after the doubted samples of an epoch, which were taken before until_ns
 * (CLOCK_MONOTONIC)? Reads again if not, within a budget of its own: for all processes one part in 50 of
 * the time, in 200 where it is not urgent. Returns 1 if so, 0 if it costs too much now, -ESRCH.
 */
int proc_table__verify(struct proc_table *self, const struct proc_id *id, uint32_t tid,
		       uint32_t epoch, uint64_t now_ns, uint64_t until_ns, bool is_urgent);
/*
 * What another table has read last of a process, with its epochs and files, stands here too, as if read at the
 * same time. Returns 0; -ESRCH when the other knows nothing of it; -E2BIG, -ENOMEM.
 */
int proc_table__adopt(struct proc_table *self, const struct proc_table *from,
		      const struct proc_id *id);
/* The process of that pid that was noted last: 0, -ESRCH. */
int proc_table__latest(const struct proc_table *self, uint32_t pid, struct proc_id *ret_id);

uint32_t proc_table__module_cnt(const struct proc_table *self); /* index 0 is "none" */
const struct proc_module *proc_table__module(const struct proc_table *self, uint32_t module);

/* file offset of addr */
static inline uint64_t mapping__addr_to_off(const struct mapping *self, uint64_t addr)
{
	return addr - self->start_addr + self->off;
}

/* Facts of one process from /proc/PID/stat. start_ticks: field 22, USER_HZ since boot. */
struct proc_stat {
	uint64_t start_ticks;
	uint64_t cpu_ticks; /* utime + stime, all threads */
	uint32_t ppid;
	char state;
	char comm[17];
};
int proc__stat(const struct sysroot *root, uint32_t pid, struct proc_stat *ret_stat);

#endif
