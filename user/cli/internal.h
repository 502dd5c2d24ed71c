/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef CLI_INTERNAL_H
#define CLI_INTERNAL_H
/*
 * What the files of the command line share: the table of commands, and how results and errors are told.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "pp/base/sysroot.h"

struct json_object;

/* An interface of the program: documented by `pulseprof help`. */
enum cli_exit {
	CLI_DONE = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_NO_DAEMON = 3,
	CLI_IMPOSSIBLE = 4,
	CLI_LOSSES = 5,
};

struct cli {
	bool json;
	bool pretty;
	const struct cli_command *command; /* the one that runs, for its usage line */
	struct sysroot root;
	struct rlimit files_before; /* the limit we were started with, given on to commands */
};

struct cli_option {
	int id;
	const char *name;
	const char *arg; /* NULL: takes none */
	const char *help;
};

struct cli_command {
	const char *object;
	const char *verb; /* NULL: the object is the whole command */
	const char *args;
	const char *help;
	const struct cli_option *options; /* up to a NULL name; may be NULL */
	int (*run)(struct cli *cli, int argc, char **argv); /* words behind the verb */
};

/* table.c */
int cli__dispatch(struct cli *cli, int argc, char **argv);
int cli__print_help(struct cli *cli, const char *object); /* NULL: all. Returns CLI_DONE. */
/*
 * Takes the option at argv[*pos] and its value and moves *pos behind them. Returns its id, or -1 after
 * having told what is wrong.
 */
int cli__option(struct cli *cli, int argc, char **argv, int *pos, const char **ret_value);
enum { CLI_OPTION_HELP = 1, CLI_OPTION_JSON, CLI_OPTION_PRETTY, CLI_OPTION_OWN };

/* Tells what is wrong with the words and the usage line. Returns CLI_USAGE. */
int cli__usage(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Tells a failure: one sentence, perhaps a second one that helps. err: -errno. hint may be NULL. Returns code. */
int cli__fail(struct cli *cli, int code, int err, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* CLI_IMPOSSIBLE for what kernel or permissions refuse, else CLI_FAILED. */
int cli__code_of(int err);

/* view.c: a result is rows of typed fields (JSON objects), printed plain or as JSON. */
struct view_column {
	const char *field;
	bool is_note; /* on a line of its own below the row, when it has text */
};
void view__print_json(struct cli *cli, struct json_object *json);
/* rows: a JSON array of objects. */
int view__print_rows(struct cli *cli, struct json_object *rows, const struct view_column *columns,
		     uint32_t column_cnt);
int view__print_fields(struct cli *cli, struct json_object *object); /* one row, a line a field */
/* Text from outside made harmless for a terminal: what is not printable becomes \xNN. Returns text. */
char *view__safe(const char *from, char *text, size_t text_bytes);

int cmd_profile_record(struct cli *cli, int argc, char **argv);
int cmd_feature_probe(struct cli *cli, int argc, char **argv);
int cmd_link_list(struct cli *cli, int argc, char **argv);
int cmd_prog_list(struct cli *cli, int argc, char **argv);
int cmd_map_list(struct cli *cli, int argc, char **argv);
int cmd_unwind_show(struct cli *cli, int argc, char **argv);
int cmd_unwind_explain(struct cli *cli, int argc, char **argv);
int cmd_unwind_dump(struct cli *cli, int argc, char **argv);
extern const struct cli_option record_options[];
extern const struct cli_option unwind_options[];
extern const struct cli_option explain_options[];

#endif
