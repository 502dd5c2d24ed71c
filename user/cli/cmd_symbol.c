/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprof symbol explain: the name that a profile would show for one address of a process, or of the kernel, and
 * where it comes from; and if there is none, why. What is asked is what a recording asks: a profile of one frame is
 * named, by the reader process. The address is taken as it is, not as a caller's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/container.h"
#include "pp/proc.h"
#include "pp/profile.h"
#include "pp/reader.h"
#include "unwind.h"

#define NS_PER_SEC	  1000000000ull
#define KERNEL_FIRST_ADDR 0xffff800000000000ull /* x86-64 and arm64: the upper half */

struct explained {
	struct cli *cli;
	uint32_t pid;
	uint64_t addr;
	struct proc_table *table;
	struct profile *profile;
	struct reader *reader;
	const struct mapping *mapping; /* NULL: of the kernel, or nothing is there */
};

static void explained__clear(struct explained *self)
{
	reader__free(self->reader);
	profile__free(self->profile);
	proc_table__free(self->table);
}

/* Its mappings, and the one at the address. */
static int read_process(struct explained *self)
{
	struct proc_stat stat;
	struct proc_id id = { .pid = self->pid };
	int err = proc__stat(&self->cli->root, self->pid, &stat);

	if (err)
		return -ESRCH;
	id.start_boottime_ns = stat.start_ticks * (NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	err = proc_table__new(&self->cli->root, &self->table);
	if (!err)
		err = proc_table__note(self->table, &id, self->pid);
	if (err || self->addr >= KERNEL_FIRST_ADDR)
		return err;
	err = proc_table__find(self->table, &id, self->addr, &self->mapping);
	return err == -ENOENT ? 0 : err;
}

/* Module numbers of table and profile are the same. */
static int add_frame(struct explained *self)
{
	enum profile_frame_kind kind = FRAME_NATIVE;
	uint32_t frame, stack, module = self->mapping ? self->mapping->module : 0;
	uint64_t off = self->addr;
	int err = profile__new(&self->profile);

	for (uint32_t i = 1; !err && i < proc_table__module_cnt(self->table); i++) {
		const char *path = proc_table__module(self->table, i)->path;

		err = profile__module(self->profile, path, "", &frame);
	}
	if (self->addr >= KERNEL_FIRST_ADDR)
		kind = FRAME_KERNEL;
	else if (self->mapping && self->mapping->kind == MAPPING_FILE)
		off = mapping__addr_to_off(self->mapping, self->addr);
	else if (self->mapping && self->mapping->kind == MAPPING_VDSO)
		kind = FRAME_VDSO, off = self->addr - self->mapping->start_addr;
	else if (self->mapping)
		kind = FRAME_ANON;
	if (err)
		return err;
	self->profile->meta.wants_lines = 1;
	err = profile__frame(self->profile, kind, module, off, 0, &frame);
	return err ? err : profile__stack(self->profile, &frame, 1, kind == FRAME_KERNEL, &stack);
}

static int name_frame(struct explained *self)
{
	int err = reader__new(&self->reader);

	return err ? err :
		     symbolize__profile(self->profile, self->table, &self->cli->root, reader__run,
					self->reader, NULL);
}

static int add_mapping(struct json_object *json, const struct explained *self)
{
	const struct profile_frame *frame = &self->profile->frames[0];
	const struct profile_module *module = &self->profile->modules[frame->module];
	const struct intern *strings = self->profile->strings;
	char text[80];
	int err;

	if (!self->mapping)
		return 0;
	snprintf(text, sizeof(text), "0x%" PRIx64 "-0x%" PRIx64, self->mapping->start_addr,
		 self->mapping->end_addr);
	err = json__add_str(json, "mapping", text);
	if (!err && self->mapping->path[0])
		err = json__add_str(json, "file", self->mapping->path);
	if (!err && frame->kind != FRAME_ANON)
		err = unwind__add_hex(json, "offset", frame->off);
	if (!err && module->build_id)
		err = json__add_str(json, "build_id", intern__str(strings, module->build_id));
	return err;
}

/* The place in the source, and then, from the innermost on, who is inlined there. */
static int add_source(struct json_object *json, const struct explained *self)
{
	const struct profile *profile = self->profile;
	const struct profile_stack *stack = &profile->stacks[0];
	_auto_buf_ struct buf text = { .max_bytes = 1u << 20 };

	for (uint32_t i = 0; i < stack->depth; i++) {
		const struct profile_frame *frame =
			&profile->frames[profile->stack_frames[stack->first + i]];

		if (!frame->file)
			continue;
		buf__puts(&text, text.len ? ", in " : "");
		if (frame->kind == FRAME_INLINED)
			buf__printf(&text, "%s (inlined) ",
				    intern__str(profile->strings, frame->name));
		buf__printf(&text, "%s:%u", intern__str(profile->strings, frame->file),
			    frame->line);
	}
	return text.err || !text.len ? text.err : json__add_str(json, "source", text.data);
}

static int print(struct explained *self)
{
	_auto_json_ struct json_object *json = json__new_object();
	const struct profile_frame *frame = &self->profile->frames[0];
	struct container_ref ref;
	char text[4096];
	int err = unwind__add_hex(json, "address", self->addr);

	if (!err)
		err = add_mapping(json, self);
	if (!err && !container_ref__read(&self->cli->root, self->pid, &ref))
		err = json__add_str(json, "container", ref.id);
	if (!err)
		err = json__add_str(json, "shown_as",
				    profile_frame__text(self->profile, 0, text, sizeof(text)));
	if (!err)
		err = add_source(json, self);
	if (!err && frame->name)
		err = json__add_null(json, "unnamed");
	else if (!err)
		err = json__add_str(json, "unnamed", profile_unnamed__name(frame->unnamed));
	if (!err && !frame->name)
		err = json__add_str(json, "because", profile_unnamed__text(frame->unnamed));
	return err ? err : view__print_fields(self->cli, json);
}

int cmd_symbol_explain(struct cli *cli, int argc, char **argv)
{
	__cleanup(explained__clear) struct explained self = { .cli = cli };
	struct unwind_words given;
	const char *const *words = given.words;
	int exit_code = unwind__parse(cli, argc, argv, 2, &given);
	int err;

	if (exit_code >= 0)
		return exit_code;
	if (!unwind__parse_pid(words[0], &self.pid))
		return cli__usage(cli, "'%s' is no process id", words[0]);
	if (!unwind__parse_addr(words[1], &self.addr))
		return cli__usage(cli, "'%s' is no address", words[1]);
	err = read_process(&self);
	if (err == -ESRCH)
		return cli__fail(cli, CLI_FAILED, err, NULL, "no such process '%u'", self.pid);
	if (!err)
		err = add_frame(&self);
	if (!err)
		err = name_frame(&self);
	if (err)
		return cli__fail(cli, cli__code_of(err), err, NULL,
				 "the mappings of process %u cannot be read (%s)", self.pid,
				 errname(err));
	return print(&self);
}
