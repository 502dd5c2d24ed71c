/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SYMBOL_INTERNAL_H
#define PP_SYMBOL_INTERNAL_H
/*
 * What the files of this room share: the lookup of a few addresses among many symbols, and the knowledge
 * where stacks end.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/elf.h"
#include "pp/symbol.h"

/* What a stripped file's symbols were put away into. */
struct debug_images {
	struct elf_image *mini; /* over mini_data; NULL: none */
	void *mini_data;
	struct elf_image *file; /* over file_fd; NULL: none */
	int file_fd;
};
/* 0, -ENOENT: there is none; -errno: what was there is no good. Any thread. */
int debug_images__add_mini(struct debug_images *self, const struct elf_image *image);
int debug_images__add_file(struct debug_images *self, const struct elf_image *image,
			   const struct symbol_request *request);
void debug_images__clear(struct debug_images *self);

/* One asked address and the best symbols seen so far. vaddr 0 with name_max 0: none. */
struct lookup_slot {
	uint64_t vaddr;
	uint32_t off_index; /* in the request */
	bool is_covered;
	bool has_start;
	struct elf_symbol cover; /* the innermost that covers vaddr by its size */
	struct elf_symbol start; /* the last that starts at or before vaddr */
	const struct elf_image *source; /* where its symbols stand */
};

struct lookup {
	const struct elf_image *image; /* borrowed */
	struct lookup_slot *slots; /* by vaddr; borrowed */
	uint32_t cnt;
	uint64_t cover_budget; /* steps left before the file counts as damaged */
	uint64_t name_budget; /* pairs of names that may still be compared */
};

/* Goes once through the image's symbols. Returns 0, -EBADMSG, -ENOMEM, -errno. */
int lookup__run(struct lookup *self);
/* The symbol of a slot after the run, or NULL: none covers it. */
const struct elf_symbol *lookup_slot__symbol(const struct lookup_slot *self);

/* The first of the ascending addrs that is not below addr; cnt if there is none. */
uint32_t addrs__not_below(const uint64_t *addrs, uint32_t cnt, uint64_t addr);

/* Names for asked addresses in code that was made at run time. */
struct jit_lookup {
	const uint64_t *addrs; /* ascending; borrowed */
	uint32_t *names; /* by address: where its name stands in text; 0: none yet */
	uint32_t cnt;
	bool is_java;
	struct buf *text;
	uint64_t budget; /* names that may still be given */
};
#define JIT_FILE_BYTES_MAX (512ull << 20)
/* There is code of this name (NULL: not known which) now, whatever was there before. 0, -EBADMSG. */
int jit_lookup__code(struct jit_lookup *self, uint64_t addr, uint64_t bytes, const char *name,
		     size_t name_len);
/* 0, -EBADMSG, -E2BIG (what was read stands), -ENOMEM, -errno. */
int perf_map__read(struct jit_lookup *self, int fd);
int jitdump__read(struct jit_lookup *self, int fd);
/* Fills names by a request with jit. 0, -ENOENT (no file), -EPERM, -ESTALE (not its file), or as above. */
int jit__read_names(const struct symbol_request *request, struct buf *text,
		    struct symbol_result *result);

/* How the stack ends in code at vaddr (file offset off) that belongs to symbol (NULL: to none). */
enum symbol_bottom bottom__classify(const struct elf_image *image, const struct lookup_slot *slot,
				    uint64_t off, const char *name);

/*
 * Fills the result's places for slots (by vaddr) from the first of the files that has debug information. 0 (also for
 * none; see places_err), -ENOMEM.
 */
int places__read(const int *fds, size_t fd_cnt, const struct lookup_slot *slots, uint32_t cnt,
		 struct buf *text, struct symbol_result *result);

/* A C++ or Rust name becomes what people write; any other stays. */
void symbol_name__demangle(char name[ELF_NAME_BYTES]);

/* Fewer leading underscores, then shorter, then strcmp: < 0 if a is the nicer of two aliases. */
int symbol_name__compare(const char *a, const char *b);

#endif
