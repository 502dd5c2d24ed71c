/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One file's job: offsets in, names out. Request and result are plain data without pointers into other
 * rooms, so that the job can run in a process of its own one day. A file that cannot be read gives an
 * error inside the result and unknown names, never a failed job: the samples are kept in any case.
 * Memory: one slot for each offset and 64 KiB; the file's own tables are streamed (lookup.c).
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/proc_memory.h"

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

	if (elf_image__symbol_name(image, symbol, name) ||
	    buf__append(text, name, strlen(name) + 1))
		return 0;
	return pos;
}

static void name_slots(const struct lookup *lookup, const struct symbol_request *request,
		       struct buf *text, struct symbol_result *result)
{
	const uint64_t *offs = request->offs;
	uint64_t last_name_off = 0;
	uint32_t last_name = 0;

	for (uint32_t i = 0; i < lookup->cnt; i++) {
		const struct lookup_slot *slot = &lookup->slots[i];
		const struct elf_symbol *symbol = lookup_slot__symbol(slot);
		uint32_t name = 0;

		if (symbol) {
			if (symbol->name_off != last_name_off)
				last_name = add_name(lookup->image, symbol, text);
			last_name_off = symbol->name_off;
			name = last_name;
		}
		result->names[slot->off_index] = name;
		result->bottoms[slot->off_index] = (uint8_t)bottom__classify(
			lookup->image, slot, offs[slot->off_index], text->data + name);
		result->no_returns[slot->off_index] =
			!elf_image__returns_to(lookup->image, offs[slot->off_index] + 1);
	}
}

static int read_names(const struct elf_image *image, const struct symbol_request *request,
		      struct buf *text, struct symbol_result *result)
{
	_auto_free_ struct lookup_slot *slots =
		calloc(max_of(request->off_cnt, 1u), sizeof(*slots));
	struct lookup lookup = {
		.image = image,
		.slots = slots,
		.cover_budget = (uint64_t)request->off_cnt * COVERS_PER_OFF + COVERS_MIN,
		.name_budget = (uint64_t)request->off_cnt * NAME_PAIRS_PER_OFF + NAME_PAIRS_MIN,
	};
	int err;

	if (!slots)
		return -ENOMEM;
	elf_image__build_id(image, &result->build_id);
	lookup.cnt = fill_slots(image, request, slots);
	if (lookup.cnt == 0)
		return 0;
	err = lookup__run(&lookup);
	if (!err)
		name_slots(&lookup, request, text, result);
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
	result.err = run_on_image(request, &text, &result);
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
	free(self->text);
	*self = (struct symbol_result){ 0 };
}
