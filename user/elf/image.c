/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Opens an ELF file: its header, program headers and section headers, each read by pread into our own
 * memory, counted and capped before it is believed. Every other read of this room goes through
 * elf_image__read, which refuses what is not wholly inside the file. Files of other processes are never
 * mapped: one truncated under us would be SIGBUS. A sparse file of a terabyte costs no more than its
 * headers say, and they are capped (internal.h). Not here: symbols (symtab.c), notes (note.c).
 * Layout: System V ABI, chapters 4 and 5; extended numbering: "ELF Header", e_shnum and e_phnum.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "pp/base/cleanup.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ELF_DATA_NATIVE ELFDATA2LSB
#else
#define ELF_DATA_NATIVE ELFDATA2MSB
#endif

int elf_image__read(const struct elf_image *self, uint64_t off, void *data, size_t len)
{
	uint64_t end;
	size_t done = 0;

	if (__builtin_add_overflow(off, len, &end) || end > self->len)
		return -EBADMSG;
	if (self->memory) {
		memcpy(data, self->memory + off, len);
		return 0;
	}
	while (done < len) {
		ssize_t n = pread(self->fd, (char *)data + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) /* shrunk since it was opened */
			return -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

/* Reads cnt elements into new memory. */
static int read_array(const struct elf_image *self, uint64_t off, uint64_t cnt, size_t elem_bytes,
		      void **ret_array)
{
	_auto_free_ void *array = NULL;
	uint64_t end;
	int err;

	/* cnt is capped by the callers; refuse before allocating what cannot be in the file */
	if (__builtin_add_overflow(off, cnt * elem_bytes, &end) || end > self->len)
		return -EBADMSG;
	array = malloc(cnt * elem_bytes);
	if (!array)
		return -ENOMEM;
	err = elf_image__read(self, off, array, cnt * elem_bytes);
	if (err)
		return err;
	*ret_array = take_ptr(array);
	return 0;
}

static int read_header(const struct elf_image *self, Elf64_Ehdr *ret_header)
{
	Elf64_Ehdr header;
	int err;

	err = elf_image__read(self, 0, &header, sizeof(header));
	if (err)
		return err;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_VERSION] != EV_CURRENT)
		return -EBADMSG;
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELF_DATA_NATIVE)
		return -EOPNOTSUPP;
	*ret_header = header;
	return 0;
}

static int read_sections(struct elf_image *self, const Elf64_Ehdr *header)
{
	Elf64_Shdr first;
	uint64_t cnt = header->e_shnum;
	void *sections;
	int err;

	if (header->e_shoff == 0)
		return 0;
	if (header->e_shentsize != sizeof(first))
		return -EBADMSG;
	if (cnt == 0) { /* extended numbering */
		err = elf_image__read(self, header->e_shoff, &first, sizeof(first));
		if (err)
			return err;
		cnt = first.sh_size;
	}
	if (cnt == 0)
		return 0;
	if (cnt > ELF_SECTIONS_MAX)
		return -EBADMSG;
	err = read_array(self, header->e_shoff, cnt, sizeof(first), &sections);
	if (err)
		return err;
	self->sections = sections;
	self->section_cnt = (uint32_t)cnt;
	self->section_names = header->e_shstrndx;
	if (header->e_shstrndx == SHN_XINDEX)
		self->section_names = self->sections[0].sh_link;
	return 0;
}

static int add_segment(struct elf_image *self, const Elf64_Phdr *segment)
{
	uint64_t end;

	if (segment->p_type == PT_NOTE)
		return elf_image__scan_notes(self, segment->p_offset, segment->p_filesz,
					     segment->p_align);
	if (segment->p_type == PT_GNU_EH_FRAME)
		self->eh_frame_hdr = *segment;
	if (segment->p_type == PT_INTERP)
		self->is_program = true;
	if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || segment->p_filesz == 0)
		return 0;
	if (__builtin_add_overflow(segment->p_offset, segment->p_filesz, &end) ||
	    __builtin_add_overflow(segment->p_vaddr, segment->p_filesz, &end) ||
	    self->code_cnt == ELF_CODE_SEGMENTS_MAX)
		return -EBADMSG;
	self->code[self->code_cnt++] = (struct elf_code_segment){
		.off = segment->p_offset,
		.file_bytes = segment->p_filesz,
		.vaddr = segment->p_vaddr,
	};
	return 0;
}

