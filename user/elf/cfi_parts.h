/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ELF_CFI_PARTS_H
#define PP_ELF_CFI_PARTS_H
/*
 * The functions between the files of the CFI part, and the reading of its variable-length numbers, which
 * stands here to be inlined: it is where conversion spends its time. The structs are in cfi.h.
 */
#include <string.h>

#include "cfi.h"

uint64_t cfi_bytes__long_uleb(struct cfi_bytes *self);
int64_t cfi_bytes__long_sleb(struct cfi_bytes *self);
/* DW_EH_PE_* (LSB 5.0, 10.5): vaddr is where the value stands, data_vaddr what DW_EH_PE_datarel adds. */
uint64_t cfi_bytes__encoded(struct cfi_bytes *self, uint8_t encoding, uint64_t vaddr,
			    uint64_t data_vaddr);
#define CFI_NO_DATA UINT64_MAX /* data_vaddr: datarel is refused */
/* Bytes of a pointer of that format; 0: not of fixed length, or unknown. */
uint32_t cfi_encoded_bytes(uint8_t encoding);

static inline uint64_t cfi_bytes__fixed(struct cfi_bytes *self, uint32_t bytes)
{
	uint64_t value = 0;

	if ((size_t)(self->end - self->at) < bytes) {
		self->is_bad = true;
		self->at = self->end;
		return 0;
	}
	memcpy(&value, self->at, bytes); /* little endian, as all of x86-64 */
	self->at += bytes;
	return value;
}

static inline uint8_t cfi_bytes__u8(struct cfi_bytes *self)
{
	return (uint8_t)cfi_bytes__fixed(self, 1);
}

static inline uint64_t cfi_bytes__uleb(struct cfi_bytes *self)
{
	if (self->at < self->end && *self->at < 0x80)
		return *self->at++;
	return cfi_bytes__long_uleb(self);
}

static inline int64_t cfi_bytes__sleb(struct cfi_bytes *self)
{
	if (self->at < self->end && *self->at < 0x80)
		return (int8_t)(uint8_t)(*self->at++ << 1) >> 1;
	return cfi_bytes__long_sleb(self);
}

/* A block with its length in front: the bytes of an expression. */
static inline struct cfi_bytes cfi_bytes__block(struct cfi_bytes *self)
{
	uint64_t len = cfi_bytes__uleb(self);
	struct cfi_bytes block = { self->at, self->at, true };

	if (len > (uint64_t)(self->end - self->at)) {
		self->is_bad = true;
		self->at = self->end;
		return block;
	}
	self->at += len;
	block.end = self->at;
	block.is_bad = false;
	return block;
}

/* cfi_section.c: finds what the image has. -ENOENT: neither section. */
int elf_cfi__find_sections(struct elf_cfi *self, const struct elf_image *image);
/* Unpacks a compressed section when it is first needed. */
int cfi_section__load(struct cfi_section *self);
/*
 * *ret_data: len bytes at off of the section, borrowed until the window is used again. -EBADMSG: not
 * inside; -ENOMEM, -errno.
 */
int cfi_section__view(const struct cfi_section *self, struct cfi_window *window, uint64_t off,
		      size_t len, const uint8_t **ret_data);
/* The same at a file offset of the image. */
int cfi_window__view(struct cfi_window *self, const struct elf_image *image, uint64_t off,
		     size_t len, const uint8_t **ret_data);

/* cfi_index.c. Reads the table's header at this file offset; is the table sound? 0, -EBADMSG, -errno. */
int cfi_index__open(struct cfi_index *self, struct cfi_walk *walk, uint64_t header_off,
		    uint64_t header_bytes, uint64_t header_vaddr);
/* Goes through the walk's section and sorts what it finds. */
int cfi_index__build(struct cfi_index *self, struct cfi_walk *walk);
int cfi_index__at(const struct cfi_index *self, struct cfi_walk *walk, uint32_t i,
		  struct cfi_index_entry *ret_entry);
/* The first entry of those that begin where the last one at or below vaddr begins; 0 if there is none. */
int cfi_index__seek(const struct cfi_index *self, struct cfi_walk *walk, uint64_t vaddr,
		    uint32_t *ret_i);

/* cfi_entry.c. The length of the entry at off with its length field; 0: a terminator. */
int cfi_walk__entry_bytes(struct cfi_walk *self, uint64_t off, uint64_t *ret_bytes);
/* 0, -ENOENT (a CIE or a terminator), -EBADMSG, -ENOMEM, -errno. Borrowed until the next entry. */
int cfi_walk__fde(struct cfi_walk *self, uint64_t off, struct cfi_fde *ret_fde);

/* cfi_program.c: 0, -EBADMSG (damaged from out->cursor on), or what fn returned, as a positive or negative number. */
int cfi_fde__run(const struct cfi_fde *self, uint64_t limit_vaddr, struct cfi_out *out,
		 int *ret_stop);
/* The program of a CIE: the state in which its FDEs begin. */
int cfi_cie__run(struct cfi_cie *self, struct cfi_bytes program);
uint64_t cfi_state__rule(const struct cfi_state *self, bool is_signal);

/* cfi_expr.c: what we can say of an expression. What we cannot: PP_CFA_UNSUPPORTED, CFI_OTHER. */
void cfi_expr__value(struct cfi_bytes expr, struct cfi_value *ret_value);
void cfi_expr__place(struct cfi_bytes expr, struct cfi_saved *ret_saved);

/* cfi.c. Returns fn's result. */
int cfi_out__row(struct cfi_out *self, uint64_t begin_vaddr, uint64_t end_vaddr, uint64_t rule);

#endif
