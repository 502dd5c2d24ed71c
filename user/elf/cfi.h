/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ELF_CFI_PRIVATE_H
#define PP_ELF_CFI_PRIVATE_H
/*
 * What the files of the CFI part share: a section of frame entries and a window over it (cfi_section.c),
 * where entries begin (cfi_index.c), CIE and FDE (cfi_entry.c), the state that their programs change
 * (cfi_program.c, cfi_expr.c), and where rows go (cfi.c). Nothing of a file is kept but an index, where the
 * file has none that is sound. The limits bound what a hostile file costs in time and memory.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "internal.h"
#include "pp/elf_cfi.h"

#define CFI_SECTION_BYTES_MAX  (512u << 20)
#define CFI_UNPACKED_BYTES_MAX (64u << 20)
#define CFI_ENTRY_BYTES_MAX    (256u << 10) /* measured: at most 11,600 (librustc_driver) */
#define CFI_CIE_BYTES_MAX      1024
#define CFI_INDEX_MAX	       1000000 /* entries of an index of our own: 16 MB */
#define CFI_WINDOW_BYTES       16384
#define CFI_TABLE_WINDOW_BYTES 8192
#define CFI_CIES	       32 /* kept at a time; a power of two */
#define CFI_REMEMBERED_MAX     32
#define CFI_WORK_PER_CODE_BYTE 64 /* CFI bytes run; more is an attack, not a program */

/* Bytes being read. Past the end everything reads as 0 and is_bad stays set. */
struct cfi_bytes {
	const uint8_t *at;
	const uint8_t *end;
	bool is_bad;
};

struct cfi_index_entry {
	uint64_t vaddr;
	uint64_t off; /* of the FDE in its section */
};

/* .eh_frame_hdr's table as it stands in the file, or an index of our own. */
struct cfi_index {
	uint64_t table_off; /* file offset */
	uint64_t table_vaddr;
	uint64_t header_vaddr;
	uint8_t encoding;
	uint8_t entry_bytes; /* 0: no table */
	uint32_t cnt;
	struct cfi_index_entry *entries; /* our own; then entry_bytes is 0 */
	bool is_built;
};

struct cfi_section {
	const struct elf_image *image;
	uint64_t off;
	uint64_t vaddr;
	uint64_t bytes; /* 0: there is none */
	uint8_t *data; /* unpacked, or NULL: read from the image */
	uint64_t packed_bytes; /* != 0: unpack it when it is first needed */
	bool is_packed_by_name; /* .zdebug_frame: its own header */
	bool has_terminator; /* bytes is only a bound: it ends at a zero length */
	bool is_debug; /* .debug_frame: other ids, other addresses */
	struct cfi_index index;
};

struct elf_cfi {
	struct cfi_section eh;
	struct cfi_section debug;
	struct elf_cfi_stats stats;
};

struct cfi_window {
	uint8_t *data;
	uint64_t off; /* of the image */
	size_t len;
	size_t cap;
};

/* How the caller's value of a register is found. */
enum cfi_how {
	CFI_SAME, /* or never mentioned */
	CFI_AT_CFA, /* at CFA + off */
	CFI_AT_REG, /* at reg + off */
	CFI_IN_REG,
	CFI_UNDEFINED,
	CFI_OTHER, /* some way that rules cannot say */
};
struct cfi_saved {
	uint8_t how; /* enum cfi_how */
	uint8_t reg;
	int64_t off;
};
struct cfi_value {
	uint8_t form; /* PP_CFA_REG, PP_CFA_DEREF, PP_CFA_PLT, or PP_CFA_UNSUPPORTED */
	uint8_t reg;
	int64_t off;
	int64_t param; /* DEREF: bytes added; PLT: the threshold */
};
struct cfi_state {
	struct cfi_value cfa;
	int64_t def_off; /* of DW_CFA_def_cfa_offset; outlives an expression */
	bool cfa_is_expr;
	struct cfi_saved fp;
	struct cfi_saved sp;
	struct cfi_saved ra;
};

struct cfi_cie {
	uint64_t off; /* UINT64_MAX: an empty slot */
	int err;
	uint64_t code_align;
	int64_t data_align;
	uint8_t fde_encoding;
	bool has_augmentation; /* 'z': a length stands before the FDE's program */
	bool is_signal;
	struct cfi_state initial;
};

struct cfi_fde {
	const struct cfi_cie *cie;
	uint64_t vaddr;
	uint64_t bytes; /* of code */
	uint64_t program_vaddr;
	struct cfi_bytes program;
};

/* What one call needs: freed at its end, so that an idle file costs next to nothing. */
struct cfi_walk {
	struct elf_cfi *cfi;
	struct cfi_section *section;
	struct cfi_window table;
	struct cfi_window frames;
	struct cfi_cie cies[CFI_CIES];
	uint64_t work_left; /* bytes of CFI that may still be run */
};

/* Rows in the making: each interval [cursor, ...) is given out once, equal neighbours merged. */
struct cfi_out {
	struct elf_cfi_stats *stats;
	elf_cfi_row_fn fn;
	void *arg;
	uint64_t cursor;
	uint64_t high;
	uint64_t last_rule;
	bool has_last;
	struct cfi_walk *filler; /* walks the other section where this one has a gap, or NULL */
};

#endif