static int read_segments(struct elf_image *self, const Elf64_Ehdr *header)
{
	_auto_free_ void *array = NULL;
	const Elf64_Phdr *segments;
	uint64_t cnt = header->e_phnum;
	int err = 0;

	if (cnt == PN_XNUM && self->section_cnt > 0)
		cnt = self->sections[0].sh_info;
	if (cnt == 0)
		return 0;
	if (cnt > ELF_SEGMENTS_MAX || header->e_phentsize != sizeof(*segments))
		return -EBADMSG;
	err = read_array(self, header->e_phoff, cnt, sizeof(*segments), &array);
	if (err)
		return err;
	segments = array;
	for (uint64_t i = 0; i < cnt && !err; i++)
		err = add_segment(self, &segments[i]);
	return err;
}

/* A file linked without program headers for its notes (relocatable, kernel modules) has them here. */
static int scan_note_sections(struct elf_image *self)
{
	int err = 0;

	for (uint32_t i = 0; i < self->section_cnt && !err; i++) {
		const Elf64_Shdr *section = &self->sections[i];

		if (section->sh_type == SHT_NOTE)
			err = elf_image__scan_notes(self, section->sh_offset, section->sh_size,
						    section->sh_addralign);
	}
	return err;
}

static int open_image(struct elf_image *image, struct elf_image **ret_image)
{
	Elf64_Ehdr header;
	int err;

	err = read_header(image, &header);
	if (!err)
		err = read_sections(image, &header);
	if (!err)
		err = read_segments(image, &header);
	if (!err)
		err = scan_note_sections(image);
	if (err) {
		elf_image__close(image);
		return err;
	}
	if (header.e_type == ET_EXEC)
		image->is_program = true;
	image->is_relocatable = header.e_type == ET_REL;
	image->entry_vaddr = header.e_entry;
	image->machine = header.e_machine;
	*ret_image = image;
	return 0;
}

int elf_image__open(int fd, struct elf_image **ret_image)
{
	struct elf_image *image;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	image = calloc(1, sizeof(*image));
	if (!image)
		return -ENOMEM;
	image->fd = fd;
	image->len = (uint64_t)st.st_size;
	return open_image(image, ret_image);
}

int elf_image__from_memory(const void *data, size_t len, struct elf_image **ret_image)
{
	struct elf_image *image = calloc(1, sizeof(*image));

	if (!image)
		return -ENOMEM;
	image->fd = -1;
	image->memory = data;
	image->len = len;
	return open_image(image, ret_image);
}

void elf_image__close(struct elf_image *self)
{
	if (!self)
		return;
	free(self->sections);
	free(self);
}

void elf_image__build_id(const struct elf_image *self, struct elf_build_id *ret_id)
{
	*ret_id = self->build_id;
}

uint64_t elf_image__entry_vaddr(const struct elf_image *self)
{
	return self->entry_vaddr;
}

bool elf_image__is_program(const struct elf_image *self)
{
	return self->is_program;
}

int elf_image__off_to_vaddr(const struct elf_image *self, uint64_t off, uint64_t *ret_vaddr)
{
	for (uint32_t i = 0; i < self->code_cnt; i++) {
		const struct elf_code_segment *code = &self->code[i];

		if (off >= code->off && off - code->off < code->file_bytes) {
			*ret_vaddr = code->vaddr + (off - code->off);
			return 0;
		}
	}
	return -ENOENT;
}
