/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * CIE and FDE: their headers, encoded pointers and the numbers that they are made of. A CIE is read once
 * and kept in a small cache of the walk, whatever the number of FDEs that name it. Not here: their programs
 * (cfi_program.c). DWARF 5, 6.4.1; LSB 5.0, 10.6.1: ids, lengths of 64 bits and augmentations of .eh_frame.
 */
#include "cfi_parts.h"

#include <errno.h>

#include "cfi_numbers.h"

#define LENGTH_IS_64_BITS 0xffffffffu
#define LENGTH_RESERVED	  0xfffffff0u
#define LEB_BYTES_MAX	  10
#define REG_RA		  16

uint64_t cfi_bytes__long_uleb(struct cfi_bytes *self)
{
	uint64_t value = 0;

	for (uint32_t shift = 0; self->at < self->end; shift += 7) {
		uint8_t byte = *self->at++;

		if (shift > 63 || (shift == 63 && (byte & 0x7e)))
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	self->is_bad = true;
	return 0;
}

int64_t cfi_bytes__long_sleb(struct cfi_bytes *self)
{
	uint64_t value = 0;

	for (uint32_t shift = 0; self->at < self->end; shift += 7) {
		uint8_t byte = *self->at++;

		/* the tenth byte holds the sign and nothing else */
		if (shift > 63 || (shift == 63 && byte != 0 && byte != 0x7f))
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if ((byte & 0x40) && shift < 57)
			value |= ~0ull << (shift + 7);
		return (int64_t)value;
	}
	self->is_bad = true;
	return 0;
}

uint32_t cfi_encoded_bytes(uint8_t encoding)
{
	switch (encoding & DW_EH_PE_format) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8: return 8;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4: return 4;
	case DW_EH_PE_udata2:
	case DW_EH_PE_sdata2: return 2;
	default: return 0;
	}
}

static uint64_t read_format(struct cfi_bytes *self, uint8_t encoding)
{
	switch (encoding & DW_EH_PE_format) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8: return cfi_bytes__fixed(self, 8);
	case DW_EH_PE_udata4: return cfi_bytes__fixed(self, 4);
	case DW_EH_PE_sdata4: return (uint64_t)(int32_t)cfi_bytes__fixed(self, 4);
	case DW_EH_PE_udata2: return cfi_bytes__fixed(self, 2);
	case DW_EH_PE_sdata2: return (uint64_t)(int16_t)cfi_bytes__fixed(self, 2);
	case DW_EH_PE_uleb128: return cfi_bytes__uleb(self);
	case DW_EH_PE_sleb128: return (uint64_t)cfi_bytes__sleb(self);
	default: self->is_bad = true; return 0;
	}
}

uint64_t cfi_bytes__encoded(struct cfi_bytes *self, uint8_t encoding, uint64_t vaddr,
			    uint64_t data_vaddr)
{
	uint64_t value = read_format(self, encoding);

	switch (encoding & (DW_EH_PE_application | DW_EH_PE_indirect)) {
	case 0: return value;
	case DW_EH_PE_pcrel: return value + vaddr;
	case DW_EH_PE_datarel:
		if (data_vaddr != CFI_NO_DATA)
			return value + data_vaddr;
	}
	self->is_bad = true; /* relative to what, or a pointer to memory that only a process has */
	return 0;
}

/* The header's length field and id. */
struct entry {
	uint64_t off;
	uint64_t bytes; /* all of it */
	uint64_t cie_off; /* UINT64_MAX: a CIE itself */
	uint32_t id_off; /* in the entry */
	uint32_t head_bytes; /* up to behind the id */
};

int cfi_walk__entry_bytes(struct cfi_walk *self, uint64_t off, uint64_t *ret_bytes)
{
	const uint8_t *data;
	uint64_t bytes;
	uint32_t len;
	int err;

	err = cfi_section__view(self->section, &self->frames, off, 4, &data);
	if (err)
		return err;
	memcpy(&len, data, 4);
	if (len == 0) {
		*ret_bytes = 0;
		return 0;
	}
	bytes = 4 + (uint64_t)len;
	if (len == LENGTH_IS_64_BITS) {
		err = cfi_section__view(self->section, &self->frames, off, 12, &data);
		if (err)
			return err;
		memcpy(&bytes, data + 4, 8);
		if (__builtin_add_overflow(bytes, 12, &bytes))
			return -EBADMSG;
	} else if (len >= LENGTH_RESERVED) {
		return -EBADMSG;
	}
	if (bytes > self->section->bytes - off)
		return -EBADMSG;
	*ret_bytes = bytes;
	return 0;
}

/* Reads the whole entry; its id tells which CIE it belongs to. */
static int read_entry(struct cfi_walk *self, uint64_t off, struct entry *ret_entry,
		      const uint8_t **ret_data)
{
	struct entry entry = { .off = off };
	bool is_debug = self->section->is_debug;
	uint64_t id = 0, none;
	uint32_t id_bytes;
	int err;

	err = cfi_walk__entry_bytes(self, off, &entry.bytes);
	if (err)
		return err;
	if (entry.bytes == 0)
		return -ENOENT;
	if (entry.bytes > CFI_ENTRY_BYTES_MAX || entry.bytes > self->work_left)
		return -EBADMSG;
	self->work_left -= entry.bytes;
	err = cfi_section__view(self->section, &self->frames, off, entry.bytes, ret_data);
	if (err)
		return err;
	memcpy(&id, *ret_data, 4);
	entry.id_off = id == LENGTH_IS_64_BITS ? 12 : 4;
	/* in .eh_frame the id has 4 bytes also where the length has 8 */
	id_bytes = is_debug && entry.id_off == 12 ? 8 : 4;
	entry.head_bytes = entry.id_off + id_bytes;
	if (entry.bytes < entry.head_bytes)
		return -EBADMSG;
	id = 0;
	memcpy(&id, *ret_data + entry.id_off, id_bytes);
	none = !is_debug ? 0 : id_bytes == 8 ? UINT64_MAX : UINT32_MAX;
	if (id == none)
		entry.cie_off = UINT64_MAX;
	else if (is_debug)
		entry.cie_off = id;
	else if (id <= off + entry.id_off)
		entry.cie_off = off + entry.id_off - id;
	else
		return -EBADMSG;
	*ret_entry = entry;
	return 0;
}

