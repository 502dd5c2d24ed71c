/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks the stacks of some processes with otel_shape.bpf.c: otel_shape HZ MS PID... Fills its maps with the
 * rows of every file that they have mapped, whole files as the model does, by the product's converter: both
 * walks follow the same rules. Then prints samples, frames and how many stacks reached a stop command, to
 * show that it found the same frames. Its cost is read from outside, by prog_cost.
 */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/libbpf.h>

#include "otel_shape.skel.h"
#include "pp/elf.h"
#include "pp/proc.h"
#include "pp/unwind.h"

#include "otel_shape.h"

#define BATCH_ROWS 65536
#define FILES_MAX  4096

struct file {
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	uint64_t file_id; /* 0: no rows */
	struct unwind_file *open; /* its headers say where a mapping's addresses lie */
};

struct loader {
	struct otel_shape_bpf *skel;
	struct file files[FILES_MAX];
	unsigned file_cnt;
	uint64_t rules[OTEL_RULES_MAX];
	unsigned rule_cnt;
	const char *pid;
};

static uint16_t command(enum otel_command command)
{
	return (uint16_t)(OTEL_COMMAND | command);
}

static void write_rule(struct loader *self, uint32_t id, uint64_t rule)
{
	static const uint8_t bases[16] = { [6] = OTEL_BASE_FP, [7] = OTEL_BASE_SP };
	struct otel_rule out = {
		.base = bases[PP_RULE_CFA_REG(rule)],
		.is_deref = PP_RULE_CFA_FORM(rule) == PP_CFA_DEREF,
		.post = (int8_t)(PP_RULE_PARAM(rule) * 8),
		.param = (int32_t)PP_RULE_CFA_BYTES(rule),
		.fp_base = PP_RULE_FP_FORM(rule) == PP_FP_AT_CFA ? OTEL_BASE_CFA :
			   PP_RULE_FP_FORM(rule) == PP_FP_AT_FP	 ? OTEL_BASE_FP :
								   OTEL_BASE_NONE,
		.fp_param = (int32_t)PP_RULE_FP_BYTES(rule),
	};

	bpf_map_update_elem(bpf_map__fd(self->skel->maps.otel_rules), &id, &out, BPF_ANY);
}

/* The id of a rule, or the command that does what it says. */
static uint16_t rule_id(struct loader *self, uint64_t rule)
{
	switch (PP_RULE_CFA_FORM(rule)) {
	case PP_CFA_NONE: return command(OTEL_COMMAND_FP);
	case PP_CFA_PLT: return command(OTEL_COMMAND_PLT);
	case PP_CFA_SIGNAL: return command(OTEL_COMMAND_SIGNAL);
	case PP_CFA_END: return command(OTEL_COMMAND_STOP);
	case PP_CFA_REG:
	case PP_CFA_DEREF:
		if (PP_RULE_RA_FORM(rule) == PP_RA_AT_CFA)
			break;
		/* fallthrough */
	default: return command(OTEL_COMMAND_INVALID);
	}
	for (unsigned i = 0; i < self->rule_cnt; i++) {
		if (self->rules[i] == rule)
			return (uint16_t)i;
	}
	if (self->rule_cnt == OTEL_RULES_MAX)
		return command(OTEL_COMMAND_INVALID);
	self->rules[self->rule_cnt] = rule;
	write_rule(self, self->rule_cnt, rule);
	return (uint16_t)self->rule_cnt++;
}

struct rows {
	struct otel_row *items;
	size_t cnt, cap;
	struct otel_page *pages;
	uint64_t first_page;
	uint32_t page_cnt;
};

static void add_row(struct rows *self, uint16_t low, uint16_t rule)
{
	if (self->cnt == self->cap) {
		self->cap = self->cap ? 2 * self->cap : 1 << 16;
		self->items = realloc(self->items, self->cap * sizeof(*self->items));
		if (!self->items)
			exit(1);
	}
	self->items[self->cnt++] = (struct otel_row){ low, rule };
}

