/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks the function symbols of .symtab and .dynsym in chunks. Keeps nothing: who asks for a few names
 * compares each symbol with what he wants, and only names that won are read. So a program with 1.7
 * million symbols needs no more memory than one with ten, and a hostile table costs its own bytes at
 * most. Files without section headers (sstrip) have no symbols here: the dynamic segment does not tell
 * how many there are without trusting a hash table.
 *
 * A function is STT_FUNC or STT_GNU_IFUNC in any section, or a global STT_NOTYPE in executable code: hand
 * written entry points (musl's _start) have no type. gABI, "Symbol Table".
 */
#include "internal.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "pp/base/cleanup.h"

#define SYMBOLS_MAX   4000000
#define CHUNK_SYMBOLS 2730 /* 64 KiB */

struct symbol_walk {
	const struct elf_image *image;
	const Elf64_Shdr *strings;
	bool is_complete; /* .symtab: no function between two symbols is left out */
	int (*fn)(void *arg, const struct elf_symbol *symbol);
	void *arg;
};

static const Elf64_Shdr *find_section(const struct elf_image *self, uint32_t type)
{
	for (uint32_t i = 0; i < self->section_cnt; i++)
		if (self->sections[i].sh_type == type)
			return &self->sections[i];
	return NULL;
}

static uint8_t binding_rank(uint8_t binding)
{
	switch (binding) {
	case STB_GLOBAL:
	case STB_GNU_UNIQUE: return 0;
	case STB_WEAK: return 1;
	default: return 2;
	}
}

/* Is it a function, and where does its section end? */
static bool is_function(const struct elf_image *image, const Elf64_Sym *sym,
			struct elf_symbol *ret_symbol)
{
	uint8_t type = ELF64_ST_TYPE(sym->st_info),
		rank = binding_rank(ELF64_ST_BIND(sym->st_info));
	const Elf64_Shdr *section = NULL;
	uint64_t end = 0;

	if (sym->st_shndx == SHN_UNDEF || sym->st_name == 0)
		return false;
	/* SHN_ABS, SHN_XINDEX: no section to bound it, so only what its own size covers */
	if (sym->st_shndx < SHN_LORESERVE && sym->st_shndx < image->section_cnt)
		section = &image->sections[sym->st_shndx];
	if (type == STT_NOTYPE) {
		if (!section || !(section->sh_flags & SHF_EXECINSTR) || rank == 2)
			return false;
		rank = (uint8_t)(rank + 3);
	} else if (type != STT_FUNC && type != STT_GNU_IFUNC) {
		return false;
	}
	if (section && (__builtin_add_overflow(section->sh_addr, section->sh_size, &end) ||
			sym->st_value < section->sh_addr || sym->st_value >= end))
		return false;
	ret_symbol->vaddr = sym->st_value;
	ret_symbol->size = sym->st_size;
	ret_symbol->reach_vaddr = end;
	ret_symbol->rank = rank;
	return true;
}

static int walk_chunk(const struct symbol_walk *walk, const Elf64_Sym *syms, size_t cnt)
{
	const Elf64_Shdr *strings = walk->strings;
	int err = 0;

	for (size_t i = 0; i < cnt && !err; i++) {
		struct elf_symbol symbol;
		uint64_t left;

		if (!is_function(walk->image, &syms[i], &symbol) ||
		    syms[i].st_name >= strings->sh_size)
			continue;
		left = strings->sh_size - syms[i].st_name;
		if (__builtin_add_overflow(strings->sh_offset, (uint64_t)syms[i].st_name,
					   &symbol.name_off))
			continue;
		if (!walk->is_complete) /* what lies behind it may be a function nobody exports */
			symbol.reach_vaddr = symbol.vaddr;
		symbol.name_max = (uint32_t)min_of(left, (uint64_t)ELF_NAME_BYTES);
		err = walk->fn(walk->arg, &symbol);
	}
	return err;
}

static int walk_table(struct symbol_walk *walk, const Elf64_Shdr *table, Elf64_Sym *chunk)
{
	const struct elf_image *image = walk->image;
	uint64_t cnt = table->sh_size / sizeof(*chunk), end;
	int err = 0;

	if (table->sh_entsize != sizeof(*chunk) || cnt > SYMBOLS_MAX ||
	    __builtin_add_overflow(table->sh_offset, table->sh_size, &end) || end > image->len ||
	    table->sh_link >= image->section_cnt ||
	    image->sections[table->sh_link].sh_type != SHT_STRTAB)
		return -EBADMSG;
	walk->is_complete = table->sh_type == SHT_SYMTAB;
	walk->strings = &image->sections[table->sh_link];
	for (uint64_t i = 0; i < cnt && !err; i += CHUNK_SYMBOLS) {
		size_t n = (size_t)min_of(cnt - i, (uint64_t)CHUNK_SYMBOLS);

		err = elf_image__read(image, table->sh_offset + i * sizeof(*chunk), chunk,
				      n * sizeof(*chunk));
		if (!err)
			err = walk_chunk(walk, chunk, n);
	}
	return err;
}

int elf_image__each_symbol(const struct elf_image *self,
			   int (*fn)(void *arg, const struct elf_symbol *symbol), void *arg)
{
	static const uint32_t types[] = { SHT_SYMTAB, SHT_DYNSYM };
	struct symbol_walk walk = { .image = self, .fn = fn, .arg = arg };
	_auto_free_ Elf64_Sym *chunk = malloc(CHUNK_SYMBOLS * sizeof(*chunk));
	int err = 0;

	if (!chunk)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(types) && !err; i++) {
		const Elf64_Shdr *table = find_section(self, types[i]);

		if (table)
			err = walk_table(&walk, table, chunk);
	}
	return err;
}

int elf_image__symbol_name(const struct elf_image *self, const struct elf_symbol *symbol,
			   char name[ELF_NAME_BYTES])
{
	uint32_t max = symbol->name_max, done = 0;

	/* most names are short: first a small read, then the rest */
	for (uint32_t want = min_of(max, 128u); done < max; want = max - done) {
		int err = elf_image__read(self, symbol->name_off + done, name + done, want);

		if (err)
			return err;
		if (memchr(name + done, '\0', want))
			return name[0] ? 0 : -EBADMSG;
		done += want;
	}
	return -EBADMSG;
}
