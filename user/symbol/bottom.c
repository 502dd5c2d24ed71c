/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a user stack truly ends: in a program's entry, or in the code that a new thread or vfork child
 * starts with. Known by what cannot lie, so that stripped files count too:
 *
 *   the ELF entry: the function that starts there, or without symbols its first 64 bytes (_start is 34 to
 *   47 bytes in glibc; ld.so's _start and _dl_start_user are 63 together). A library's entry is filling
 *   (old linkers put the start of .text), so a file that is no program must begin as entries do;
 *   a return address followed by exit(result), as clone and clone3 have behind the call of the thread's
 *   function. glibc before 2.18 calls _exit there: found by the function's name.
 */
#include "internal.h"

#include <elf.h>
#include <string.h>

#include "pp/base/cleanup.h"

#define ENTRY_BYTES    64
#define CODE_BYTES_MAX 16

struct code_pattern {
	uint16_t machine;
	uint8_t len;
	uint8_t bytes[CODE_BYTES_MAX];
};

/* glibc csu/start.S and dl-machine.h RTLD_START, musl arch/.../crt_arch.h */
static const struct code_pattern entry_patterns[] = {
	{ EM_X86_64, 2, { 0x31, 0xed } }, /* xor %ebp,%ebp */
	{ EM_X86_64, 6, { 0xf3, 0x0f, 0x1e, 0xfa, 0x31, 0xed } }, /* endbr64; the same */
	{ EM_X86_64, 3, { 0x48, 0x31, 0xed } }, /* xor %rbp,%rbp */
	{ EM_X86_64, 4, { 0x48, 0x89, 0xe7, 0xe8 } }, /* mov %rsp,%rdi; call */
	{ EM_AARCH64, 4, { 0x1d, 0x00, 0x80, 0xd2 } }, /* mov x29,#0 */
	{ EM_AARCH64, 8, { 0x5f, 0x24, 0x03, 0xd5, 0x1d, 0x00, 0x80, 0xd2 } }, /* bti c; the same */
	{ EM_AARCH64, 4, { 0xe0, 0x03, 0x00, 0x91 } }, /* mov x0,sp */
};

/* glibc sysdeps/unix/sysv/linux/.../clone.S and clone3.S, musl src/thread/.../clone.s */
static const struct code_pattern exit_patterns[] = {
	/* mov %eax,%edi; mov $60,%eax; syscall */
	{ EM_X86_64, 9, { 0x89, 0xc7, 0xb8, 0x3c, 0x00, 0x00, 0x00, 0x0f, 0x05 } },
	/* mov %rax,%rdi; mov $60,%eax; syscall */
	{ EM_X86_64, 10, { 0x48, 0x89, 0xc7, 0xb8, 0x3c, 0x00, 0x00, 0x00, 0x0f, 0x05 } },
	/* mov %eax,%edi; xor %eax,%eax; mov $60,%al; syscall */
	{ EM_X86_64, 8, { 0x89, 0xc7, 0x31, 0xc0, 0xb0, 0x3c, 0x0f, 0x05 } },
	/* mov x8,#93; svc 0 */
	{ EM_AARCH64, 8, { 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4 } },
};

static bool matches(const struct elf_image *image, uint64_t off,
		    const struct code_pattern *patterns, size_t cnt)
{
	uint8_t code[CODE_BYTES_MAX];

	for (size_t i = 0; i < cnt; i++) {
		const struct code_pattern *pattern = &patterns[i];

		if (pattern->machine == elf_image__machine(image) &&
		    !elf_image__read(image, off, code, pattern->len) &&
		    memcmp(code, pattern->bytes, pattern->len) == 0)
			return true;
	}
	return false;
}

static bool is_entry(const struct elf_image *image, const struct lookup_slot *slot, uint64_t off,
		     const struct elf_symbol *symbol)
{
	uint64_t entry = elf_image__entry_vaddr(image), behind = slot->vaddr - entry;

	if (entry == 0 || slot->vaddr < entry)
		return false;
	if (symbol ? symbol->vaddr != entry :
		     behind >= ENTRY_BYTES || (slot->has_start && slot->start.vaddr > entry))
		return false;
	return elf_image__is_program(image) ||
	       matches(image, off - behind, entry_patterns, ARRAY_SIZE(entry_patterns));
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
	if (is_thread_name(name) ||
	    matches(image, off + 1, exit_patterns, ARRAY_SIZE(exit_patterns)))
		return SYMBOL_BOTTOM_THREAD;
	return SYMBOL_BOTTOM_NONE;
}
