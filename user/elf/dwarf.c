/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lines and inlined functions of many addresses in one pass over the units of a file: a unit without any of them is
 * skipped, and so is each subtree of the others. An address keeps the innermost scope that was seen for it, and scopes
 * know the one around them. Not by .debug_aranges, which clang does not write.
 */
#include "pp/elf_dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/vec.h"

#define DEPTH_MAX   128 /* of scopes in scopes; compilers reach some dozens */
#define DIES_MAX    50000000u
#define SCOPES_MAX  4000000u
#define CLOCK_EVERY 4096

struct scope {
	const char *name;
	const char *call_file; /* where it is called from, if it is inlined */
	uint32_t call_line;
	uint32_t outer; /* scope + 1; 0: it is there by itself */
};

struct walk {
	const uint64_t *vaddrs; /* borrowed */
	uint32_t cnt;
	uint32_t *scope_of; /* by address: scope + 1; 0: none */
	struct scope *scopes; /* of the unit */
	size_t scope_cnt, scope_cap;
	Dwarf_Die unit;
	const char *dir; /* of the unit */
	Dwarf_Files *files; /* of the unit; NULL: none */
	size_t file_cnt;
	uint32_t dies_left;
	uint64_t deadline_ns;
	elf_dwarf_fn fn;
	void *arg;
};

static uint32_t first_at(const struct walk *self, uint64_t vaddr)
{
	uint32_t low = 0, high = self->cnt;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (self->vaddrs[mid] < vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Calls fn for each range of addresses, by index, that lies in the entry. Returns whether it has ranges, or -errno. */
static int each_hit(struct walk *self, Dwarf_Die *die,
		    int (*fn)(struct walk *self, uint32_t from, uint32_t to, void *arg), void *arg)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;
	int has = 0, err = 0;

	while (!err && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
		uint32_t from = first_at(self, start), to = first_at(self, end);

		has = 1;
		if (from < to)
			err = fn(self, from, to, arg);
	}
	return err ? err : has;
}

static const char *name_of(Dwarf_Die *die)
{
	static const unsigned int names[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name,
					      DW_AT_name };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		Dwarf_Attribute attr;
		const char *name = dwarf_formstring(dwarf_attr_integrate(die, names[i], &attr));

		if (name && *name)
			return name;
	}
	return NULL;
}

static uint32_t number_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	if (dwarf_formudata(dwarf_attr(die, name, &attr), &value) || value > UINT32_MAX)
		return 0;
	return (uint32_t)value;
}

static int add_scope(struct walk *self, Dwarf_Die *die, uint32_t outer)
{
	bool is_inlined = dwarf_tag(die) == DW_TAG_inlined_subroutine;
	struct scope scope = { .name = name_of(die), .outer = is_inlined ? outer : 0 };

	if (vec_room(self->scopes, self->scope_cnt + 1, self->scope_cap, SCOPES_MAX))
		return -ENOMEM;
	if (is_inlined) {
		uint32_t file = number_of(die, DW_AT_call_file);

		scope.call_line = number_of(die, DW_AT_call_line);
		if (self->files && file < self->file_cnt)
			scope.call_file = dwarf_filesrc(self->files, file, NULL, NULL);
	}
	self->scopes[self->scope_cnt++] = scope;
	return 0;
}

struct hit {
	Dwarf_Die *die;
	uint32_t outer;
	uint32_t scope; /* + 1, once there is one */
};

static int on_hit_scope(struct walk *self, uint32_t from, uint32_t to, void *arg)
{
	struct hit *hit = arg;
	int err;

	if (!hit->scope) {
		err = add_scope(self, hit->die, hit->outer);
		if (err)
			return err;
		hit->scope = (uint32_t)self->scope_cnt;
	}
	for (uint32_t i = from; i < to; i++)
		self->scope_of[i] = hit->scope;
	return 0;
}

static int on_hit_block(struct walk *self, uint32_t from, uint32_t to, void *arg)
{
	*(bool *)arg = true;
	return 0;
}

static int walk_children(struct walk *self, Dwarf_Die *die, uint32_t outer, uint32_t depth);

static int walk_one(struct walk *self, Dwarf_Die *die, uint32_t outer, uint32_t depth)
{
	struct hit hit = { .die = die, .outer = outer };
	bool is_hit = false;
	int err;

	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
		err = each_hit(self, die, on_hit_scope, &hit);
		return err < 0 || !hit.scope ? min_of(err, 0) :
					       walk_children(self, die, hit.scope, depth);
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
		err = each_hit(self, die, on_hit_block, &is_hit);
		if (err == 1 && !is_hit)
			return 0;
		return err < 0 ? err : walk_children(self, die, outer, depth);
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type: /* Rust: functions stand in their types */
		return walk_children(self, die, 0, depth);
	default: return 0;
	}
}

