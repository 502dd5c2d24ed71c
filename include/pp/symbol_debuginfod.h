/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SYMBOL_DEBUGINFOD_H
#define PP_SYMBOL_DEBUGINFOD_H
/*
 * Debug files of stripped programs, fetched from debuginfod servers into a directory: in the background, one at a time,
 * nobody waits. Part of the door of symbol. Build ids leave the host by it, and nothing else. Loop thread only.
 */
struct debuginfod;
struct net;

/*
 * urls: http: or https:, with blanks between them, asked in turn; at most 8. dir is made, and bounded to 1 GB, the
 * files that nobody used for longest removed first; its name is copied. -EINVAL (a URL), -errno of the directory.
 */
int debuginfod__new(struct net *net, const char *urls, const char *dir,
		    struct debuginfod **ret_debuginfod);
void debuginfod__free(struct debuginfod *self); /* before its net */
/*
 * That of this build id (hex) would give names: unless it is there, is on its way, or was refused within the last hour
 * (five minutes if a server was not reached).
 */
void debuginfod__want(struct debuginfod *self, const char *build_id);

#endif
