/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A core dump: registers from NT_PRSTATUS; mappings from NT_FILE, which does not say what is executable (the
 * files do), and from executable segments; memory from the segments or, where these were not written, from the
 * files. It is trusted: a test has made it.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/user.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "target.h"

#define MAPPINGS_MAX 4096
#define MODULES_MAX  512

struct file_part {
	uint64_t start_addr;
	uint64_t end_addr;
	uint64_t off;
	uint32_t module;
	uint64_t bias; /* addr - vaddr */
	bool is_executable;
};
struct core {
	int fd;
	Elf *elf;
	GElf_Phdr *loads;
	size_t load_cnt;
	struct file_part parts[MAPPINGS_MAX]; /* what NT_FILE says */
	uint32_t part_cnt;
	struct mapping mappings[MAPPINGS_MAX];
	struct proc_module modules[MODULES_MAX]; /* 0: none */
	uint32_t module_cnt;
	uint64_t vdso_addr;
};
static struct core *opened; /* the tables ask for modules without saying whose */

const struct proc_module *core__module(uint32_t module)
{
	return &opened->modules[module];
}

static uint32_t module_of(struct core *self, const char *path)
{
	struct stat st;
	int fd;

	for (uint32_t i = 1; i < self->module_cnt; i++)
		if (!strcmp(self->modules[i].path, path))
			return i;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (self->module_cnt == MODULES_MAX || fd < 0 || fstat(fd, &st))
		return 0;
	self->modules[self->module_cnt] = (struct proc_module){ .inode = st.st_ino,
								.dev_major = major(st.st_dev),
								.dev_minor = minor(st.st_dev),
								.kind = MAPPING_FILE,
								.fd = fd,
								.path = path };
	return self->module_cnt++;
}

/* Notes are aligned to 4 bytes only. */
static uint64_t word_at(const uint8_t *note, uint64_t index)
{
	uint64_t word;

	memcpy(&word, note + index * 8, sizeof(word));
	return word;
}

/* count, page size, {start, end, page offset} of each, then the names. */
static void read_files(struct core *self, const uint8_t *note)
{
	uint64_t cnt = word_at(note, 0), page_bytes = word_at(note, 1);
	const char *name = (const char *)note + 8 * (2 + 3 * cnt);

	for (uint64_t i = 0; i < cnt && self->part_cnt < MAPPINGS_MAX; i++) {
		self->parts[self->part_cnt++] =
			(struct file_part){ word_at(note, 2 + 3 * i),
					    word_at(note, 3 + 3 * i),
					    word_at(note, 4 + 3 * i) * page_bytes,
					    module_of(self, name),
					    0,
					    false };
		name += strlen(name) + 1;
	}
}

static void read_auxv(struct core *self, const uint8_t *note, size_t bytes)
{
	for (size_t i = 0; i + 1 < bytes / 8; i += 2)
		if (word_at(note, i) == AT_SYSINFO_EHDR)
			self->vdso_addr = word_at(note, i + 1);
}

static void read_thread(struct target *target, const uint8_t *note)
{
	struct elf_prstatus status;
	struct user_regs_struct regs;
	struct target_thread *thread;

	memcpy(&status, note, sizeof(status));
	memcpy(&regs, &status.pr_reg, sizeof(regs));
	thread = target__add_thread(target, status.pr_pid);
	if (thread)
		target__set_regs(&thread->regs, &regs);
	if (!target->pid)
		target->pid = status.pr_pid;
}

static void read_notes(struct target *target, const GElf_Phdr *header)
{
	struct core *self = target->core;
	size_t at = 0, name_at, desc_at;
	GElf_Nhdr note;
	Elf_Data *data = elf_getdata_rawchunk(self->elf, (int64_t)header->p_offset,
					      header->p_filesz, ELF_T_NHDR);

	while (data && (at = gelf_getnote(data, at, &note, &name_at, &desc_at)) > 0) {
		const uint8_t *desc = (const uint8_t *)data->d_buf + desc_at;

		if (note.n_type == NT_PRSTATUS)
			read_thread(target, desc);
		else if (note.n_type == NT_FILE)
			read_files(self, desc);
		else if (note.n_type == NT_AUXV)
			read_auxv(self, desc, note.n_descsz);
	}
}

static const struct file_part *part_at(const struct core *self, uint64_t addr)
{
	for (uint32_t i = 0; i < self->part_cnt; i++)
		if (addr >= self->parts[i].start_addr && addr < self->parts[i].end_addr)
			return &self->parts[i];
	return NULL;
}

/* What the file's headers say of a part. */
static void ask_file(struct core *self, struct file_part *part)
{
	Elf *elf = elf_begin(self->modules[part->module].fd, ELF_C_READ_MMAP, NULL);
	size_t header_cnt = 0;

	if (!elf || elf_getphdrnum(elf, &header_cnt))
		header_cnt = 0;
	for (size_t i = 0; i < header_cnt; i++) {
		uint64_t bytes = part->end_addr - part->start_addr, begin;
		GElf_Phdr header;

		if (!gelf_getphdr(elf, (int)i, &header) || header.p_type != PT_LOAD)
			continue;
		begin = header.p_offset & ~4095ull;
		if (part->off + bytes <= begin || part->off >= header.p_offset + header.p_filesz)
			continue;
		part->bias = part->start_addr - (header.p_vaddr + part->off - header.p_offset);
		part->is_executable = header.p_flags & PF_X;
		if (part->off == begin)
			break;
	}
	elf_end(elf);
}

