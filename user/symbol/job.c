/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One file's job: offsets in, names out. Request and result are plain data without pointers into other
 * rooms, so that the job can run in the reader process. A file that cannot be read gives an
 * error inside the result and unknown names, never a failed job: the samples are kept in any case.
 * Memory: one slot for each offset and 64 KiB; the file's own tables are streamed (lookup.c).
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/elf_debug.h"
#include "pp/proc_memory.h"
#include "pp/unwind_go.h"

#define TEXT_BYTES_MAX (64u << 20)
/* Nested symbols and aliases per asked offset: real files have a handful. */
#define COVERS_PER_OFF	   64
#define COVERS_MIN	   (1u << 20)
#define NAME_PAIRS_PER_OFF 8
#define NAME_PAIRS_MIN	   (1u << 14)

static int compare_slots(const void *a, const void *b)
{
	const struct lookup_slot *x = a, *y = b;

	if (x->vaddr != y->vaddr)
		return x->vaddr < y->vaddr ? -1 : 1;
	return x->off_index < y->off_index ? -1 : x->off_index > y->off_index;
}

/* Offsets that lie in no code segment get no slot: they stay unknown. */
static uint32_t fill_slots(const struct elf_image *image, const struct symbol_request *request,
			   struct lookup_slot *slots)
{
	uint32_t cnt = 0;

	for (uint32_t i = 0; i < request->off_cnt; i++) {
		if (elf_image__off_to_vaddr(image, request->offs[i], &slots[cnt].vaddr))
			continue;
		slots[cnt++].off_index = i;
	}
	/* segments need not stand in the file in the order of their addresses */
	qsort(slots, cnt, sizeof(*slots), compare_slots);
	return cnt;
}

/* Appends the symbol's name and returns where it stands, or 0. */
static uint32_t add_name(const struct elf_image *image, const struct elf_symbol *symbol,
			 struct buf *text)
{
	char name[ELF_NAME_BYTES];
	uint32_t pos = (uint32_t)text->len;

	if (elf_image__symbol_name(image, symbol, name))
		return 0;
	symbol_name__demangle(name);
	return buf__append(text, name, strlen(name) + 1) ? 0 : pos;
}

/* Neighbours are mostly in one function: its name stands there already. */
static uint32_t add_go_name(struct go_names *go, uint64_t vaddr, uint32_t last, struct buf *text)
{
	uint32_t pos = (uint32_t)text->len;
	char name[GO_NAMES_BYTES];

	if (!go || go_names__find(go, vaddr, name))
		return 0;
	if (last && strcmp(text->data + last, name) == 0)
		return last;
	return buf__append(text, name, strlen(name) + 1) ? 0 : pos;
}

static void name_slots(const struct elf_image *image, struct go_names *go,
		       const struct lookup_slot *slots, uint32_t cnt,
		       const struct symbol_request *request, struct buf *text,
		       struct symbol_result *result)
{
	const struct lookup_slot *last = NULL;
	const uint64_t *offs = request->offs;
	uint32_t last_name = 0, last_go_name = 0;

	for (uint32_t i = 0; i < cnt; i++) {
		const struct lookup_slot *slot = &slots[i];
		const struct elf_symbol *symbol = lookup_slot__symbol(slot);
		uint32_t off_index = slot->off_index;
		uint32_t name = 0;

		if (symbol) {
			if (!last || last->source != slot->source ||
			    lookup_slot__symbol(last)->name_off != symbol->name_off)
				last_name = add_name(slot->source, symbol, text);
			last = slot;
			name = last_name;
		} else {
			name = last_go_name = add_go_name(go, slot->vaddr, last_go_name, text);
		}
		result->names[off_index] = name;
		result->bottoms[off_index] =
			(uint8_t)bottom__classify(image, slot, offs[off_index], text->data + name);
		result->no_returns[off_index] = !elf_image__returns_to(image, offs[off_index] + 1);
	}
}

/* Looks for those that have no symbol yet in one more image. */
static int look_in(const struct elf_image *image, struct lookup_slot *slots, uint32_t cnt)
{
	_auto_free_ struct lookup_slot *open = calloc(max_of(cnt, 1u), sizeof(*open));
	_auto_free_ uint32_t *index = calloc(max_of(cnt, 1u), sizeof(*index));
	struct lookup lookup = { .image = image, .slots = open };
	int err;

	if (!open || !index)
		return -ENOMEM;
	for (uint32_t i = 0; i < cnt; i++) {
		if (lookup_slot__symbol(&slots[i]))
			continue;
		index[lookup.cnt] = i;
		open[lookup.cnt++] = (struct lookup_slot){ .vaddr = slots[i].vaddr,
							   .off_index = slots[i].off_index,
							   .source = image };
	}
	if (lookup.cnt == 0)
		return 0;
	lookup.cover_budget = (uint64_t)lookup.cnt * COVERS_PER_OFF + COVERS_MIN;
	lookup.name_budget = (uint64_t)lookup.cnt * NAME_PAIRS_PER_OFF + NAME_PAIRS_MIN;
	err = lookup__run(&lookup);
	for (uint32_t i = 0; i < lookup.cnt && !err; i++)
		slots[index[i]] = open[i];
	return err;
}

