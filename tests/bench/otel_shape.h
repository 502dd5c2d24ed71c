/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef OTEL_SHAPE_H
#define OTEL_SHAPE_H
/*
 * What otel_shape.bpf.c and its loader share: keys and values of the maps. Include <linux/types.h> first.
 */
#define OTEL_BUCKET_MIN	 8 /* an executable with up to 2^8 rows ... */
#define OTEL_BUCKET_MAX	 23 /* ... with up to 2^23 */
#define OTEL_RULES_MAX	 16384
#define OTEL_FRAMES_MAX	 128
#define OTEL_PREFIX_BITS 96 /* 32 of the pid, 64 of the address */
#define OTEL_PAGE_MASK	 0xffffull

/* Key of the trie: big endian, so that a prefix is a range of addresses of one process. */
struct otel_address {
	__u32 prefix_bits;
	__u32 pid_be;
	__u64 addr_be;
};
struct otel_mapping {
	__u64 file_id;
	__u64 bias; /* vaddr = addr - bias */
};

struct otel_page_key {
	__u64 file_id;
	__u64 page_vaddr;
};
struct otel_page {
	__u32 first_row; /* in the executable's array */
	__u16 row_cnt;
	__u16 bucket;
};

struct otel_row {
	__u16 low;
	__u16 rule; /* index into the rules, or OTEL_COMMAND | one of them */
};
#define OTEL_COMMAND 0x8000u
enum otel_command {
	OTEL_COMMAND_INVALID,
	OTEL_COMMAND_STOP,
	OTEL_COMMAND_PLT,
	OTEL_COMMAND_SIGNAL,
	OTEL_COMMAND_FP,
};

enum otel_base { OTEL_BASE_NONE, OTEL_BASE_CFA, OTEL_BASE_FP, OTEL_BASE_SP };
struct otel_rule {
	__u8 base; /* enum otel_base */
	__u8 fp_base;
	__u8 is_deref; /* CFA = *(base + param) + post */
	__s8 post;
	__s32 param;
	__s32 fp_param;
};

struct otel_facts {
	__u64 runs;
	__u64 samples; /* of known processes */
	__u64 frames;
	__u64 complete; /* ended at a stop command, or at frame pointer 0 */
};

#endif