static void convert_file(struct loader *self, struct unwind_file *file, struct rows *ret_rows)
{
	unwind_file__pages(file, &ret_rows->first_page, &ret_rows->page_cnt);
	ret_rows->pages = calloc(ret_rows->page_cnt + 1, sizeof(*ret_rows->pages));
	for (uint32_t i = 0; ret_rows->pages && i < ret_rows->page_cnt; i++) {
		uint16_t ids[PP_PAGE_ROWS_MAX];
		struct unwind_page *page = NULL;

		ret_rows->pages[i].first_row = (uint32_t)ret_rows->cnt;
		if (unwind_file__page(file, ret_rows->first_page + i, &page) || !page)
			add_row(ret_rows, 0, command(OTEL_COMMAND_FP));
		for (uint32_t rule = 0; page && rule < page->rule_cnt; rule++)
			ids[rule] = rule_id(self, page->rules[rule]);
		for (uint32_t row = 0; page && row < page->row_cnt; row++)
			add_row(ret_rows, (uint16_t)(page->rows[row] >> 16),
				ids[page->rows[row] & 0xffff]);
		ret_rows->pages[i].row_cnt =
			(uint16_t)(ret_rows->cnt - ret_rows->pages[i].first_row);
		free(page);
	}
}

/* Makes the inner map of a file and puts it into the outer map of its size. */
static int store_rows(struct loader *self, const struct rows *rows, uint64_t file_id)
{
	uint32_t bits = OTEL_BUCKET_MIN, *keys = calloc(BATCH_ROWS, sizeof(*keys));
	int outer, inner, err = 0;
	char name[32];

	while (((size_t)1 << bits) < rows->cnt)
		bits++;
	snprintf(name, sizeof(name), "otel_rows_%u", bits);
	outer = bpf_object__find_map_fd_by_name(self->skel->obj, name);
	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "otel_inner", 4, sizeof(struct otel_row),
			       1u << bits, NULL);
	if (outer < 0 || inner < 0 || !keys)
		return -1;
	for (size_t at = 0; !err && at < rows->cnt; at += BATCH_ROWS) {
		__u32 cnt = (__u32)(rows->cnt - at < BATCH_ROWS ? rows->cnt - at : BATCH_ROWS);

		for (__u32 i = 0; i < cnt; i++)
			keys[i] = (uint32_t)at + i;
		err = bpf_map_update_batch(inner, keys, rows->items + at, &cnt, NULL);
	}
	if (!err)
		err = bpf_map_update_elem(outer, &file_id, &inner, BPF_ANY);
	for (uint32_t i = 0; !err && i < rows->page_cnt; i++) {
		struct otel_page_key key = { file_id, (rows->first_page + i) << PP_PAGE_SHIFT };

		rows->pages[i].bucket = (uint16_t)bits;
		err = bpf_map_update_elem(bpf_map__fd(self->skel->maps.otel_pages), &key,
					  &rows->pages[i], BPF_ANY);
	}
	free(keys);
	close(inner);
	return err;
}

/* The file behind a mapping: converted when it is met first. */
static unsigned note_file(struct loader *self, const struct mapping *mapping)
{
	struct rows rows = { 0 };
	struct file *file;
	char path[128];
	int fd;

	for (unsigned i = 0; i < self->file_cnt; i++) {
		file = &self->files[i];
		if (file->inode == mapping->inode && file->dev_major == mapping->dev_major &&
		    file->dev_minor == mapping->dev_minor)
			return i;
	}
	file = &self->files[self->file_cnt];
	*file = (struct file){ mapping->inode, mapping->dev_major, mapping->dev_minor, 0, NULL };
	snprintf(path, sizeof(path), "/proc/%s/map_files/%lx-%lx", self->pid, mapping->start_addr,
		 mapping->end_addr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && !unwind_file__open(fd, -1, &file->open)) {
		convert_file(self, file->open, &rows);
		if (!store_rows(self, &rows, self->file_cnt + 1))
			file->file_id = self->file_cnt + 1;
	}
	free(rows.items);
	free(rows.pages);
	return self->file_cnt++;
}

