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
struct session_spec;

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

/* target.c: the options that say whom to profile, far from each command's own. */
enum {
	TARGET_CHILDREN = 100,
	TARGET_PID,
	TARGET_COMM,
	TARGET_CGROUP,
	TARGET_CONTAINER,
	TARGET_POD,
	TARGET_WORKLOAD,
	TARGET_NAMESPACE,
};
/* clang-format off */
#define TARGET_OPTIONS                                                                        \
	{ TARGET_PID, "pid", "PID", "this process with all its threads; may be repeated" },   \
	{ TARGET_CHILDREN, "children", NULL, "and what it forks" },                           \
	{ TARGET_COMM, "comm", "NAME", "threads of this name; may be repeated" },             \
	{ TARGET_CGROUP, "cgroup", "PATH", "this cgroup and those below it; may be repeated" }, \
	{ TARGET_CONTAINER, "container", "NAME",                                              \
	  "this one: [[NAMESPACE/]POD/]NAME, or its id" },             \
	{ TARGET_POD, "pod", "NAME", "a pod: [NAMESPACE/]NAME; may be repeated" },         \
	{ TARGET_WORKLOAD, "workload", "NAME", "its pods: [NAMESPACE/]NAME; may be repeated" }, \
	{ TARGET_NAMESPACE, "namespace", "NAME", "its pods; may be repeated" }
/* clang-format on */
bool target__is_option(int id); /* that names somebody */
/* Takes one of them into the spec; others are nothing to it. -EINVAL, -E2BIG with *ret_why. */
int target__take(struct session_spec *spec, int id, const char *value, const char **ret_why);

/* Tells what is wrong with the words and the usage line. Returns CLI_USAGE. */
int cli__usage(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Tells a failure: one sentence, perhaps a second one that helps. err: -errno. hint may be NULL. Returns code. */
int cli__fail(struct cli *cli, int code, int err, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* The same for what the daemon says: its sentence and its "-EPERM". */
int cli__refused(struct cli *cli, int code, const char *symbol, const char *message);
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

/* asking.c: run_dir NULL: as the daemon's settings say. An exit code, having told why. */
enum { DAEMON_OPTION_RUN_DIR = CLI_OPTION_OWN, DAEMON_OPTION_OWN };
struct daemon_question {
	const char *method;
	struct json_object *params; /* borrowed; NULL: none */
	int fd; /* borrowed; -1: none */
};
int daemon__ask(struct cli *cli, const char *run_dir, const struct daemon_question *question,
		struct json_object **ret_reply);
/* The whole of a command without words: a list that the daemon gives, as rows. */
int daemon__show(struct cli *cli, int argc, char **argv, const char *method, const char *member,
		 const struct view_column *columns, uint32_t column_cnt);
extern const struct cli_option daemon_options[];

int cmd_profile_record(struct cli *cli, int argc, char **argv);
int cmd_feature_probe(struct cli *cli, int argc, char **argv);
int cmd_link_list(struct cli *cli, int argc, char **argv);
int cmd_prog_list(struct cli *cli, int argc, char **argv);
int cmd_map_list(struct cli *cli, int argc, char **argv);
int cmd_unwind_show(struct cli *cli, int argc, char **argv);
int cmd_unwind_explain(struct cli *cli, int argc, char **argv);
int cmd_unwind_dump(struct cli *cli, int argc, char **argv);
int cmd_symbol_explain(struct cli *cli, int argc, char **argv);
int cmd_session_list(struct cli *cli, int argc, char **argv);
int cmd_session_start(struct cli *cli, int argc, char **argv);
int cmd_session_stop(struct cli *cli, int argc, char **argv);
int cmd_session_change(struct cli *cli, int argc, char **argv);
int cmd_metrics_show(struct cli *cli, int argc, char **argv);
int cmd_command_list(struct cli *cli, int argc, char **argv);
int cmd_counter_list(struct cli *cli, int argc, char **argv);
int cmd_counter_stat(struct cli *cli, int argc, char **argv);
extern const struct cli_option counter_stat_options[];
extern const struct cli_option record_options[];
extern const struct cli_option session_start_options[];
extern const struct cli_option session_change_options[];
extern const struct cli_option unwind_options[];
extern const struct cli_option explain_options[];

#endif
