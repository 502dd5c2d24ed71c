/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of kernel addresses from /proc/kallsyms: "ffffffff81000000 T name" and a tab and "[owner]" behind
 * it for modules and BPF programs. The text is 5 to 20 MB and sorted only within an owner, so it is read
 * once, in chunks, and each line goes to the first asked address at or after it, as in lookup.c.
 *
 * There are no sizes. A symbol reaches to the next one of its owner; where none of the same owner
 * follows, only to the end of its page: owners' areas are page aligned, and what lies behind may be code
 * that is not listed (BPF programs with bpf_jit_kallsyms off). Markers such as _etext name no code.
 * With kptr_restrict every address is 0.
 */
#include "internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/hash.h"
#include "pp/base/sysroot.h"

#define CHUNK_BYTES	 65536
#define NAME_BYTES	 512 /* KSYM_NAME_LEN since 6.1 */
#define TEXT_BYTES_MAX	 (64u << 20)
#define SYMBOL_BYTES_MAX (1u << 20) /* no kernel function is longer */
#define OWNER_PAGE_BYTES 4096

struct kernel_symbol {
	uint64_t addr;
	uint64_t owner; /* hash of "[owner]", 0 for the kernel itself */
	uint8_t rank; /* lower is better: T, t, W, w, anything else */
	const char *name; /* borrowed from the line */
	size_t name_len;
};

enum { RANK_NOT_CODE = 4 };

/* The symbols seen between the asked address before this one and this one. */
struct kernel_slot {
	uint64_t first_addr; /* the lowest */
	uint64_t first_owner;
	uint64_t last_addr; /* the greatest, at or before the asked one; with its name */
	uint64_t last_owner;
	uint8_t last_rank;
	bool is_filled;
	char name[NAME_BYTES];
};

struct kernel_lookup {
	const uint64_t *addrs;
	uint32_t cnt;
	struct kernel_slot *slots; /* cnt + 1: one for what lies behind the last */
	bool saw_address;
};

static uint8_t type_rank(char type)
{
	switch (type) {
	case 'T': return 0;
	case 't': return 1;
	case 'W': return 2;
	case 'w': return 3;
	default: return RANK_NOT_CODE;
	}
}

static bool is_marker(const char *name, size_t len)
{
	static const char *const markers[] = {
		"_etext", "_einittext", "__end_rodata", "_end", "__init_end", "__entry_text_end",
	};

	for (size_t i = 0; i < ARRAY_SIZE(markers); i++)
		if (strlen(markers[i]) == len && memcmp(markers[i], name, len) == 0)
			return true;
	return false;
}

/* line is NUL-terminated. */
static bool parse_line(const char *line, size_t len, struct kernel_symbol *ret_symbol)
{
	struct kernel_symbol symbol = { 0 };
	const char *tab;
	char *end;

	symbol.addr = strtoull(line, &end, 16);
	if (end == line || line + len - end < 4 || end[0] != ' ' || end[2] != ' ')
		return false;
	symbol.rank = type_rank(end[1]);
	symbol.name = end + 3;
	tab = memchr(symbol.name, '\t', (size_t)(line + len - symbol.name));
	symbol.name_len = (size_t)((tab ? tab : line + len) - symbol.name);
	if (tab)
		symbol.owner = hash_bytes(tab, (size_t)(line + len - tab), 0) | 1;
	if (symbol.name_len == 0 || symbol.name_len >= NAME_BYTES)
		return false;
	if (is_marker(symbol.name, symbol.name_len))
		symbol.rank = RANK_NOT_CODE;
	*ret_symbol = symbol;
	return true;
}

static bool is_better(const struct kernel_symbol *symbol, const struct kernel_slot *slot)
{
	char name[NAME_BYTES];

	if (symbol->addr != slot->last_addr)
		return symbol->addr > slot->last_addr;
	if (symbol->rank != slot->last_rank)
		return symbol->rank < slot->last_rank;
	memcpy(name, symbol->name, symbol->name_len);
	name[symbol->name_len] = '\0';
	return symbol_name__compare(name, slot->name) < 0;
}

