/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Go's table of functions, asked for names. Whether a table is one, and which code it speaks about, is settled by
 * gopclntab.c; not here: where it lies, and the rows that are made of it.
 */
#include "pp/unwind_go.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "go_table.h"
#include "pp/base/cleanup.h"

struct go_names {
	struct unwind_code code;
	struct gopclntab *table;
};

int go_names__open(const struct elf_image *image, struct go_names **ret_names)
{
	struct go_names *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	err = unwind_code__init(&self->code, image);
	if (!err)
		err = gopclntab__open(&self->code, &self->table);
	if (err) {
		go_names__close(self);
		return err;
	}
	*ret_names = self;
	return 0;
}

void go_names__close(struct go_names *self)
{
	if (!self)
		return;
	gopclntab__close(self->table);
	free(self);
}

int go_names__find(struct go_names *self, uint64_t vaddr, char name[GO_NAMES_BYTES])
{
	struct go_func func;
	int err = go_table__find(self->table, vaddr, &func);

	if (err)
		return err;
	go_table__name(self->table, &func, name, GO_NAMES_BYTES);
	return name[0] ? 0 : -ENOENT;
}
