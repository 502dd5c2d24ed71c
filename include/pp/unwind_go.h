/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_UNWIND_GO_H
#define PP_UNWIND_GO_H
/*
 * Names of Go functions by Go's own table, which stripped programs have, too. Part of the door of unwind, which reads
 * the same table for its rows. One thread per object.
 */
#include <stdint.h>

struct elf_image;
struct go_names;

#define GO_NAMES_BYTES 1024 /* longer names are cut, with their NUL */

/* image: borrowed until __close. 0, -ENOENT (not Go), -EBADMSG, -EOPNOTSUPP (a version we do not know), -ENOMEM. */
int go_names__open(const struct elf_image *image, struct go_names **ret_names);
void go_names__close(struct go_names *self);
/* The function that vaddr lies in. 0, -ENOENT. */
int go_names__find(struct go_names *self, uint64_t vaddr, char name[GO_NAMES_BYTES]);

#endif