static int walk_children(struct walk *self, Dwarf_Die *die, uint32_t outer, uint32_t depth)
{
	Dwarf_Die child;
	int more, err = 0;

	if (depth >= DEPTH_MAX || !dwarf_haschildren(die))
		return 0;
	for (more = dwarf_child(die, &child); more == 0 && !err;
	     more = dwarf_siblingof(&child, &child)) {
		if (!self->dies_left-- ||
		    (self->dies_left % CLOCK_EVERY == 0 && clock_mono_ns() > self->deadline_ns))
			return -ETIMEDOUT;
		err = walk_one(self, &child, outer, depth + 1);
	}
	return err;
}

/* The innermost first; of too many those in the middle are left out. */
static void give(struct walk *self, uint32_t i)
{
	struct elf_place places[ELF_PLACES_MAX] = { 0 };
	Dwarf_Line *line = dwarf_getsrc_die(&self->unit, self->vaddrs[i]);
	uint32_t scope = self->scope_of[i], cnt = 0;
	const char *file = NULL;
	int number = 0;

	if (line) {
		file = dwarf_linesrc(line, NULL, NULL);
		(void)dwarf_lineno(line, &number);
	}
	if (!scope && !file)
		return;
	places[0] = (struct elf_place){ NULL, self->dir, file, number > 0 ? (uint32_t)number : 0 };
	while (scope) {
		const struct scope *s = &self->scopes[scope - 1];

		places[cnt].name = s->name;
		scope = s->outer;
		if (scope && cnt < ELF_PLACES_MAX - 1)
			cnt++;
		if (scope)
			places[cnt] =
				(struct elf_place){ NULL, self->dir, s->call_file, s->call_line };
	}
	self->fn(self->arg, i, places, cnt + 1);
}

static int on_hit_unit(struct walk *self, uint32_t from, uint32_t to, void *arg)
{
	bool *has_walked = arg;
	Dwarf_Attribute attr;
	int err = 0;

	if (!*has_walked) {
		*has_walked = true;
		self->scope_cnt = 0;
		self->dir = dwarf_formstring(dwarf_attr(&self->unit, DW_AT_comp_dir, &attr));
		if (dwarf_getsrcfiles(&self->unit, &self->files, &self->file_cnt))
			self->files = NULL;
		err = walk_children(self, &self->unit, 0, 0);
	}
	for (uint32_t i = from; i < to && !err; i++) {
		if (i % 256 == 0 && clock_mono_ns() > self->deadline_ns)
			return -ETIMEDOUT;
		give(self, i);
		self->scope_of[i] = 0;
	}
	return err;
}

static int walk_units(struct walk *self, Dwarf *dwarf)
{
	Dwarf_CU *unit = NULL;
	uint8_t type;
	int err = 0;

	while (err >= 0 &&
	       dwarf_get_units(dwarf, unit, &unit, NULL, &type, &self->unit, NULL) == 0) {
		bool has_walked = false;

		if (clock_mono_ns() > self->deadline_ns)
			return -ETIMEDOUT;
		if (type == DW_UT_compile || type == DW_UT_skeleton)
			err = each_hit(self, &self->unit, on_hit_unit, &has_walked);
	}
	return min_of(err, 0);
}

static int walk_file(struct walk *self, int fd)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	Dwarf *dwarf = elf ? dwarf_begin_elf(elf, DWARF_C_READ, NULL) : NULL;
	int err = -ENOENT;

	if (dwarf) {
		err = walk_units(self, dwarf);
		(void)dwarf_end(dwarf);
	}
	if (elf)
		(void)elf_end(elf);
	return err;
}

int elf_dwarf__each(int fd, const uint64_t *vaddrs, uint32_t cnt, uint64_t deadline_ns,
		    elf_dwarf_fn fn, void *arg)
{
	struct walk walk = { .vaddrs = vaddrs,
			     .cnt = cnt,
			     .dies_left = DIES_MAX,
			     .deadline_ns = deadline_ns,
			     .fn = fn,
			     .arg = arg };
	int err;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return -EOPNOTSUPP;
	walk.scope_of = calloc(max_of(cnt, 1u), sizeof(*walk.scope_of));
	err = walk.scope_of ? walk_file(&walk, fd) : -ENOMEM;
	free(walk.scope_of);
	free(walk.scopes);
	return err;
}
