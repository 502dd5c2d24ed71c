/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The few instruction sequences that stacks depend on, for files without symbols: how an entry point
 * begins (it clears the frame pointer, or passes the initial stack on), how a new thread ends (it exits
 * with the result of its function), and what can stand before a return address. Compared byte by byte;
 * the first two a compiler does not make from C. Not a disassembler: an architecture that is not in the
 * tables has none.
 */
#include "internal.h"

#include <string.h>

#include "pp/base/cleanup.h"

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

/* How many bytes of the file stand at off, at most CODE_BYTES_MAX; the rest of code is left. */
static size_t read_code(const struct elf_image *self, uint64_t off, uint8_t code[CODE_BYTES_MAX])
{
	size_t len = off < self->len ? min_of(self->len - off, (uint64_t)CODE_BYTES_MAX) : 0;

	return elf_image__read(self, off, code, len) ? 0 : len;
}

static bool begins_with(const struct elf_image *self, const uint8_t *code, size_t len,
			const struct code_pattern *patterns, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		const struct code_pattern *pattern = &patterns[i];

		if (pattern->machine == self->machine && pattern->len <= len &&
		    memcmp(code, pattern->bytes, pattern->len) == 0)
			return true;
	}
	return false;
}

static bool matches(const struct elf_image *self, uint64_t off, const struct code_pattern *patterns,
		    size_t cnt)
{
	uint8_t code[CODE_BYTES_MAX];

	return begins_with(self, code, read_code(self, off, code), patterns, cnt);
}

bool elf_image__enters_at(const struct elf_image *self, uint64_t off)
{
	return matches(self, off, entry_patterns, ARRAY_SIZE(entry_patterns));
}

/*
 * call rel32 or call *rel32(%rip), then hlt: glibc's _start; jmp *%r12: ld.so's, with _dl_start_user;
 * and $-16,%rsp, then call rel32: musl's
 */
static bool ends_entry(const uint8_t *code, size_t len)
{
	static const uint8_t align[] = { 0x48, 0x83, 0xe4, 0xf0 };

	if (len >= 9 && code[len - 5] == 0xe8 && memcmp(code + len - 9, align, sizeof(align)) == 0)
		return true;
	if (len >= 6 && code[len - 1] == 0xf4)
		return code[len - 6] == 0xe8 ||
		       (len >= 7 && code[len - 7] == 0xff && code[len - 6] == 0x15);
	return len >= 3 && code[len - 3] == 0x41 && code[len - 2] == 0xff && code[len - 1] == 0xe4;
}

uint32_t elf_image__entry_bytes(const struct elf_image *self, uint64_t off)
{
	uint8_t code[ELF_ENTRY_BYTES_MAX];
	size_t len = off < self->len ? min_of(self->len - off, sizeof(code)) : 0;

	if (self->machine != EM_X86_64 || elf_image__read(self, off, code, len))
		return 0;
	for (uint32_t i = 1; i <= len; i++)
		if (ends_entry(code, i))
			return i;
	return 0;
}

bool elf_image__exits_at(const struct elf_image *self, uint64_t off)
{
	return matches(self, off, exit_patterns, ARRAY_SIZE(exit_patterns));
}

#define SIGNAL_RETURN_BYTES 9

/* mov $15,%rax; syscall: rt_sigreturn */
static const struct code_pattern signal_return_patterns[] = {
	{ EM_X86_64, SIGNAL_RETURN_BYTES, { 0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05 } },
};

/* nop; call: runtime.goexit+1, which Go's runtime pushes below a goroutine's first function */
static const struct code_pattern goexit_patterns[] = {
	{ EM_X86_64, 2, { 0x90, 0xe8 } },
};

/* Bytes of "ff /2" with this modrm, after prefixes; Intel SDM 2, table 2-2 and CALL. */
static uint32_t call_indirect_bytes(const uint8_t *code)
{
	uint8_t modrm = code[1], mod = modrm >> 6, rm = modrm & 7;

	if (code[0] != 0xff || ((modrm >> 3) & 7) != 2)
		return 0;
	switch (mod) {
	case 0:
		if (rm == 4)
			return (code[2] & 7) == 5 ? 7 : 3;
		return rm == 5 ? 6 : 2;
	case 1: return rm == 4 ? 4 : 3;
	case 2: return rm == 4 ? 7 : 6;
	default: return 2;
	}
}

#define CALL_BYTES_MAX 7

static bool is_call(const uint8_t code[CALL_BYTES_MAX + 1])
{
	if (code[CALL_BYTES_MAX - 5] == 0xe8)
		return true;
	for (uint32_t len = 2; len <= CALL_BYTES_MAX; len++)
		if (call_indirect_bytes(code + CALL_BYTES_MAX - len) == len)
			return true;
	return false;
}

bool elf_image__returns_to(const struct elf_image *self, uint64_t off)
{
	uint8_t code[CODE_BYTES_MAX];
	size_t len;

	_Static_assert(CODE_BYTES_MAX >= CALL_BYTES_MAX + SIGNAL_RETURN_BYTES, "");
	if (self->machine != EM_X86_64 || off < CALL_BYTES_MAX)
		return true;
	len = read_code(self, off - CALL_BYTES_MAX, code);
	if (len < CALL_BYTES_MAX)
		return true;
	return is_call(code) ||
	       begins_with(self, code + CALL_BYTES_MAX, len - CALL_BYTES_MAX,
			   signal_return_patterns, ARRAY_SIZE(signal_return_patterns)) ||
	       begins_with(self, code + CALL_BYTES_MAX - 1, len - CALL_BYTES_MAX + 1,
			   goexit_patterns, ARRAY_SIZE(goexit_patterns));
}
