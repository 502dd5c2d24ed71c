/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Source lines and inlined functions of one file's offsets, as part of a job's result. Files and functions come again
 * and again: their texts stand once. What is wrong with debug information leaves lines unknown, and no more.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/vec.h"
#include "pp/elf_dwarf.h"

#define PLACES_MAX  4000000u
#define CACHED	    4096 /* texts, a power of two */
#define DEADLINE_NS 5000000000ull /* half of what a reader has for all of the file */

struct cached {
	const void *key; /* where it stands in the debug information */
	uint32_t text;
};

struct places {
	const struct lookup_slot *slots;
	struct buf *text;
	struct symbol_result *result;
	struct cached *cached;
	size_t cap;
	int err;
};

/* Where a text stands in the result; 0: it is empty, or there is no room. dir: of a file; NULL: it is no file. */
static uint32_t add_text(struct places *self, const char *text, const char *dir)
{
	struct cached *cached = &self->cached[(uintptr_t)text / 8 % CACHED];
	char name[ELF_NAME_BYTES];
	uint32_t pos = (uint32_t)self->text->len;

	if (!text || !*text)
		return 0;
	if (cached->key == text)
		return cached->text;
	snprintf(name, sizeof(name), "%s%s%s", dir && *text != '/' ? dir : "",
		 dir && *dir && *text != '/' ? "/" : "", text);
	if (!dir)
		symbol_name__demangle(name);
	if (buf__append(self->text, name, strlen(name) + 1))
		return 0;
	*cached = (struct cached){ text, pos };
	return pos;
}

static void on_places(void *arg, uint32_t i, const struct elf_place *places, uint32_t cnt)
{
	struct places *self = arg;
	struct symbol_result *result = self->result;

	if (self->err || vec_room(result->places, result->place_cnt + cnt, self->cap, PLACES_MAX)) {
		self->err = self->err ?: -ENOMEM;
		return;
	}
	result->places_of[self->slots[i].off_index] = result->place_cnt + 1;
	for (uint32_t p = 0; p < cnt; p++)
		result->places[result->place_cnt++] = (struct symbol_place){
			.name = add_text(self, places[p].name, NULL),
			.file = add_text(self, places[p].file, places[p].dir ?: ""),
			.line = places[p].line,
			.is_last = p + 1 == cnt,
		};
}

int places__read(const int *fds, size_t fd_cnt, const struct lookup_slot *slots, uint32_t cnt,
		 struct buf *text, struct symbol_result *result)
{
	_auto_free_ uint64_t *vaddrs = calloc(max_of(cnt, 1u), sizeof(*vaddrs));
	_auto_free_ struct cached *cached = calloc(CACHED, sizeof(*cached));
	struct places places = { .slots = slots, .text = text, .result = result, .cached = cached };
	uint64_t deadline_ns = clock_mono_ns() + DEADLINE_NS;

	result->places_of = calloc(max_of(result->name_cnt, 1u), sizeof(*result->places_of));
	if (!vaddrs || !cached || !result->places_of)
		return -ENOMEM;
	for (uint32_t i = 0; i < cnt; i++)
		vaddrs[i] = slots[i].vaddr;
	for (size_t i = 0; i < fd_cnt && !result->place_cnt; i++)
		result->places_err =
			elf_dwarf__each(fds[i], vaddrs, cnt, deadline_ns, on_places, &places);
	return 0;
}
