/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SYMBOL_H
#define PP_SYMBOL_H
/*
 * From addresses to names. Unknown stays unknown; nothing is guessed. The work on one file is a job with
 * a plain request and a plain result, so that the reader process (reader.h) can do it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/elf.h"

struct sysroot;
struct profile;
struct proc_table;

/* Code that a process made at run time: whose, to know its perf map (tmp/perf-NS_PID.map below root_fd). */
struct symbol_jit {
	uint32_t ns_pid; /* in its own pid namespace */
	uint32_t uid;
	uint64_t start_real_ns; /* of the process */
	bool is_java; /* made by HotSpot */
};

/* Plain request: names for offsets in one file, or for addresses in a process's own code. */
struct symbol_request {
	int fd; /* borrowed; -1 with vdso set; with jit: its jitdump file, or -1 */
	bool vdso; /* our own 64-bit vdso instead of a file */
	const struct symbol_jit *jit; /* NULL: a file; borrowed */
	const uint64_t *offs; /* file offsets or addresses, ascending, distinct; borrowed */
	uint32_t off_cnt;
	/* Perf maps and debug files are looked for below the process's root (O_PATH, borrowed; -1: gone) and below the host's. */
	const struct sysroot *host; /* borrowed; NULL: not looked for */
	int root_fd;
	const char *path; /* of the file below root_fd; borrowed; NULL: not known */
	const char *
		debug_dir; /* BUILD_ID.debug files of the host's are there, too; borrowed; NULL: none */
	bool wants_places; /* source lines and inlined functions, too: takes long */
};

/* One of the functions at an offset: texts of the result, 0 = unknown. */
struct symbol_place {
	uint32_t name; /* of the last one: names[i] is better */
	uint32_t file;
	uint32_t line;
	uint32_t is_last; /* 1: it is there by itself, those before it were inlined, the innermost first */
};

/* Where stacks truly end. ENTRY: also as a leaf; THREAD: only by a return address (the parent runs there too). */
enum symbol_bottom { SYMBOL_BOTTOM_NONE, SYMBOL_BOTTOM_ENTRY, SYMBOL_BOTTOM_THREAD };

/* Plain result. names[i] is an offset into text, 0 = unknown (text[0] is NUL). */
struct symbol_result {
	int err; /* 0, or why there are no names: -EBADMSG, -EOPNOTSUPP, -EPERM, -ESTALE, -errno */
	struct elf_build_id build_id;
	uint32_t *names;
	uint32_t name_cnt; /* = off_cnt */
	bool has_symtab; /* all symbols of the file were there: in it, or put away and found */
	uint8_t *bottoms; /* enum symbol_bottom of offs[i] */
	uint8_t *no_returns; /* 1: offs[i] + 1 cannot be a return address: no call ends there */
	/* Where these were wanted: places_of[i] - 1 is the first of offs[i] in places; 0: none. */
	uint32_t *places_of; /* NULL: not wanted, or none */
	struct symbol_place *places;
	uint32_t place_cnt;
	int places_err; /* -ETIMEDOUT: some are missing; -EBADMSG: damaged */
	char *text;
	size_t text_bytes;
};
/* Worker or any thread. Returns 0 (look at ret_result->err) or -ENOMEM. */
int symbol_job__run(const struct symbol_request *request, struct symbol_result *ret_result);
void symbol_result__clear(struct symbol_result *self);
/* The same done by somebody else (a process of its own); what fails there is in ret_result->err. */
typedef int (*symbol_run_fn)(void *arg, const struct symbol_request *request,
			     struct symbol_result *ret_result);

/*
 * Names of kernel addresses (ascending, distinct; borrowed), in one pass over proc/kallsyms that keeps
 * only what was asked for. Returns 0 (bottoms stays NULL), -EPERM when the kernel shows only zeros
 * (kptr_restrict), -ENOMEM, -errno. Tens of ms: worker.
 */
int kallsyms__resolve(const struct sysroot *root, const uint64_t *addrs, uint32_t addr_cnt,
		      struct symbol_result *ret_result);

/*
 * Names every frame of the profile, sets the modules' build ids, and turns ends into COMPLETE where the
 * outermost user frame lies in a known bottom. profile modules and proc_table modules have the same
 * index. ret_kernel_err (may be NULL): 0, or why kernel frames stay unknown (kallsyms__resolve). Worker:
 * nothing else may use the profile or change the table meanwhile. run: who reads
 * files of processes; NULL: this thread. Returns 0 or -ENOMEM.
 */
int symbolize__profile(struct profile *profile, const struct proc_table *table,
		       const struct sysroot *root, symbol_run_fn run, void *run_arg,
		       int *ret_kernel_err);

#endif