/* One entry of the trie for each aligned power of two in the mapping. */
static int add_mapping(void *arg, const struct mapping *mapping)
{
	struct loader *self = arg;
	struct otel_mapping value = { 0 };
	uint64_t vaddr;
	uint64_t addr = mapping->start_addr;
	unsigned file;

	if (mapping->kind != MAPPING_FILE || self->file_cnt == FILES_MAX)
		return 0;
	file = note_file(self, mapping);
	if (!self->files[file].file_id)
		return 0;
	value.file_id = self->files[file].file_id;
	if (elf_image__off_to_vaddr(unwind_file__image(self->files[file].open), mapping->off,
				    &vaddr))
		return 0;
	value.bias = mapping->start_addr - vaddr;
	while (addr < mapping->end_addr) {
		unsigned bits = (unsigned)__builtin_ctzll(addr);
		struct otel_address key = { .pid_be = bpf_htonl((uint32_t)atoi(self->pid)) };

		while (addr + (1ull << bits) > mapping->end_addr)
			bits--;
		key.prefix_bits = OTEL_PREFIX_BITS - bits;
		key.addr_be = bpf_cpu_to_be64(addr);
		if (bpf_map_update_elem(bpf_map__fd(self->skel->maps.otel_mappings), &key, &value,
					BPF_ANY))
			return -1;
		addr += 1ull << bits;
	}
	return 0;
}

static int add_process(struct loader *self)
{
	struct otel_address known = {
		.prefix_bits = OTEL_PREFIX_BITS,
		.pid_be = bpf_htonl((uint32_t)atoi(self->pid)),
	};
	struct otel_mapping none = { 0 };
	char path[64], *text = NULL;
	size_t len = 0;
	FILE *file;
	int err;

	snprintf(path, sizeof(path), "/proc/%s/maps", self->pid);
	file = fopen(path, "re");
	if (!file || getdelim(&text, &len, '\0', file) < 0)
		return -1;
	fclose(file);
	err = maps__parse(text, strlen(text), add_mapping, self);
	free(text);
	if (err)
		return err;
	return bpf_map_update_elem(bpf_map__fd(self->skel->maps.otel_mappings), &known, &none,
				   BPF_ANY);
}

static int attach_cpu(struct bpf_program *prog, int cpu, unsigned long hz)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = hz,
		.freq = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd >= 0 && bpf_program__attach_perf_event(prog, fd) ? 0 : -1;
}

static void print_facts(struct loader *self)
{
	int cpus = libbpf_num_possible_cpus();
	struct otel_facts *facts = calloc((size_t)cpus, sizeof(*facts)), sum = { 0 };
	uint32_t zero = 0;

	if (!facts || bpf_map_lookup_elem(bpf_map__fd(self->skel->maps.otel_facts), &zero, facts))
		exit(1);
	for (int cpu = 0; cpu < cpus; cpu++) {
		sum.runs += facts[cpu].runs;
		sum.samples += facts[cpu].samples;
		sum.frames += facts[cpu].frames;
		sum.complete += facts[cpu].complete;
	}
	printf("runs=%llu samples=%llu frames=%llu complete=%llu files=%u rules=%u\n", sum.runs,
	       sum.samples, sum.frames, sum.complete, self->file_cnt, self->rule_cnt);
	free(facts);
}

int main(int argc, char **argv)
{
	unsigned long hz = argc > 3 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long ms = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct timespec time = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
	static struct loader self;
	uint32_t zero = 0;
	int walk;

	if (!hz)
		return 2;
	self.skel = otel_shape_bpf__open_and_load();
	if (!self.skel)
		return 1;
	walk = bpf_program__fd(self.skel->progs.otel_walk);
	if (bpf_map_update_elem(bpf_map__fd(self.skel->maps.otel_programs), &zero, &walk, BPF_ANY))
		return 1;
	for (int i = 3; i < argc; i++) {
		self.pid = argv[i];
		if (add_process(&self))
			return 1;
	}
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		if (attach_cpu(self.skel->progs.otel_shape, cpu, hz))
			return 1;
	nanosleep(&time, NULL);
	print_facts(&self);
	return 0;
}