static void note_symbol(struct kernel_lookup *self, const struct kernel_symbol *symbol)
{
	struct kernel_slot *slot =
		&self->slots[addrs__not_below(self->addrs, self->cnt, symbol->addr)];

	if (!slot->is_filled || symbol->addr < slot->first_addr) {
		slot->first_addr = symbol->addr;
		slot->first_owner = symbol->owner;
	}
	if (!slot->is_filled || is_better(symbol, slot)) {
		slot->last_addr = symbol->addr;
		slot->last_owner = symbol->owner;
		slot->last_rank = symbol->rank;
		memcpy(slot->name, symbol->name, symbol->name_len);
		slot->name[symbol->name_len] = '\0';
	}
	slot->is_filled = true;
}

/* Takes the whole lines of text; returns how many bytes they were. */
static size_t take_lines(struct kernel_lookup *self, char *text, size_t len)
{
	size_t done = 0;
	char *newline;

	while ((newline = memchr(text + done, '\n', len - done))) {
		struct kernel_symbol symbol;

		*newline = '\0';
		if (parse_line(text + done, (size_t)(newline - text) - done, &symbol) &&
		    symbol.addr != 0) {
			self->saw_address = true;
			note_symbol(self, &symbol);
		}
		done = (size_t)(newline - text) + 1;
	}
	return done;
}

static int read_symbols(const struct sysroot *root, struct kernel_lookup *self)
{
	_auto_free_ char *chunk = malloc(CHUNK_BYTES);
	_auto_close_ int fd = sysroot__open(root, O_RDONLY | O_CLOEXEC, "proc/kallsyms");
	size_t kept = 0;

	if (fd < 0)
		return fd;
	if (!chunk)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, chunk + kept, CHUNK_BYTES - kept);
		size_t done;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) /* a last line that nothing ended is cut, not a line */
			break;
		kept += (size_t)n;
		done = take_lines(self, chunk, kept);
		if (done == 0 && kept == CHUNK_BYTES)
			return -EBADMSG;
		memmove(chunk, chunk + done, kept - done);
		kept -= done;
	}
	return self->saw_address ? 0 : -EPERM;
}

/* Does the symbol in `at` reach up to addr, when the next symbol stands in `next` (or NULL)? */
static bool reaches(const struct kernel_slot *at, const struct kernel_slot *next, uint64_t addr)
{
	if (at->last_rank == RANK_NOT_CODE || addr - at->last_addr >= SYMBOL_BYTES_MAX)
		return false;
	if (next && next->first_owner == at->last_owner)
		return true;
	return (addr & ~(uint64_t)(OWNER_PAGE_BYTES - 1)) <= at->last_addr;
}

/* next_filled[i] of a backward walk: slots are few, so it is found by two indexes. */
static void name_addrs(const struct kernel_lookup *self, struct buf *text,
		       struct symbol_result *result)
{
	const struct kernel_slot *at = NULL;
	uint32_t next = 0, name = 0;

	for (uint32_t i = 0; i < self->cnt; i++) {
		if (self->slots[i].is_filled) {
			at = &self->slots[i];
			name = 0;
		}
		for (next = max_of(next, i + 1); next < self->cnt && !self->slots[next].is_filled;)
			next++;
		if (!at || !reaches(at, self->slots[next].is_filled ? &self->slots[next] : NULL,
				    self->addrs[i]))
			continue;
		if (name == 0) {
			name = (uint32_t)text->len;
			if (buf__append(text, at->name, strlen(at->name) + 1))
				return;
		}
		result->names[i] = name;
	}
}

int kallsyms__resolve(const struct sysroot *root, const uint64_t *addrs, uint32_t addr_cnt,
		      struct symbol_result *ret_result)
{
	struct kernel_lookup lookup = { .addrs = addrs, .cnt = addr_cnt };
	struct symbol_result result = { .name_cnt = addr_cnt };
	_auto_free_ struct kernel_slot *slots = calloc((size_t)addr_cnt + 1, sizeof(*slots));
	_auto_free_ uint32_t *names = calloc(max_of(addr_cnt, 1u), sizeof(*names));
	_auto_buf_ struct buf text;
	int err;

	buf__init(&text, TEXT_BYTES_MAX);
	if (!slots || !names || buf__putc(&text, '\0'))
		return -ENOMEM;
	lookup.slots = slots;
	err = read_symbols(root, &lookup);
	if (err)
		return err;
	result.names = take_ptr(names);
	name_addrs(&lookup, &text, &result);
	text.err = 0; /* names past the limit stay unknown */
	result.text = buf__take(&text, &result.text_bytes);
	*ret_result = result;
	return 0;
}
