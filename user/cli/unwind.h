/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef CLI_UNWIND_H
#define CLI_UNWIND_H
/*
 * What the commands of `pulseprof unwind` share: rules in words, and the code of a process as it is mapped,
 * with the rows of the files behind it. Everything here works without a daemon and without BPF.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/proc.h"
#include "pp/unwind.h"

struct cli;
struct collect_loaded;
struct json_object;
struct sysroot;

/* unwind_words.c */
#define RULE_WORDS_BYTES 200
/* "CFA = rsp+40, rbp at CFA-16, return address at CFA-8". Returns text. */
const char *rule__words(uint64_t rule, char text[RULE_WORDS_BYTES]);
const char *range_kind_name(uint32_t kind); /* enum pp_range_kind */

/* The registers of a frame, as far as they are known, and memory to read. */
struct frame_state {
	bool has_sp;
	bool has_fp;
	uint64_t sp;
	uint64_t fp;
};
/* Where a rule leads from there; what cannot be known without other registers is left out. */
struct frame_reads {
	bool has_cfa;
	bool has_fp_addr;
	bool has_ra_addr;
	uint64_t cfa;
	uint64_t fp_addr; /* where the caller's rbp is saved */
	uint64_t ra_addr; /* where the return address stands */
};
/* read: a word of the process's memory, for rules that follow a pointer; 0 or -errno. */
void rule__follow(uint64_t rule, uint64_t pc, const struct frame_state *state,
		  int (*read)(void *arg, uint64_t addr, uint64_t *ret_word), void *arg,
		  struct frame_reads *ret_reads);

/* unwind_code.c: an executable mapping, and its file while it is open. */
struct code_mapping {
	struct mapping map; /* path: owned */
	uint32_t kind; /* enum pp_range_kind; known after code__open_file */
	uint64_t bias; /* vaddr = addr - bias; of kinds table and fp */
	struct unwind_file *file; /* NULL: none open */
	int fd;
	int debug_fd; /* -1: none */
	void *image; /* the vdso, copied */
};
struct code {
	const struct sysroot *root; /* borrowed */
	uint32_t pid;
	uint32_t tid; /* a living thread: the leader may have gone */
	uint64_t start_ticks;
	struct code_mapping *maps; /* in address order */
	size_t map_cnt, map_cap;
	int mem_fd; /* -1: not readable */
};
/* -ESRCH: no such process; -EACCES; -E2BIG; -ENOMEM; -errno. */
int code__read(struct code *self, const struct sysroot *root, uint32_t pid);
void code__free(struct code *self);
struct code_mapping *code__find(struct code *self, uint64_t addr); /* NULL: nothing executable */
/*
 * Opens the file behind a mapping and finds out what it is good for. 0, or -errno: the kind is
 * PP_RANGE_FP then, as it would be for the sampler. One file is open at a time.
 */
int code__open_file(struct code *self, struct code_mapping *mapping);
void code__close_file(struct code_mapping *mapping);
int code__read_word(void *code, uint64_t addr, uint64_t *ret_word); /* of its memory */
/* The stack pointer of a thread that is stopped or blocked with its pc within. 0, -ENOENT. */
int code__find_thread(const struct code *self, uint64_t low_addr, uint64_t high_addr,
		      uint32_t *ret_tid, uint64_t *ret_pc, uint64_t *ret_sp);

/* An ELF file with its debug file, as the sampler takes them. *ret_debug_fd: the caller's; -1: none. */
int code__open_elf(const struct sysroot *root, int fd, int *ret_debug_fd,
		   struct unwind_file **ret_file);

/* Bytes of the kernel's memory that a page's rows take. */
uint32_t page__window_bytes(const struct unwind_page *page);

/* cmd_unwind.c: words that the options leave over. */
struct unwind_words {
	const char *words[2];
	int cnt;
	struct frame_state state;
};
/* -1: go on; else an exit code, told. */
int unwind__parse(struct cli *cli, int argc, char **argv, int want, struct unwind_words *ret_words);
bool unwind__parse_pid(const char *text, uint32_t *ret_pid);
bool unwind__parse_addr(const char *text, uint64_t *ret_addr); /* hex, with or without 0x */
/* An exit code, told. *ret_loaded: NULL if nobody samples the process. */
int unwind__read_code(struct cli *cli, const char *word, struct code *code,
		      struct collect_loaded **ret_loaded);
int unwind__add_hex(struct json_object *row, const char *name, uint64_t value);
const char *unwind__path(const struct code_mapping *mapping); /* "[anon]" for none */

#endif
