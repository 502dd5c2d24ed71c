/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * As record does it, without a kernel: requests become work, work becomes pages, and the same stack is
 * sampled again.
 */
#include "walker.h"

#include <errno.h>
#include <stdlib.h>

#include "pp/base/loop.h"
#include "pp/unwind_tables.h"

#define ROUNDS_MAX 64
#define BYTES_MAX  (96ull << 20)

struct walker {
	struct target *target;
	struct loop *loop;
	struct unwind_tables *tables;
	struct proc_id id;
	uint32_t epoch;
	uint64_t asked;
	uint32_t *parts[PP_PARTS_MAX];
};

const struct proc_module *__real_proc_table__module(const struct proc_table *self, uint32_t module);
const struct proc_module *__wrap_proc_table__module(const struct proc_table *self, uint32_t module);
const struct proc_module *__wrap_proc_table__module(const struct proc_table *self, uint32_t module)
{
	return self ? __real_proc_table__module(self, module) : core__module(module);
}

static int make_part(void *arg, uint32_t part, uint32_t **ret_words)
{
	struct walker *self = arg;

	self->parts[part] = calloc(PP_PART_WORDS, sizeof(uint32_t));
	if (!self->parts[part])
		return -ENOMEM;
	host__set_part(part, self->parts[part]);
	*ret_words = self->parts[part];
	return 0;
}

static void drop_part(void *arg, uint32_t part)
{
	struct walker *self = arg;

	host__set_part(part, NULL);
	free(self->parts[part]);
	self->parts[part] = NULL;
}

int walker__new(struct target *target, const struct sysroot *root, struct walker **ret_walker)
{
	const struct unwind_options options = { .bytes_max = BYTES_MAX };
	struct walker *self = calloc(1, sizeof(*self));
	struct host_tables host;
	struct unwind_memory memory;
	int err;

	if (!self)
		return -ENOMEM;
	*ret_walker = self;
	self->target = target;
	self->id = (struct proc_id){ HOST_TGID, HOST_EXEC_ID, HOST_START_BOOTTIME };
	host__reset();
	host = host__tables();
	memory = (struct unwind_memory){ host.dir,  host.rules, host.ranges, host.tables,
					 make_part, drop_part,	self };
	fake_kernel.read_user = target__read;
	fake_kernel.read_arg = target;
	err = loop__new(&self->loop);
	if (!err)
		err = unwind_tables__new(self->loop, root, &memory, &options, &self->tables);
	return err;
}

void walker__free(struct walker *self)
{
	if (!self)
		return;
	unwind_tables__free(self->tables);
	loop__free(self->loop);
	free(self);
}

int walker__refresh(struct walker *self)
{
	struct pp_proc_info info = { 0 };
	int err = unwind_tables__set_process(self->tables, &self->id, self->target->mappings,
					     self->target->mapping_cnt, self->target->modules,
					     &info);
	bool changed = !err && info.epoch != self->epoch;

	if (err)
		return err;
	self->epoch = info.epoch;
	host__set_process(&info);
	return changed;
}

void walker__walk(struct walker *self, const struct target_thread *thread,
		  struct host_sample *ret_sample)
{
	for (int i = 0; i < ROUNDS_MAX; i++) {
		host__sample(&thread->regs, ret_sample);
		if (!ret_sample->page_cnt)
			break;
		for (uint32_t k = 0; k < ret_sample->page_cnt; k++) {
			const struct pp_rec_page *page = &ret_sample->pages[k];
			/* a core dump is no process whose stack could be read ahead */
			uint64_t sp = self->target->live ? page->sp : 0;

			self->asked++;
			unwind_tables__want_page(self->tables, page->dir_index, &self->id,
						 (uint32_t)thread->tid, sp);
		}
		(void)loop__run(self->loop);
		unwind_tables__settled(self->tables);
	}
}

uint64_t walker__pages_asked(const struct walker *self)
{
	return self->asked;
}
