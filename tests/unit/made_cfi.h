/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef MADE_CFI_H
#define MADE_CFI_H
/*
 * Call frame information byte by byte: entries being written, the rows that come out of a file made around
 * them, and rules spelled out. Include cmocka first.
 */
#include "made_frames.h"
#include "pp/base/cleanup.h"
#include "pp/elf_cfi.h"

#define ROWS_MAX  256
#define FDE_VADDR 0x1000 /* where the code of most entries begins */
#define FDE_BYTES 0x200

struct rows {
	uint32_t cnt;
	struct elf_cfi_row rows[ROWS_MAX];
};

/* Rules, spelled out. */
#define REG(reg, off) (PP_CFA_REG | (uint64_t)(reg) << 4 | (uint64_t)(off) << 40)
#define DEREF(reg, off, param)                                                           \
	(PP_CFA_DEREF | (uint64_t)(reg) << 4 | ((uint64_t)((param) / 8) & 0xfff) << 28 | \
	 (uint64_t)(off) << 40)
#define PLT(late)     (PP_CFA_PLT | 7ull << 4 | (uint64_t)(late) << 28 | 8ull << 40)
#define FP_AT(off)    ((uint64_t)PP_FP_AT_CFA << 8 | ((uint64_t)((off) / 8) & 0xfff) << 16)
#define FP_AT_FP(off) ((uint64_t)PP_FP_AT_FP << 8 | ((uint64_t)((off) / 8) & 0xfff) << 16)
#define FP_UNKNOWN    ((uint64_t)PP_FP_UNKNOWN << 8)
#define RA_AT(off)    ((uint64_t)PP_RA_AT_CFA_PARAM << 10 | ((uint64_t)((off) / 8) & 0xfff) << 28)
#define RA_IN(reg)    ((uint64_t)PP_RA_IN_REG << 10 | (uint64_t)(reg) << 12)
#define RSP8	      REG(7, 8)
#define UNSUPPORTED   ((uint64_t)PP_CFA_UNSUPPORTED)

static inline int keep(void *arg, const struct elf_cfi_row *row)
{
	struct rows *rows = arg;

	assert_true(rows->cnt < ROWS_MAX);
	if (rows->cnt > 0) {
		assert_true(row->vaddr > rows->rows[rows->cnt - 1].vaddr);
		assert_true(row->rule != rows->rows[rows->cnt - 1].rule);
	}
	rows->rows[rows->cnt++] = *row;
	return 0;
}

/* All rows of a file in memory, with what was met on the way. */
static inline int read_file(const void *data, size_t len, struct rows *rows,
			    struct elf_cfi_stats *ret_stats)
{
	struct elf_image *image = NULL;
	struct elf_cfi *cfi = NULL;
	int err;

	rows->cnt = 0;
	memset(ret_stats, 0, sizeof(*ret_stats));
	err = elf_image__from_memory(data, len, &image);
	if (!err)
		err = elf_cfi__open(image, &cfi);
	if (!err) {
		err = elf_cfi__each_row(cfi, 0, UINT64_MAX, keep, rows);
		elf_cfi__stats(cfi, ret_stats);
	}
	elf_cfi__close(cfi);
	elf_image__close(image);
	return err;
}

static inline int read_made(const struct made_frames *made, struct rows *rows,
			    struct elf_cfi_stats *ret_stats)
{
	size_t len;
	_auto_free_ void *file = made_frames__file(made, &len);

	return read_file(file, len, rows, ret_stats);
}

/* Frame entries being written. */
struct bytes {
	uint8_t data[4096];
	size_t len;
};

static inline void put(struct bytes *self, const void *data, size_t len)
{
	assert_true(self->len + len <= sizeof(self->data));
	if (len)
		memcpy(self->data + self->len, data, len);
	self->len += len;
}

static inline void put_int(struct bytes *self, uint64_t value, size_t len)
{
	put(self, &value, len);
}
#define PUT(self, ...)                                \
	do {                                          \
		const uint8_t b_[] = { __VA_ARGS__ }; \
		put(self, b_, sizeof(b_));            \
	} while (0)

static inline void put_entry(struct bytes *self, uint32_t id, const struct bytes *content)
{
	put_int(self, content->len + 4, 4);
	put_int(self, id, 4);
	put(self, content->data, content->len);
}

/* A CIE at 0, as compilers make it but for absolute pointers: rsp + 8, return address below it. */
static inline void put_cie(struct bytes *self)
{
	struct bytes cie = { .len = 0 };

	PUT(&cie, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x04, 0x0c, 7, 8, 0x90, 1);
	put_entry(self, 0, &cie);
}

static inline void put_fde(struct bytes *self, uint64_t vaddr, uint64_t code_bytes,
			   const void *program, size_t len)
{
	struct bytes fde = { .len = 0 };

	put_int(&fde, vaddr, 8);
	put_int(&fde, code_bytes, 8);
	PUT(&fde, 0);
	put(&fde, program, len);
	put_entry(self, (uint32_t)self->len + 4, &fde);
}

static inline uint64_t rule_at(const struct rows *rows, uint64_t vaddr)
{
	uint64_t rule = PP_RULE_NONE;

	for (uint32_t i = 0; i < rows->cnt && rows->rows[i].vaddr <= vaddr; i++)
		rule = rows->rows[i].rule;
	return rule;
}

#define BYTES(...) ((const uint8_t[]){ __VA_ARGS__ }), sizeof((const uint8_t[]){ __VA_ARGS__ })
#define RULES	   0x0c, 7, 8, 0x90, 1 /* rsp + 8, return address below it */

#endif
