/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libdw on a target: its own list of files, our memory and registers. No debuginfo is looked for.
 */
#include "reference.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reference {
	struct target *target;
	const struct target_thread *thread;
	Dwfl *dwfl;
};

static int no_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
			const char *file, const char *link, GElf_Word crc, char **ret_path)
{
	return -1;
}

static int no_other_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
			 char **ret_path, Elf **ret_elf)
{
	return -1;
}

static const Dwfl_Callbacks live_files = { .find_elf = dwfl_linux_proc_find_elf,
					   .find_debuginfo = no_debuginfo };
static const Dwfl_Callbacks core_files = { .find_elf = no_other_file,
					   .find_debuginfo = no_debuginfo };

static pid_t no_next_thread(Dwfl *dwfl, void *arg, void **thread)
{
	return 0;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **ret_thread)
{
	*ret_thread = arg;
	return true;
}

static bool read_word(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *ret_word, void *arg)
{
	const struct reference *self = arg;

	return !target__read(self->target, addr, ret_word, sizeof(*ret_word));
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	const struct host_regs *regs = &((const struct reference *)arg)->thread->regs;
	Dwarf_Word words[17];

	memcpy(words, regs->regs, sizeof(regs->regs));
	words[16] = regs->ip;
	return dwfl_thread_state_registers(thread, 0, 17, words);
}

static const Dwfl_Thread_Callbacks threads = { .next_thread = no_next_thread,
					       .get_thread = get_thread,
					       .memory_read = read_word,
					       .set_initial_registers = set_registers };

static int report(struct reference *self)
{
	const char *path;
	uint64_t bias;

	dwfl_report_begin(self->dwfl);
	if (self->target->live && dwfl_linux_proc_report(self->dwfl, self->target->pid))
		return -EBADMSG;
	for (uint32_t i = 0; self->target->core && core__file(self->target, i, &path, &bias); i++)
		(void)dwfl_report_elf(self->dwfl, path, path, -1, bias, true); /* or it is no ELF */
	return dwfl_report_end(self->dwfl, NULL, NULL) ? -EBADMSG : 0;
}

int reference__refresh(struct reference *self)
{
	return self->target->live ? report(self) : 0; /* a dump does not change */
}

int reference__new(struct target *target, struct reference **ret_reference)
{
	struct reference *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	*ret_reference = self;
	self->target = target;
	self->dwfl = dwfl_begin(target->core ? &core_files : &live_files);
	if (!self->dwfl || report(self))
		return -EBADMSG;
	return dwfl_attach_state(self->dwfl, NULL, target->pid, &threads, self) ? 0 : -EBADMSG;
}

void reference__free(struct reference *self)
{
	if (!self)
		return;
	dwfl_end(self->dwfl);
	free(self);
}

static int add_frame(Dwfl_Frame *state, void *arg)
{
	struct reference_stack *stack = arg;
	Dwarf_Addr pc;
	bool is_exact;

	if (!dwfl_frame_pc(state, &pc, &is_exact))
		return DWARF_CB_ABORT;
	if (stack->depth == REFERENCE_FRAMES_MAX) {
		stack->is_cut = true;
		return DWARF_CB_ABORT;
	}
	stack->is_exact[stack->depth] = is_exact;
	stack->frames[stack->depth++] = pc;
	return DWARF_CB_OK;
}

/* The rule that libdw has; NULL: it guesses by rbp. Given (free). */
static Dwarf_Frame *find_rule(struct reference *self, uint64_t addr)
{
	Dwfl_Module *module = dwfl_addrmodule(self->dwfl, addr);
	Dwarf_Addr bias = 0;
	Dwarf_Frame *rule = NULL;
	Dwarf_CFI *cfi;

	if (!module)
		return NULL;
	cfi = dwfl_module_eh_cfi(module, &bias);
	if (cfi && !dwarf_cfi_addrframe(cfi, addr - bias, &rule))
		return rule;
	cfi = dwfl_module_dwarf_cfi(module, &bias);
	return cfi && !dwarf_cfi_addrframe(cfi, addr - bias, &rule) ? rule : NULL;
}

bool reference__has_rule(struct reference *self, uint64_t addr)
{
	Dwarf_Frame *rule = find_rule(self, addr);

	free(rule);
	return rule != NULL;
}

/* libdw also ends where a return address is zero. */
static bool is_outermost(struct reference *self, uint64_t pc, bool is_exact)
{
	Dwarf_Frame *rule = find_rule(self, pc - !is_exact);
	Dwarf_Op memory[3], *ops = NULL;
	size_t op_cnt = 0;
	bool is_undefined;

	is_undefined = rule && !dwarf_frame_register(rule, 16, memory, &ops, &op_cnt) &&
		       op_cnt == 0 && ops == memory;
	free(rule);
	return is_undefined;
}

void reference__walk(struct reference *self, const struct target_thread *thread,
		     struct reference_stack *ret_stack)
{
	int result;

	ret_stack->depth = 0;
	ret_stack->is_cut = false;
	ret_stack->error = NULL;
	self->thread = thread;
	result = dwfl_getthread_frames(self->dwfl, thread->tid, add_frame, ret_stack);
	ret_stack->is_whole = result == 0 && ret_stack->depth &&
			      is_outermost(self, ret_stack->frames[ret_stack->depth - 1],
					   ret_stack->is_exact[ret_stack->depth - 1]);
	if (result)
		ret_stack->error = dwfl_errmsg(-1);
}

const char *reference__module(struct reference *self, uint64_t addr, uint64_t *ret_vaddr)
{
	Dwfl_Module *module = dwfl_addrmodule(self->dwfl, addr);
	Dwarf_Addr bias = 0;

	*ret_vaddr = addr;
	if (!module)
		return "?";
	if (dwfl_module_getelf(module, &bias))
		*ret_vaddr = addr - bias;
	return dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
}
