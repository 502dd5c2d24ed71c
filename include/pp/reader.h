/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_READER_H
#define PP_READER_H
/*
 * The reader process: files of other people's containers are parsed (ELF, xz, perf maps, mangled names) by a
 * child that can do nothing else. It has no network, no BPF, no right to write, and a bound on its memory; past
 * its deadline or after a crash it is killed, and that file is never asked again. Requests and results are those of
 * symbol.h. A program that uses it calls reader__is_wanted first thing in main.
 */
#include <stdbool.h>

#include "pp/symbol.h"

struct reader;

/*
 * The process (this program again) is started by the first request and ended by reader__rest, so that it costs
 * nothing while nobody asks.
 */
int reader__new(struct reader **ret_reader);
void reader__free(struct reader *self);
/* Its requests look there for debug files, too (symbol_debuginfod.h). dir is copied; NULL: nowhere. -ENOMEM. */
int reader__use_debug_dir(struct reader *self, const char *dir);
void reader__rest(struct reader *self);
/*
 * A symbol_run_fn; arg is the reader. One thread at a time. What goes wrong is in ret_result->err: -ETIMEDOUT
 * (killed), -EPIPE (it died), -ECANCELED (a file that did that before), -EBADMSG (no valid answer).
 */
int reader__run(void *arg, const struct symbol_request *request, struct symbol_result *ret_result);

/* Was this process started to be a reader? Then reader__serve is all that main does. */
bool reader__is_wanted(int argc, char **argv);
int reader__serve(void); /* exit status */

#endif
