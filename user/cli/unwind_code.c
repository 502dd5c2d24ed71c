/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The code of one process, read once: its executable mappings, the files behind them, words of its memory,
 * the stack pointer of a thread that waits somewhere. Nothing is stopped, traced or kept open: the process
 * goes on, and what is read may be gone a moment later.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"
#include "pp/base/vec.h"
#include "pp/proc_file.h"
#include "unwind.h"

#define MAPPINGS_MAX   65536
#define MAPS_BYTES_MAX (64u << 20)
#define THREADS_MAX    4096
#define VDSO_BYTES_MAX 65536

static int add_mapping(void *arg, const struct mapping *mapping)
{
	struct code *self = arg;
	struct code_mapping *added;
	int err;

	err = vec_room(self->maps, self->map_cnt + 1, self->map_cap, MAPPINGS_MAX);
	if (err)
		return err;
	added = &self->maps[self->map_cnt];
	memset(added, 0, sizeof(*added));
	added->map = *mapping;
	added->fd = added->debug_fd = -1;
	added->map.path = strdup(mapping->path);
	if (!added->map.path)
		return -ENOMEM;
	self->map_cnt++;
	return 0;
}

static int read_maps(struct code *self, uint32_t tid)
{
	_auto_buf_ struct buf text;
	int err;

	buf__init(&text, MAPS_BYTES_MAX);
	err = sysroot__read(self->root, &text, "proc/%u/task/%u/maps", self->pid, tid);
	self->tid = tid;
	return err ? err : maps__parse(text.data, text.len, add_mapping, self);
}

/* Calls fn with each thread until it returns other than 0. */
static int each_thread(const struct code *self, int (*fn)(void *arg, uint32_t tid), void *arg)
{
	int fd = sysroot__open(self->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC, "proc/%u/task",
			       self->pid);
	uint32_t cnt = 0;
	struct dirent *entry;
	DIR *dir;
	int found = 0;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (!found && cnt < THREADS_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		cnt++;
		found = fn(arg, (uint32_t)strtoul(entry->d_name, NULL, 10));
	}
	closedir(dir);
	return found;
}

/* 1: this thread had mappings to show. */
static int try_maps(void *arg, uint32_t tid)
{
	struct code *self = arg;
	int err = read_maps(self, tid);

	if (err == -ENOENT || err == -ESRCH) /* it has just ended */
		return 0;
	return err ? err : self->map_cnt > 0;
}

int code__read(struct code *self, const struct sysroot *root, uint32_t pid)
{
	struct proc_stat stat;
	int err;

	memset(self, 0, sizeof(*self));
	self->mem_fd = -1;
	self->root = root;
	self->pid = pid;
	err = proc__stat(root, pid, &stat);
	if (err)
		return err == -ENOENT ? -ESRCH : err;
	self->start_ticks = stat.start_ticks;
	self->mem_fd = sysroot__open(root, O_RDONLY | O_CLOEXEC, "proc/%u/mem", pid);
	err = read_maps(self, pid);
	/* A leader that has ended shows none, its other threads do. */
	if (err == -ENOENT || err == -ESRCH || (!err && !self->map_cnt))
		err = each_thread(self, try_maps, self);
	return err < 0 ? err : 0;
}

void code__free(struct code *self)
{
	for (size_t i = 0; i < self->map_cnt; i++) {
		code__close_file(&self->maps[i]);
		free((char *)self->maps[i].map.path);
	}
	free(self->maps);
	if (self->mem_fd >= 0)
		close(self->mem_fd);
}

struct code_mapping *code__find(struct code *self, uint64_t addr)
{
	for (size_t i = 0; i < self->map_cnt; i++) {
		struct code_mapping *mapping = &self->maps[i];

		if (addr >= mapping->map.start_addr && addr < mapping->map.end_addr)
			return mapping;
	}
	return NULL;
}

static int open_vdso(struct code *self, struct code_mapping *mapping)
{
	uint64_t bytes = mapping->map.end_addr - mapping->map.start_addr;

	if (bytes > VDSO_BYTES_MAX)
		return -EBADMSG;
	mapping->image = malloc(bytes);
	if (!mapping->image)
		return -ENOMEM;
	if (self->mem_fd < 0 || pread(self->mem_fd, mapping->image, bytes,
				      (off_t)mapping->map.start_addr) != (ssize_t)bytes)
		return -EACCES;
	return unwind_file__from_memory(mapping->image, bytes, &mapping->file);
}

