/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a user stack truly ends: in a program's entry, or in the code that a new thread or vfork child
 * starts with. Known by what cannot lie, so that stripped files count too:
 *
 *   the ELF entry: the function that starts there, or without symbols the entry's code up to the
 *   instruction that ends it. A library's entry is filling (old linkers put the start of .text), so a file
 *   that is no program must begin as entries do;
 *   a return address followed by exit(result), as clone and clone3 have behind the call of the thread's
 *   function. glibc before 2.18 calls _exit there: found by the function's name.
 */
#include "internal.h"

#include <string.h>

#include "pp/base/cleanup.h"

static bool is_entry(const struct elf_image *image, const struct lookup_slot *slot, uint64_t off,
		     const struct elf_symbol *symbol)
{
	uint64_t entry = elf_image__entry_vaddr(image), behind = slot->vaddr - entry;

	if (entry == 0 || slot->vaddr < entry)
		return false;
	if (symbol ? symbol->vaddr != entry :
		     behind >= ELF_ENTRY_BYTES_MAX ||
			     behind >= elf_image__entry_bytes(image, off - behind))
		return false;
	return elf_image__is_program(image) || elf_image__enters_at(image, off - behind);
}

static bool is_thread_name(const char *name)
{
	name += min_of(strspn(name, "_"), (size_t)2);
	return strcmp(name, "clone") == 0 || strcmp(name, "clone3") == 0;
}

enum symbol_bottom bottom__classify(const struct elf_image *image, const struct lookup_slot *slot,
				    uint64_t off, const char *name)
{
	if (is_entry(image, slot, off, lookup_slot__symbol(slot)) ||
	    strcmp(name, "_dl_start_user") == 0)
		return SYMBOL_BOTTOM_ENTRY;
	/* callers are looked up by the last byte of their call: the return address is the next one */
	if (is_thread_name(name) || elf_image__exits_at(image, off + 1))
		return SYMBOL_BOTTOM_THREAD;
	return SYMBOL_BOTTOM_NONE;
}
