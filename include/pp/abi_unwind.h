/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ABI_UNWIND_H
#define PP_ABI_UNWIND_H
/*
 * Unwind tables, as user space writes and the sampler reads them: rules, rows, pages, ranges of processes.
 * Part of the contract of abi.h (include <linux/types.h> first). vaddr = address in ELF headers.
 *
 * address -> pp_range (of its process) -> vaddr -> pp_dir_entry (one per 64 KiB of code) -> window of rows
 * -> rule. A window begins with an index (the row in force at the begin of each KiB), then rows, ascending.
 */

/*
 * A rule in 64 bits: how to find the caller's frame. 0 (PP_RULE_NONE): nothing known, try the frame pointer.
 * Registers by DWARF number (x86-64: 0 rax 1 rdx 2 rcx 3 rbx 4 rsi 5 rdi 6 rbp 7 rsp 8..15 r8..r15).
 * bits 0-3 cfa form, 4-7 register, 8-9 fp form, 10-11 ra form, 12-15 ra register, 16-27 fp offset / 8,
 * 28-39 parameter, 40-63 cfa offset; the three numbers are signed.
 */
enum pp_cfa_form {
	PP_CFA_NONE,
	PP_CFA_REG, /* register + cfa offset; others than rsp, rbp: enum walk_regs */
	PP_CFA_DEREF, /* *(register + cfa offset) + parameter * 8 */
	PP_CFA_PLT, /* rsp + 8, and 8 more where (pc & 15) >= parameter */
	PP_CFA_SIGNAL, /* all registers from the ucontext at rsp (rt_sigreturn frame) */
	PP_CFA_END, /* outermost frame: the stack is complete */
	PP_CFA_UNSUPPORTED, /* a rule that we cannot follow: marked end, never a guess */
	PP_CFA_SWITCH, /* as PP_CFA_REG; the caller's frame may lie on another stack, above or below (Go) */
};
enum pp_fp_form {
	PP_FP_SAME,
	PP_FP_AT_CFA, /* saved at CFA + fp offset */
	PP_FP_AT_FP, /* saved at rbp + fp offset (realigned stacks) */
	PP_FP_UNKNOWN, /* overwritten; no frame further out can use it */
};
enum pp_ra_form {
	PP_RA_AT_CFA, /* at CFA - 8 */
	PP_RA_AT_CFA_PARAM, /* at CFA + parameter * 8 */
	PP_RA_IN_REG, /* in the ra register (vfork: rdi); innermost frame only */
};

#define PP_RULE_NONE		0ull
#define PP_RULE_CFA_FORM(rule)	((__u32)((rule)&15))
#define PP_RULE_CFA_REG(rule)	((__u32)((rule) >> 4 & 15))
#define PP_RULE_FP_FORM(rule)	((__u32)((rule) >> 8 & 3))
#define PP_RULE_RA_FORM(rule)	((__u32)((rule) >> 10 & 3))
#define PP_RULE_RA_REG(rule)	((__u32)((rule) >> 12 & 15))
#define PP_RULE_FP_BYTES(rule)	(((__s64)((rule) << 36) >> 52) * 8)
#define PP_RULE_PARAM(rule)	((__s64)((rule) << 24) >> 52)
#define PP_RULE_CFA_BYTES(rule) ((__s64)(rule) >> 40)

#define PP_RULE_SMALL_MAX	2047 /* largest fp offset / 8 and parameter; smallest: -2048 */
#define PP_RULE_CFA_MAX		8388607 /* largest cfa offset */

/* A row: low 16 bits of its vaddr << 16 | rule id. It holds up to the next row. */
#define PP_ROW(vaddr, rule_id) ((__u32)((vaddr)&0xffff) << 16 | (rule_id))

#define PP_PAGE_SHIFT	       16
#define PP_PAGE_BYTES	       (1u << PP_PAGE_SHIFT)
#define PP_PAGE_KIBS	       64
#define PP_INDEX_WORDS	       33 /* u16 index[66]: [k] row in force at KiB k, [64] last row, [65] pad */
#define PP_PAGE_ROWS_MAX       16384 /* measured: at most 5,060 (librustc_driver) */
#define PP_PART_WORDS	       (1u << 19) /* 2 MiB: 5.10 takes no larger mmap-able value than 4 MiB */
#define PP_PARTS_MAX	       64
#define PP_UNIT_WORDS	       64 /* windows are allocated in units */
#define PP_PART_UNITS	       (PP_PART_WORDS / PP_UNIT_WORDS) /* 2^13 */
#define PP_RULES_MAX	       16384
#define PP_DIR_MAX	       32768 /* pages of code known at a time: 2 GiB */
#define PP_RANGES_MAX	       32768
#define PP_RULE_CACHE_MAX      16384

/* One page of code. index = pp_range.dir_first + (vaddr >> 16). */
struct pp_dir_entry {
	__u32 window; /* PP_WINDOW_*, or PP_WINDOW_AT | part << 13 | unit */
	__u32 used; /* pp_tables.generation in which it was last read */
	__u32 asked; /* ... in which a program asked for it */
	__u32 hits; /* lookups that the rule cache did not answer */
};
#define PP_WINDOW_ABSENT  0u /* ask for it */
#define PP_WINDOW_NO_ROWS 1u /* nothing to be had: frame pointer */
#define PP_WINDOW_AT	  0x80000000u
#define PP_WINDOW_BY_FP	  0x40000000u /* beside AT: callers here are left by frame pointer, soundly */

enum pp_range_kind {
	PP_RANGE_TABLE, /* a file (or the vdso) with unwind rows */
	PP_RANGE_FP, /* a file without any: frame pointer */
	PP_RANGE_JIT, /* anonymous executable memory: frame pointer, marked */
};
/* Executable addresses of one process, ascending, not overlapping, all below 2^63 (no [vsyscall]). */
struct pp_range {
	__u64 start_addr;
	__u64 end_addr;
	__u64 bias; /* vaddr = addr - bias */
	__u32 dir_first; /* modulo 2^32 */
	__u32 kind; /* enum pp_range_kind */
};

/* What a process's mappings looked like: differs when they were changed. 0 where the kernel has none. */
struct pp_mm {
	__u64 exec_vm;
	__u64 total_vm;
	__u32 map_count;
	__u32 seq; /* mm_lock_seq (6.4), vmacache_seqnum (up to 6.0): complete, with false alarms */
};

/* A line of the rule cache: can be torn by another CPU, then key ^ rule matches nothing. */
struct pp_cached_rule {
	__u64 key_xor_rule;
	__u64 rule;
};

/* Switches of the tables, written by user space into the programs' .bss. */
struct pp_tables {
	__u32 generation; /* part of the cache's key; advanced before memory is reused, and every 10 s */
	__u32 on; /* 0: frame pointers only */
};

_Static_assert(sizeof(struct pp_dir_entry) == 16, "no padding");
_Static_assert(sizeof(struct pp_range) == 32, "two to a cache line");
_Static_assert(sizeof(struct pp_mm) == 24, "no padding");
_Static_assert(PP_DIR_MAX <= 32768, "the cache key has 15 bits for it");
_Static_assert(PP_PART_UNITS == 1u << 13, "pp_dir_entry.window");

#endif