/* With 'z' data is a block of its own, else it stands before the program (gas: "S" in .debug_frame). */
static int read_augmentation(struct cfi_cie *cie, const char *letters, struct cfi_bytes *data)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R': cie->fde_encoding = cfi_bytes__u8(data); break;
		case 'L': (void)cfi_bytes__u8(data); break;
		/* where the personality routine is is not our business */
		case 'P': (void)read_format(data, cfi_bytes__u8(data)); break;
		case 'S': cie->is_signal = true; break;
		case 'B':
		case 'G': break; /* keys and tags of arm64 */
		default: return -EBADMSG; /* may change the meaning of all that follows */
		}
	}
	return data->is_bad ? -EBADMSG : 0;
}

static int parse_cie(const struct cfi_walk *self, struct cfi_cie *cie, struct cfi_bytes in)
{
	uint8_t version = cfi_bytes__u8(&in);
	const char *letters = (const char *)in.at;
	const uint8_t *nul = memchr(in.at, 0, (size_t)(in.end - in.at));
	uint64_t ra_reg;
	int err = 0;

	if (!nul || (version != 1 && version != 3 && version != 4))
		return -EBADMSG;
	in.at = nul + 1;
	if (strcmp(letters, "eh") == 0) /* gcc 2 */
		(void)cfi_bytes__fixed(&in, 8);
	if (version == 4 && (cfi_bytes__u8(&in) != 8 || cfi_bytes__u8(&in) != 0))
		return -EBADMSG; /* bytes of an address, of a segment selector */
	cie->code_align = cfi_bytes__uleb(&in);
	cie->data_align = cfi_bytes__sleb(&in);
	ra_reg = version == 1 ? cfi_bytes__u8(&in) : cfi_bytes__uleb(&in);
	cie->fde_encoding = DW_EH_PE_absptr;
	if (*letters == 'z') {
		struct cfi_bytes data = cfi_bytes__block(&in);

		cie->has_augmentation = true;
		err = read_augmentation(cie, letters + 1, &data);
	} else if (strcmp(letters, "eh") != 0) {
		err = read_augmentation(cie, letters, &in);
	}
	if (err || in.is_bad || ra_reg != REG_RA)
		return -EBADMSG;
	return cfi_cie__run(cie, in);
}

/* Kept as damaged if it is: asked for once per FDE. */
static int find_cie(struct cfi_walk *self, uint64_t off, const struct cfi_cie **ret_cie)
{
	struct cfi_cie *cie = &self->cies[off / 4 % CFI_CIES];
	struct cfi_bytes in = { 0 };
	struct entry entry;
	const uint8_t *data;
	int err;

	*ret_cie = cie;
	if (cie->off == off)
		return cie->err;
	memset(cie, 0, sizeof(*cie));
	cie->off = UINT64_MAX;
	if (off >= self->section->bytes)
		return -EBADMSG;
	err = read_entry(self, off, &entry, &data);
	if (err && err != -EBADMSG && err != -ENOENT)
		return err;
	cie->err = -EBADMSG;
	if (!err && entry.cie_off == UINT64_MAX && entry.bytes <= CFI_CIE_BYTES_MAX) {
		in.at = data + entry.head_bytes;
		in.end = data + entry.bytes;
		cie->err = parse_cie(self, cie, in);
	}
	cie->off = off;
	return cie->err;
}

static int parse_fde(struct cfi_walk *self, const struct entry *entry, const uint8_t *data,
		     struct cfi_fde *fde)
{
	struct cfi_bytes in = { data + entry->head_bytes, data + entry->bytes, false };
	uint64_t vaddr = self->section->vaddr + entry->off, end;
	uint8_t encoding = fde->cie->fde_encoding;

	fde->vaddr = cfi_bytes__encoded(&in, encoding, vaddr + entry->head_bytes, CFI_NO_DATA);
	fde->bytes = read_format(&in, encoding);
	if (fde->cie->has_augmentation)
		(void)cfi_bytes__block(&in);
	if (in.is_bad || __builtin_add_overflow(fde->vaddr, fde->bytes, &end))
		return -EBADMSG;
	fde->program_vaddr = vaddr + (uint64_t)(in.at - data);
	fde->program = in;
	return 0;
}

int cfi_walk__fde(struct cfi_walk *self, uint64_t off, struct cfi_fde *ret_fde)
{
	struct entry entry;
	const uint8_t *data;
	bool was_kept;
	int err;

	err = read_entry(self, off, &entry, &data);
	if (err)
		return err;
	if (entry.cie_off == UINT64_MAX)
		return -ENOENT;
	was_kept = self->cies[entry.cie_off / 4 % CFI_CIES].off == entry.cie_off;
	err = find_cie(self, entry.cie_off, &ret_fde->cie);
	if (!err && !was_kept) /* reading it moved the window */
		err = cfi_section__view(self->section, &self->frames, off, entry.bytes, &data);
	if (err)
		return err;
	return parse_fde(self, &entry, data, ret_fde);
}
