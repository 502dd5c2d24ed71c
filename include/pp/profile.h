/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROFILE_H
#define PP_PROFILE_H
/*
 * The waist: what a run saw, as plain data. Left of it are kernels, ELF files and interpreters; right of
 * it formats, files and networks. Built by profile__add while samples come in, its frames named once at
 * the end, then read-only.
 * Always true: taken = accepted + filtered + lost, expected = taken + missed, and the weights of all
 * samples add up to accepted (profile__check).
 */
#include <stdbool.h>
#include <stdint.h>

#include "pp/base/intern.h"
#include "pp/profile_account.h"
#include "pp/profile_ends.h"
#include "pp/profile_unnamed.h"

#define PROFILE_FRAME_RETURN  1u
#define PROFILE_FRAME_GUESSED 2u
enum profile_frame_kind {
	FRAME_NATIVE,
	FRAME_KERNEL,
	FRAME_ANON,
	FRAME_VDSO,
	FRAME_NOTE,
	FRAME_INLINED /* a function inlined into the one of another frame (its inner): no place of its own */
};

/*
 * One distinct frame. {kind, module, off, flags} is its identity; name, file, line are filled in at the end.
 * module: index into modules (0 = none). off: offset in the module's file (native), address (kernel,
 * anon). is_return: off is one past a call, so look up off - 1. is_guessed: found by frame pointer, so it
 * may be any number; what a table found is not doubted.
 * name 0 (empty) after naming: unknown; the text is then made by profile_frame__text.
 * With lines asked for (meta.wants_lines), file and line are where it is in its source, and inner the function
 * that is inlined into it there.
 */
struct profile_frame {
	uint8_t kind;
	uint8_t is_return;
	uint8_t is_guessed;
	uint8_t unnamed; /* enum profile_unnamed, once names were looked for */
	uint32_t module;
	uint64_t off;
	uint32_t name; /* intern id */
	uint32_t line;
	uint32_t file; /* intern id */
	uint32_t inner; /* frame + 1; 0: none */
};

struct profile_module {
	uint32_t path; /* intern id: as the process saw it; "" for index 0 */
	uint32_t build_id; /* intern id of hex text, or 0 */
	uint64_t code_off; /* in the file: where the code that was sampled is mapped from; else UINT64_MAX */
};

/* frames[first .. first+depth) in stack_frames, leaf first, kernel frames before user frames. */
struct profile_stack {
	uint32_t first;
	uint16_t depth;
	uint16_t kernel_depth;
};

struct profile_process {
	uint32_t pid; /* host pid namespace */
	uint32_t exec_id;
	uint64_t start_boottime_ns;
	uint32_t name; /* intern id: comm of its first sampled thread */
	uint32_t container; /* intern id: raw container name or "" */
	uint32_t container_id; /* intern id: 64 digits, or "" */
	uint32_t pad;
	uint64_t weight; /* sum of its samples */
};

struct profile_sample {
	uint32_t process; /* index */
	uint32_t thread_name; /* intern id, as the kernel has it: any byte but NUL */
	uint32_t stack;
	uint32_t end; /* enum profile_stack_end */
	uint64_t cgroup_id;
	uint64_t weight; /* number of samples, >= 1 */
};

struct profile {
	struct intern *strings;
	struct profile_module *modules;
	uint32_t module_cnt;
	struct profile_frame *frames;
	uint32_t frame_cnt;
	uint32_t *stack_frames;
	uint64_t stack_frame_cnt;
	struct profile_stack *stacks;
	uint32_t stack_cnt;
	struct profile_process *processes;
	uint32_t process_cnt;
	struct profile_sample *samples; /* distinct; weights add up */
	uint32_t sample_cnt;
	/* What was counted beside the samples: JSON for the Studio, all of it as JSON, a page. Owned; NULL: nothing. */
	char *counters_flat, *counters_detail, *counters_html;
	struct profile_account account;
	struct profile_meta meta;
	struct profile_build *build; /* the indexes used while building */
};

#define PROFILE_BYTES_MAX (256u << 20)
#define PROFILE_DEPTH_MAX 512

int profile__new(struct profile **ret_profile);
void profile__free(struct profile *self);

/* Interns a string (any length < 64 KiB). Returns 0, -ENOMEM, -E2BIG. */
int profile__string(struct profile *self, const char *str, uint32_t *ret_id);
/* Always a new one: two files may share a path. Numbered from 1 in the order of the calls. */
int profile__module(struct profile *self, const char *path, const char *build_id,
		    uint32_t *ret_module);
/* The next four find or add. */
int profile__process(struct profile *self, uint32_t pid, uint32_t exec_id,
		     uint64_t start_boottime_ns, const char *comm, uint32_t *ret_process);
int profile__frame(struct profile *self, enum profile_frame_kind kind, uint32_t module,
		   uint64_t off, uint32_t flags, uint32_t *ret_frame);
/* frames: leaf first, kernel part first; borrowed. -E2BIG past PROFILE_DEPTH_MAX or the byte limit. */
int profile__stack(struct profile *self, const uint32_t *frames, uint32_t depth,
		   uint32_t kernel_depth, uint32_t *ret_stack);
/* Adds weight to the sample with these members, or makes it. */
int profile__add(struct profile *self, uint32_t process, const char *thread_name,
		 uint64_t cgroup_id, uint32_t stack, enum profile_stack_end end, uint64_t weight);
size_t profile__bytes(const struct profile *self); /* memory in use */

/* Are the equations above true? Returns 0 or -EBADMSG. */
int profile__check(const struct profile *self);
/*
 * The frame's text for people, without any suffix: its name, else "module+0xoff", "[anon]",
 * "[unknown]" (kernel). Never a raw address. Truncated at text_bytes. Returns text.
 */
char *profile_frame__text(const struct profile *self, uint32_t frame, char *text,
			  size_t text_bytes);

struct profile_totals {
	uint64_t user_stacks; /* weight of samples with a user part */
	uint64_t user_stacks_complete;
	uint64_t user_stacks_jit; /* of the others: through code made at run time */
	uint64_t by_end[STACK_END_CNT];
	uint64_t frames_unnamed; /* weight-free: distinct native frames without a name */
	uint64_t frames; /* in all samples' stacks */
	uint64_t frames_by[UNNAMED_CNT]; /* of these, why they have no name; [NOT]: they have one */
};
void profile__totals(const struct profile *self, struct profile_totals *ret_totals);

#endif
