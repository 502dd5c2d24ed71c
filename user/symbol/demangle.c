/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * C++ and Rust names as people write them: the only file that includes libiberty. Without parameters, as
 * perf prints them: they make names long and say little in a flame graph. What the demangler does not take,
 * or what becomes longer than a name may be, stays as it stands in the file: nothing is guessed.
 * Itanium C++ ABI, 5.1 (_Z); Rust RFC 2603 (_R), and Rust's older form, which is C++'s with a hash behind it.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

static bool is_mangled(const char *name)
{
	return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');
}

void symbol_name__demangle(char name[ELF_NAME_BYTES])
{
	char *text;
	size_t len;

	if (!is_mangled(name))
		return;
	text = cplus_demangle(name, DMGL_AUTO);
	len = text ? strlen(text) : 0;
	if (len > 0 && len < ELF_NAME_BYTES)
		memcpy(name, text, len + 1);
	free(text);
}
