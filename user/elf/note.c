/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the GNU build id among ELF notes. A note is three words (name bytes, description bytes, type),
 * then name and description, each padded to 4 bytes, or to 8 in ranges aligned to 8 (gABI, "Note
 * Section"; linkers keep both kinds apart). A note that reaches past its range ends the search: the id
 * is an extra, a file without one is still worth its symbols.
 */
#include "internal.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "pp/base/cleanup.h"

static uint64_t padded(uint64_t bytes, uint64_t align)
{
	return (bytes + align - 1) & ~(align - 1);
}

static bool is_build_id(const Elf64_Nhdr *note, const uint8_t *name)
{
	return note->n_type == NT_GNU_BUILD_ID && note->n_namesz == sizeof(ELF_NOTE_GNU) &&
	       memcmp(name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0 && note->n_descsz > 0 &&
	       note->n_descsz <= ELF_BUILD_ID_BYTES;
}

int elf_image__scan_notes(struct elf_image *self, uint64_t off, uint64_t bytes, uint64_t align)
{
	_auto_free_ uint8_t *data = NULL;
	uint64_t pos = 0;
	int err;

	if (self->build_id.len > 0 || self->note_range_cnt++ >= ELF_NOTE_RANGES_MAX)
		return 0;
	bytes = min_of(bytes, (uint64_t)ELF_NOTE_BYTES_MAX);
	align = align == 8 ? 8 : 4;
	if (bytes < sizeof(Elf64_Nhdr))
		return 0;
	data = malloc(bytes);
	if (!data)
		return -ENOMEM;
	err = elf_image__read(self, off, data, bytes);
	if (err)
		return err;
	while (bytes - pos >= sizeof(Elf64_Nhdr)) {
		uint64_t name_pos = pos + sizeof(Elf64_Nhdr), desc_pos, next;
		Elf64_Nhdr note;

		memcpy(&note, data + pos, sizeof(note));
		desc_pos = name_pos + padded(note.n_namesz, align);
		next = desc_pos + padded(note.n_descsz, align);
		if (desc_pos + note.n_descsz > bytes)
			break;
		if (is_build_id(&note, data + name_pos)) {
			self->build_id.len = (uint8_t)note.n_descsz;
			memcpy(self->build_id.bytes, data + desc_pos, note.n_descsz);
			break;
		}
		pos = min_of(next, bytes);
	}
	return 0;
}