int code__open_elf(const struct sysroot *root, int fd, int *ret_debug_fd,
		   struct unwind_file **ret_file)
{
	struct elf_build_id id = { 0 };
	int debug_fd, err = unwind_file__open(fd, -1, ret_file);

	if (err)
		return err;
	elf_image__build_id(unwind_file__image(*ret_file), &id);
	debug_fd = unwind_debug__open(root, &id);
	*ret_debug_fd = -1;
	if (debug_fd < 0)
		return 0;
	unwind_file__close(*ret_file);
	err = unwind_file__open(fd, debug_fd, ret_file);
	if (err)
		close(debug_fd);
	else
		*ret_debug_fd = debug_fd;
	return err;
}

static int open_file(struct code *self, struct code_mapping *mapping)
{
	mapping->fd = mapping__open(self->root, self->pid, self->tid, &mapping->map);
	if (mapping->fd < 0)
		return mapping->fd;
	return code__open_elf(self->root, mapping->fd, &mapping->debug_fd, &mapping->file);
}

int code__open_file(struct code *self, struct code_mapping *mapping)
{
	uint64_t vaddr;
	int err;

	mapping->kind = mapping->map.kind == MAPPING_ANON ? PP_RANGE_JIT : PP_RANGE_FP;
	if (mapping->map.kind != MAPPING_FILE && mapping->map.kind != MAPPING_VDSO)
		return 0;
	err = mapping->map.kind == MAPPING_VDSO ? open_vdso(self, mapping) :
						  open_file(self, mapping);
	if (!err)
		err = unwind_file__map_vaddr(mapping->file, mapping->map.off, &vaddr);
	if (err) {
		code__close_file(mapping);
		return err;
	}
	mapping->bias = mapping->map.start_addr - vaddr;
	mapping->kind = PP_RANGE_TABLE;
	return 0;
}

void code__close_file(struct code_mapping *mapping)
{
	unwind_file__close(mapping->file);
	mapping->file = NULL;
	if (mapping->fd >= 0)
		close(mapping->fd);
	mapping->fd = -1;
	if (mapping->debug_fd >= 0)
		close(mapping->debug_fd);
	mapping->debug_fd = -1;
	free(mapping->image);
	mapping->image = NULL;
}

int code__read_word(void *code, uint64_t addr, uint64_t *ret_word)
{
	struct code *self = code;
	uint64_t word;

	if (self->mem_fd < 0)
		return -EACCES;
	if (addr > INT64_MAX ||
	    pread(self->mem_fd, &word, sizeof(word), (off_t)addr) != sizeof(word))
		return -EFAULT;
	*ret_word = word;
	return 0;
}

struct thread_search {
	const struct code *code;
	uint64_t low_addr, high_addr;
	uint32_t tid;
	uint64_t pc, sp;
};

/* "NR ARG0 ... ARG5 SP PC", "-1 SP PC" or "running" (proc_pid_syscall(5)). */
static int try_thread(void *arg, uint32_t tid)
{
	struct thread_search *search = arg;
	char line[256], *pc_text, *sp_text;

	if (sysroot__line(search->code->root, line, sizeof(line), "proc/%u/task/%u/syscall",
			  search->code->pid, tid))
		return 0;
	pc_text = strrchr(line, ' ');
	if (!pc_text)
		return 0;
	*pc_text++ = '\0';
	sp_text = strrchr(line, ' ');
	if (!sp_text)
		return 0;
	search->pc = strtoull(pc_text, NULL, 16);
	search->sp = strtoull(sp_text + 1, NULL, 16);
	search->tid = tid;
	return search->pc >= search->low_addr && search->pc < search->high_addr;
}

int code__find_thread(const struct code *self, uint64_t low_addr, uint64_t high_addr,
		      uint32_t *ret_tid, uint64_t *ret_pc, uint64_t *ret_sp)
{
	struct thread_search search = { .code = self,
					.low_addr = low_addr,
					.high_addr = high_addr };

	if (each_thread(self, try_thread, &search) != 1)
		return -ENOENT;
	*ret_tid = search.tid;
	*ret_pc = search.pc;
	*ret_sp = search.sp;
	return 0;
}

uint32_t page__window_bytes(const struct unwind_page *page)
{
	uint32_t words = unwind_page__words(page);

	return (words + PP_UNIT_WORDS - 1) / PP_UNIT_WORDS * PP_UNIT_WORDS * sizeof(uint32_t);
}