static struct mapping *add_mapping(struct target *target, uint64_t start_addr, uint64_t end_addr)
{
	struct mapping *mapping = &target->core->mappings[target->mapping_cnt++];

	pp_assert(target->mapping_cnt <= MAPPINGS_MAX);
	*mapping = (struct mapping){
		.start_addr = start_addr, .end_addr = end_addr, .kind = MAPPING_ANON, .path = ""
	};
	return mapping;
}

static int compare_mappings(const void *a, const void *b)
{
	const struct mapping *left = a, *right = b;

	return left->start_addr < right->start_addr ? -1 : left->start_addr > right->start_addr;
}

static void make_mappings(struct target *target)
{
	struct core *self = target->core;
	struct mapping *mapping;

	for (uint32_t i = 0; i < self->part_cnt; i++) {
		struct file_part *part = &self->parts[i];
		const struct proc_module *module = &self->modules[part->module];

		ask_file(self, part);
		if (!part->module || !part->is_executable)
			continue;
		mapping = add_mapping(target, part->start_addr, part->end_addr);
		mapping->kind = MAPPING_FILE;
		mapping->off = part->off;
		mapping->module = part->module;
		mapping->inode = module->inode;
		mapping->path = module->path;
	}
	for (size_t i = 0; i < self->load_cnt; i++) {
		const GElf_Phdr *load = &self->loads[i];

		if (!(load->p_flags & PF_X) || load->p_vaddr >> 63 || part_at(self, load->p_vaddr))
			continue;
		mapping = add_mapping(target, load->p_vaddr, load->p_vaddr + load->p_memsz);
		if (load->p_vaddr == self->vdso_addr) {
			mapping->kind = MAPPING_VDSO;
			mapping->path = "[vdso]";
		}
	}
	qsort(self->mappings, target->mapping_cnt, sizeof(*self->mappings), compare_mappings);
	target->mappings = self->mappings;
}

bool core__file(const struct target *target, uint32_t i, const char **ret_path, uint64_t *ret_bias)
{
	const struct core *self = target->core;

	for (uint32_t k = 0; i + 1 < self->module_cnt && k < self->part_cnt; k++)
		if (self->parts[k].module == i + 1) {
			*ret_path = self->modules[i + 1].path;
			*ret_bias = self->parts[k].bias;
			return true;
		}
	return false;
}

int target__open_core(struct target *target, const char *path)
{
	size_t header_cnt;
	struct core *self;

	*target = (struct target){ 0 };
	self = target->core = opened = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->modules[self->module_cnt++] =
		(struct proc_module){ .fd = -1, .err = -ENOENT, .path = "" };
	(void)elf_version(EV_CURRENT);
	self->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (self->fd < 0)
		return -errno;
	self->elf = elf_begin(self->fd, ELF_C_READ_MMAP, NULL);
	if (!self->elf || elf_getphdrnum(self->elf, &header_cnt))
		return -EBADMSG;
	self->loads = calloc(header_cnt, sizeof(*self->loads));
	if (!self->loads)
		return -ENOMEM;
	for (size_t i = 0; i < header_cnt; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(self->elf, (int)i, &header))
			return -EBADMSG;
		if (header.p_type == PT_NOTE)
			read_notes(target, &header);
		else if (header.p_type == PT_LOAD)
			self->loads[self->load_cnt++] = header;
	}
	make_mappings(target);
	return target->thread_cnt && target->mapping_cnt ? 0 : -EBADMSG;
}

void core__free(struct target *target)
{
	struct core *self = target->core;

	if (!self)
		return;
	for (uint32_t i = 1; i < self->module_cnt; i++)
		close(self->modules[i].fd);
	elf_end(self->elf);
	if (self->fd >= 0)
		close(self->fd);
	free(self->loads);
	free(self);
}

static int read_at(int fd, uint64_t off, uint8_t *data, size_t bytes)
{
	return pread(fd, data, bytes, (off_t)off) == (ssize_t)bytes ? 0 : -EFAULT;
}

int core__read(const struct target *target, uint64_t addr, void *data, size_t bytes)
{
	const struct core *self = target->core;
	uint8_t *to = data;

	while (bytes) {
		const GElf_Phdr *load = NULL;
		const struct file_part *part = part_at(self, addr);
		size_t here;
		int err;

		for (size_t i = 0; i < self->load_cnt && !load; i++)
			if (addr - self->loads[i].p_vaddr < self->loads[i].p_memsz)
				load = &self->loads[i];
		if (!load)
			return -EFAULT;
		if (addr - load->p_vaddr < load->p_filesz) {
			here = min_of(bytes, load->p_vaddr + load->p_filesz - addr);
			err = read_at(self->fd, load->p_offset + (addr - load->p_vaddr), to, here);
		} else if (part && part->module) {
			here = min_of(bytes, part->end_addr - addr);
			err = read_at(self->modules[part->module].fd,
				      part->off + (addr - part->start_addr), to, here);
		} else {
			return -EFAULT;
		}
		if (err)
			return err;
		to += here;
		addr += here;
		bytes -= here;
	}
	return 0;
}
