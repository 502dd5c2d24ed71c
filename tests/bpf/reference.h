/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef REFERENCE_H
#define REFERENCE_H
/*
 * The same stacks by libdw of elfutils, which reads the same files and memory with other code.
 */
#include "target.h"

#define REFERENCE_FRAMES_MAX 320

struct reference;

struct reference_stack {
	uint32_t depth;
	uint64_t frames[REFERENCE_FRAMES_MAX];
	bool is_exact[REFERENCE_FRAMES_MAX]; /* not a return address */
	bool is_cut; /* there are more */
	bool is_whole; /* the return address of the last one is undefined */
	const char *error; /* why not; borrowed, may be NULL */
};

/* target: borrowed, stopped. */
int reference__new(struct target *target, struct reference **ret_reference);
void reference__free(struct reference *self);
/* The mappings have changed. */
int reference__refresh(struct reference *self);
void reference__walk(struct reference *self, const struct target_thread *thread,
		     struct reference_stack *ret_stack);
/* Has libdw call frame information there? Else it guesses by rbp. */
bool reference__has_rule(struct reference *self, uint64_t addr);
/* The file's name and vaddr of an address. */
const char *reference__module(struct reference *self, uint64_t addr, uint64_t *ret_vaddr);

#endif
