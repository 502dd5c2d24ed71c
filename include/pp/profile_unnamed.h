/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROFILE_UNNAMED_H
#define PP_PROFILE_UNNAMED_H
/*
 * Why a frame has no name. Part of the door of profile (profile.h includes it).
 */
#include <stdint.h>

/* Names are append-only (JSON fields, pages). */
#define PP_UNNAMED(X)                                                                              \
	X(NOT, "named", "it has one")                                                              \
	X(STRIPPED, "stripped", "its file was stripped, and no debug file belongs to it")          \
	X(NO_SYMBOL, "no_symbol", "its file has symbols, but none for that code")                  \
	X(FILE_GONE, "file_gone", "its file could not be opened any more, or is another by now")   \
	X(UNREADABLE, "unreadable", "its file could not be read: damaged, refused, or too slow")   \
	X(NOT_MAPPED, "not_mapped", "nothing is known to have been mapped there")                  \
	X(NO_MAP, "jit_without_map", "code made at run time by a process that writes no perf map") \
	X(NOT_IN_MAP, "jit_not_in_map", "code made at run time that is not in its process's list") \
	X(MAP_REFUSED, "jit_map_refused",                                                          \
	  "a perf map of another user, or from before the process")                                \
	X(KERNEL_HIDDEN, "kernel_hidden", "the kernel hides its addresses (kptr_restrict)")        \
	X(KERNEL_UNKNOWN, "kernel_unknown", "kernel code that kallsyms does not list")
enum profile_unnamed {
#define X(id, name, text) UNNAMED_##id,
	PP_UNNAMED(X)
#undef X
		UNNAMED_CNT
};
const char *profile_unnamed__name(uint32_t why);
const char *profile_unnamed__text(uint32_t why);

#endif