static bool is_any_open(const struct lookup_slot *slots, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (!lookup_slot__symbol(&slots[i]))
			return true;
	return false;
}

/* Debug information is an extra: what is wrong with it leaves names unknown, and no more. */
static int look_elsewhere(const struct elf_image *image, const struct symbol_request *request,
			  struct debug_images *debug, struct lookup_slot *slots, uint32_t cnt,
			  bool *ret_has_symtab)
{
	int err = 0;

	*ret_has_symtab = elf_image__has_symtab(image);
	if (*ret_has_symtab || !is_any_open(slots, cnt))
		return 0;
	if (!debug_images__add_mini(debug, image)) {
		*ret_has_symtab = true;
		err = look_in(debug->mini, slots, cnt);
	}
	if (err == -ENOMEM || !is_any_open(slots, cnt))
		return err;
	if (!debug_images__add_file(debug, image, request)) {
		*ret_has_symtab = true;
		err = look_in(debug->file, slots, cnt);
	}
	return err == -ENOMEM ? err : 0;
}

/* Debug information stands in the file itself, or in its debug file, though that had to name nothing. */
static int read_places(const struct elf_image *image, const struct symbol_request *request,
		       struct debug_images *debug, const struct lookup_slot *slots, uint32_t cnt,
		       struct buf *text, struct symbol_result *result)
{
	int fds[2] = { request->fd, -1 };

	if (!debug->file)
		(void)debug_images__add_file(debug, image, request); /* -ENOENT: there is none */
	if (debug->file)
		fds[1] = debug->file_fd;
	return places__read(fds, debug->file ? 2 : 1, slots, cnt, text, result);
}

static int read_names(const struct elf_image *image, const struct symbol_request *request,
		      struct buf *text, struct symbol_result *result)
{
	_auto_free_ struct lookup_slot *slots =
		calloc(max_of(request->off_cnt, 1u), sizeof(*slots));
	struct debug_images debug = { 0 };
	struct go_names *go = NULL;
	uint32_t cnt;
	int err;

	if (!slots)
		return -ENOMEM;
	elf_image__build_id(image, &result->build_id);
	cnt = fill_slots(image, request, slots);
	if (cnt == 0)
		return 0;
	err = look_in(image, slots, cnt);
	if (!err)
		err = look_elsewhere(image, request, &debug, slots, cnt, &result->has_symtab);
	if (!err && is_any_open(slots, cnt) && !go_names__open(image, &go))
		result->has_symtab = true;
	if (!err)
		name_slots(image, go, slots, cnt, request, text, result);
	if (!err && request->wants_places && request->fd >= 0)
		err = read_places(image, request, &debug, slots, cnt, text, result);
	go_names__close(go);
	debug_images__clear(&debug);
	return err ? err : text->err;
}

static int run_on_image(const struct symbol_request *request, struct buf *text,
			struct symbol_result *result)
{
	_auto_free_ void *vdso = NULL;
	struct elf_image *image;
	size_t vdso_len;
	int err;

	if (request->vdso) {
		err = vdso__copy(&vdso, &vdso_len);
		if (!err)
			err = elf_image__from_memory(vdso, vdso_len, &image);
	} else {
		err = elf_image__open(request->fd, &image);
	}
	if (err)
		return err;
	err = read_names(image, request, text, result);
	elf_image__close(image);
	return err;
}

int symbol_job__run(const struct symbol_request *request, struct symbol_result *ret_result)
{
	size_t cnt = max_of(request->off_cnt, 1u);
	struct symbol_result result = { .name_cnt = request->off_cnt };
	_auto_buf_ struct buf text;

	buf__init(&text, TEXT_BYTES_MAX);
	result.names = calloc(cnt, sizeof(*result.names));
	result.bottoms = calloc(cnt, sizeof(*result.bottoms));
	result.no_returns = calloc(cnt, sizeof(*result.no_returns));
	if (!result.names || !result.bottoms || !result.no_returns || buf__putc(&text, '\0')) {
		symbol_result__clear(&result);
		return -ENOMEM;
	}
	result.err = request->jit ? jit__read_names(request, &text, &result) :
				    run_on_image(request, &text, &result);
	if (result.err == -ENOMEM) {
		symbol_result__clear(&result);
		return -ENOMEM;
	}
	if (text.err) /* names past the limit are unknown, those before it stay */
		text.err = 0;
	result.text = buf__take(&text, &result.text_bytes);
	*ret_result = result;
	return 0;
}

void symbol_result__clear(struct symbol_result *self)
{
	free(self->names);
	free(self->bottoms);
	free(self->no_returns);
	free(self->places_of);
	free(self->places);
	free(self->text);
	*self = (struct symbol_result){ 0 };
}
