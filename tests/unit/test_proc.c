/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The proc room against a tree of plain files: proc/PID/maps, stat, map_files and root as the kernel lays
 * them out, made anew for each test below a temporary directory. proc/self leads to the real one, since
 * files are reopened through our own descriptors.
 */
#include "pp/proc.h"
#include "pp/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"
#include "pp/metrics.h"

#define PATH_BYTES 512
#define TICK_NS	   10000000ull /* USER_HZ 100 */

struct tree {
	char dir[64];
	struct sysroot root;
	struct proc_table *table;
};

static char *path_in(const struct tree *tree, char path[PATH_BYTES], const char *name)
{
	snprintf(path, PATH_BYTES, "%s/%s", tree->dir, name);
	return path;
}

/* Makes each directory on the way. */
static void put_dir(const struct tree *tree, const char *name)
{
	char path[PATH_BYTES];

	path_in(tree, path, name);
	for (char *slash = path + strlen(tree->dir); slash; slash = strchr(slash, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0755); /* may be there */
		*slash++ = '/';
	}
	(void)mkdir(path, 0755);
}

static void put(const struct tree *tree, const char *name, const char *text)
{
	char path[PATH_BYTES];
	FILE *file = fopen(path_in(tree, path, name), "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void put_link(const struct tree *tree, const char *name, const char *target)
{
	char path[PATH_BYTES], target_path[PATH_BYTES];

	snprintf(target_path, sizeof(target_path), "%s%s%s", target[0] == '/' ? "" : tree->dir,
		 target[0] == '/' ? "" : "/", target);
	assert_int_equal(symlink(target_path, path_in(tree, path, name)), 0);
}

static struct stat stat_of(const struct tree *tree, const char *name)
{
	char path[PATH_BYTES];
	struct stat st;

	assert_int_equal(stat(path_in(tree, path, name), &st), 0);
	return st;
}

/* One maps line for a file of the tree, at a page number. */
static const char *line_of(const struct tree *tree, const char *name, unsigned int page,
			   const char *shown)
{
	static char line[PATH_BYTES];
	struct stat st = stat_of(tree, name);

	snprintf(line, sizeof(line), "%x000-%x000 r-xp 00002000 %02x:%02x %lu      %s\n", page,
		 page + 1, major(st.st_dev), minor(st.st_dev), (unsigned long)st.st_ino, shown);
	return line;
}

/* A process that started at tick 1000, with its one thread. */
static void put_process(const struct tree *tree, uint32_t pid, char state, const char *maps)
{
	char name[PATH_BYTES], text[256];

	snprintf(name, sizeof(name), "proc/%u/map_files", pid);
	put_dir(tree, name);
	snprintf(name, sizeof(name), "proc/%u/task/%u", pid, pid);
	put_dir(tree, name);
	snprintf(name, sizeof(name), "proc/%u/maps", pid);
	put(tree, name, maps);
	snprintf(name, sizeof(name), "proc/%u/task/%u/maps", pid, pid);
	put(tree, name, maps);
	snprintf(name, sizeof(name), "proc/%u/stat", pid);
	snprintf(text, sizeof(text),
		 "%u (a) b) %c 7 1 1 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 1 0 1000 1 1\n", pid,
		 state);
	put(tree, name, text);
}

static struct proc_id id_of(uint32_t pid, uint32_t exec_id)
{
	return (struct proc_id){ .pid = pid,
				 .exec_id = exec_id,
				 .start_boottime_ns = 1000 * TICK_NS };
}

static int set_up(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	assert_non_null(tree);
	strncpy(tree->dir, "/tmp/test_proc_XXXXXX", sizeof(tree->dir) - 1);
	assert_non_null(mkdtemp(tree->dir));
	assert_int_equal(sysroot__open_root(&tree->root, tree->dir), 0);
	put_dir(tree, "proc");
	put_dir(tree, "image/lib");
	put_link(tree, "proc/self", "/proc/self");
	put(tree, "image/lib/one.so", "one");
	put(tree, "image/lib/two.so", "two");
	put(tree, "outside.so", "not to be read");
	assert_int_equal(proc_table__new(&tree->root, &tree->table), 0);
	*state = tree;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	struct tree *tree = *state;

	proc_table__free(tree->table);
	sysroot__close(&tree->root);
	assert_int_equal(nftw(tree->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(tree);
	return 0;
}

struct parsed {
	uint32_t cnt;
	struct mapping last;
	char last_path[PATH_BYTES];
};

static int keep_last(void *arg, const struct mapping *mapping)
{
	struct parsed *parsed = arg;

	parsed->cnt++;
	parsed->last = *mapping;
	snprintf(parsed->last_path, sizeof(parsed->last_path), "%s", mapping->path);
	return 0;
}

static struct parsed parse(const char *text)
{
	struct parsed parsed = { 0 };

	assert_int_equal(maps__parse(text, strlen(text), keep_last, &parsed), 0);
	return parsed;
}

static void a_line_gives_all_its_fields(void **state)
{
	struct parsed parsed = parse("7f77d0c1d000-7f77d0c27000 r-xp 00027000 fe:01 332383      "
				     "        /usr/lib/a b\\012c.so (deleted)\n");

	assert_int_equal(parsed.cnt, 1);
	assert_int_equal(parsed.last.start_addr, 0x7f77d0c1d000);
	assert_int_equal(parsed.last.end_addr, 0x7f77d0c27000);
	assert_int_equal(parsed.last.off, 0x27000);
	assert_int_equal(parsed.last.dev_major, 0xfe);
	assert_int_equal(parsed.last.dev_minor, 1);
	assert_int_equal(parsed.last.inode, 332383);
	assert_int_equal(parsed.last.kind, MAPPING_FILE);
	assert_true(parsed.last.is_deleted);
	assert_string_equal(parsed.last_path, "/usr/lib/a b\nc.so");
	assert_int_equal(mapping__addr_to_off(&parsed.last, 0x7f77d0c1d010), 0x27010);
	assert_int_equal(parse("1000-2000 r--p 00000000 00:00 0 \n1000-2000 rw-s 0 0:0 9 /x\n").cnt,
			 0);
}

static void kinds_follow_what_the_kernel_shows(void **state)
{
	static const struct {
		const char *line;
		enum mapping_kind kind;
	} rows[] = {
		{ "1000-2000 r-xp 00000000 00:00 0 \n", MAPPING_ANON },
		{ "1000-2000 rwxp 00000000 00:00 0                          [heap]\n",
		  MAPPING_ANON },
		{ "1000-2000 rwxp 00000000 00:00 0                          [anon:v8]\n",
		  MAPPING_ANON },
		{ "1000-2000 rwxs 00000000 00:01 5 /dev/zero (deleted)\n", MAPPING_ANON },
		{ "1000-2000 rwxs 00000000 00:01 5 /SYSV00000000 (deleted)\n", MAPPING_ANON },
		{ "1000-2000 rwxs 00000000 00:01 5 [anon_shmem:x]\n", MAPPING_ANON },
		{ "1000-2000 r-xp 00000000 00:01 5 /memfd:app (deleted)\n", MAPPING_FILE },
		{ "7ffd10000000-7ffd10002000 r-xp 00000000 00:00 0 [vdso]\n", MAPPING_VDSO },
		{ "f7fc1000-f7fc3000 r-xp 00000000 00:00 0 [vdso]\n",
		  MAPPING_SPECIAL }, /* 32 bits */
		{ "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n",
		  MAPPING_SPECIAL },
		{ "7fffffffe000-7ffffffff000 --xp 00000000 00:00 0 [uprobes]\n", MAPPING_SPECIAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct parsed parsed = parse(rows[i].line);

		assert_int_equal(parsed.cnt, 1);
		assert_int_equal(parsed.last.kind, rows[i].kind);
	}
}

static void lines_of_another_form_are_damaged(void **state)
{
	static const char *const lines[] = {
		"\n",
		"1000-2000 r-xp 0 0:0 0",
		"1000 r-xp 0 0:0 0\n",
		"2000-1000 r-xp 0 0:0 0 \n",
		"1000-2000 r-xp 0 00 0 \n",
		"1000-2000 r-xp 0 0:0 \n",
		"1000-2000 r-xp  0:0 0 \n",
		"11112222333344445-2 r-xp 0 0:0 0 \n",
		"1000-2000 r-x\n",
		"-2000 r-xp 0 0:0 0 \n",
		"1000-2000 r-xp 0 100000000:0 0 \n",
		"1000-2000 r-xp 0 0:0 12ab /x\n",
	};
	struct parsed parsed;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(maps__parse(lines[i], strlen(lines[i]), keep_last, &parsed),
				 -EBADMSG);
	assert_int_equal(maps__parse("1-2 r-xp 0 0:0 1 a\0b\n", 20, keep_last, &parsed), -EBADMSG);
}

static void twenty_thousand_lines_are_one_process(void **state)
{
	struct tree *tree = *state;
	struct proc_id id = id_of(42, 0);
	const struct mapping *mapping;
	_auto_buf_ struct buf text;

	buf__init(&text, 64u << 20);
	for (unsigned int i = 0; i < 20000; i++)
		buf__printf(&text, "%x000-%x000 r-xp 00000000 00:00 0 \n", 0x10000 + 2 * i,
			    0x10001 + 2 * i);
	put_process(tree, 42, 'S', text.data);
	assert_int_equal(proc_table__note(tree->table, &id, 42), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		uint64_t addr = (0x10000ull + 2 * i) << 12;

		assert_int_equal(proc_table__find(tree->table, &id, addr + 0xfff, &mapping), 0);
		assert_int_equal(mapping->start_addr, addr);
		assert_int_equal(proc_table__find(tree->table, &id, addr + 0x1000, &mapping),
				 -ENOENT);
	}
}

static void more_lines_than_the_limit_keep_the_first(void **state)
{
	struct tree *tree = *state;
	struct proc_id id = id_of(42, 0);
	struct parsed parsed = { 0 };
	const struct mapping *mapping;
	_auto_buf_ struct buf text;

	buf__init(&text, 64u << 20);
	for (unsigned int i = 0; i < 65537; i++)
		buf__printf(&text, "%x000-%x000 r-xp 00000000 00:00 0 \n", i + 1, i + 2);
	assert_int_equal(maps__parse(text.data, text.len, keep_last, &parsed), -E2BIG);
	assert_int_equal(parsed.cnt, 65536);
	put_process(tree, 42, 'S', text.data);
	assert_int_equal(proc_table__note(tree->table, &id, 42), 0);
	assert_int_equal(proc_table__find(tree->table, &id, 0x1000, &mapping), 0);
}

static void one_file_is_one_module_of_all_processes(void **state)
{
	struct tree *tree = *state;
	struct proc_id first = id_of(42, 0), second = id_of(43, 5);
	const struct mapping *a, *b;
	const struct proc_module *module;
	char data[8] = { 0 };

	put_process(tree, 42, 'S', line_of(tree, "image/lib/one.so", 0x10, "/lib/one.so"));
	put_link(tree, "proc/42/map_files/10000-11000", "image/lib/one.so");
	put_process(tree, 43, 'S', line_of(tree, "image/lib/one.so", 0x99, "/other/name.so"));
	assert_int_equal(proc_table__note(tree->table, &first, 42), 0);
	assert_int_equal(proc_table__note(tree->table, &second, 43), 0); /* has no map_files */
	assert_int_equal(proc_table__find(tree->table, &first, 0x10800, &a), 0);
	assert_int_equal(proc_table__find(tree->table, &second, 0x99800, &b), 0);
	assert_int_equal(a->module, 1);
	assert_int_equal(b->module, 1);
	assert_int_equal(proc_table__module_cnt(tree->table), 2);
	module = proc_table__module(tree->table, 1);
	assert_int_equal(module->err, 0);
	assert_string_equal(module->path, "/lib/one.so");
	assert_int_equal(pread(module->fd, data, sizeof(data), 0), 3);
	assert_string_equal(data, "one");
	assert_int_equal(proc_table__module(tree->table, 0)->fd, -1);
	assert_int_equal(proc_table__find(tree->table, &first, 0x99800, &a), -ENOENT);
	first.exec_id++;
	assert_int_equal(proc_table__find(tree->table, &first, 0x10800, &a), -ESRCH);
}

static void a_process_stays_known_after_its_end(void **state)
{
	struct tree *tree = *state;
	struct proc_id id = id_of(42, 0);
	const struct mapping *mapping;
	char path[PATH_BYTES], gone[PATH_BYTES];

	put_process(tree, 42, 'S', "10000-20000 r-xp 00000000 00:00 0 \n");
	assert_int_equal(proc_table__note(tree->table, &id, 42), 0);
	path_in(tree, path, "proc/42");
	path_in(tree, gone, "gone");
	assert_int_equal(rename(path, gone), 0);
	assert_int_equal(proc_table__find(tree->table, &id, 0x10000, &mapping), 0);
	assert_int_equal(proc_table__refresh(tree->table, &id, 42, 1), -ESRCH);
	assert_int_equal(proc_table__find(tree->table, &id, 0x10000, &mapping), 0);
	assert_int_equal(rename(gone, path), 0);
	proc_table__clear(tree->table);
	assert_int_equal(proc_table__find(tree->table, &id, 0x10000, &mapping), -ESRCH);
	assert_int_equal(proc_table__note(tree->table, &id, 42), 0);
	assert_int_equal(proc_table__find(tree->table, &id, 0x10000, &mapping), 0);
}

static void a_reused_pid_is_another_process(void **state)
{
	struct tree *tree = *state;
	struct proc_id id = id_of(42, 0);
	uint64_t unreadable = metric__get(METRIC_MAPS_UNREADABLE);

	put_process(tree, 42, 'S', "10000-20000 r-xp 00000000 00:00 0 \n");
	id.start_boottime_ns -= TICK_NS;
	assert_int_equal(proc_table__note(tree->table, &id, 42), -ESRCH);
	id.pid = 4242;
	assert_int_equal(proc_table__note(tree->table, &id, 4242), -ESRCH);
	assert_int_equal(metric__get(METRIC_MAPS_UNREADABLE), unreadable + 2);
}

static void maps_of_a_gone_leader_are_read_through_its_thread(void **state)
{
	struct tree *tree = *state;
	struct proc_id id = id_of(42, 0);
	const struct mapping *mapping;

	put_process(tree, 42, 'Z', "");
	assert_int_equal(proc_table__note(tree->table, &id, 42), -ESRCH);
	put_dir(tree, "proc/42/task/55");
	put(tree, "proc/42/task/55/maps", line_of(tree, "image/lib/one.so", 0x10, "/lib/one.so"));
	put_link(tree, "proc/42/task/55/root", "image");
	assert_int_equal(proc_table__note(tree->table, &id, 55), 0);
	assert_int_equal(proc_table__find(tree->table, &id, 0x10000, &mapping), 0);
	assert_true(proc_table__module(tree->table, mapping->module)->fd >= 0);
}

static void a_process_without_user_memory_is_known_and_empty(void **state)
{
	struct tree *tree = *state;
	struct proc_id id = id_of(2, 0);
	const struct mapping *mapping;

	put_process(tree, 2, 'I', "");
	assert_int_equal(proc_table__note(tree->table, &id, 2), 0);
	assert_int_equal(proc_table__find(tree->table, &id, 0x1000, &mapping), -ENOENT);
}

static void a_refresh_replaces_the_table_and_then_waits(void **state)
{
	struct tree *tree = *state;
	struct proc_id id = id_of(42, 5), later = id_of(42, 6), past = id_of(42, 4), latest;
	const struct mapping *mapping;

	put_process(tree, 42, 'S', "10000-20000 r-xp 00000000 00:00 0 \n");
	assert_int_equal(proc_table__refresh(tree->table, &id, 42, 5), -ESRCH);
	assert_int_equal(proc_table__note(tree->table, &id, 42), 0);
	put(tree, "proc/42/maps", "30000-40000 r-xp 00000000 00:00 0 \n");
	assert_int_equal(proc_table__note(tree->table, &id, 42), 0);
	assert_int_equal(proc_table__find(tree->table, &id, 0x30000, &mapping), -ENOENT);
	assert_int_equal(proc_table__refresh(tree->table, &id, 42, 5), 1);
	assert_int_equal(proc_table__find(tree->table, &id, 0x30000, &mapping), 0);
	assert_int_equal(proc_table__find(tree->table, &id, 0x10000, &mapping), -ENOENT);
	assert_int_equal(proc_table__refresh(tree->table, &id, 42, 5 + 1999999), 0);
	assert_int_equal(proc_table__refresh(tree->table, &id, 42, 5 + 60000000000), 1);
	put(tree, "proc/42/maps", ""); /* it has begun to exit */
	put(tree, "proc/42/task/42/maps", "");
	assert_int_equal(proc_table__refresh(tree->table, &id, 42, 5 + 70000000000), -ESRCH);
	assert_int_equal(proc_table__find(tree->table, &id, 0x30000, &mapping), 0);
	put(tree, "proc/42/maps", "30000-40000 r-xp 00000000 00:00 0 \n");
	/* once it has called exec, the maps are not those of before */
	assert_int_equal(proc_table__note(tree->table, &later, 42), 0);
	assert_int_equal(proc_table__refresh(tree->table, &id, 42, 120000000000), -ESRCH);
	assert_int_equal(proc_table__refresh(tree->table, &later, 42, 120000000000), 1);
	assert_int_equal(proc_table__note(tree->table, &past, 42), -ESRCH);
	assert_int_equal(proc_table__latest(tree->table, 42, &latest), 0);
	assert_int_equal(latest.exec_id, later.exec_id);
	/* and what was read of it after that never was */
	assert_int_equal(proc_table__find(tree->table, &id, 0x30000, &mapping), -ESRCH);
	assert_int_equal(proc_table__find(tree->table, &later, 0x30000, &mapping), 0);
}

static void an_older_reading_is_verified_within_a_budget(void **state)
{
	struct tree *tree = *state;
	struct proc_id id = id_of(42, 0), latest;
	const struct mapping *list;
	uint64_t now = 1000000000;
	uint32_t cnt, read = 0;

	put_process(tree, 42, 'S', "10000-20000 r-xp 00000000 00:00 0 \n");
	assert_int_equal(proc_table__verify(tree->table, &id, 42, 1, now, 0, true), -ESRCH);
	assert_int_equal(proc_table__latest(tree->table, 42, &latest), -ESRCH);
	assert_int_equal(proc_table__note(tree->table, &id, 42), 0);
	assert_int_equal(proc_table__latest(tree->table, 42, &latest), 0);
	assert_memory_equal(&latest, &id, sizeof(id));
	put(tree, "proc/42/maps", "30000-40000 r-xp 00000000 00:00 0 \n");
	assert_int_equal(proc_table__verify(tree->table, &id, 42, 1, now, 0, true), 1);
	assert_int_equal(proc_table__mappings(tree->table, &id, &list, &cnt), 0);
	assert_int_equal(list[0].start_addr, 0x10000); /* late enough as it was */
	assert_int_equal(proc_table__verify(tree->table, &id, 42, 1, now, UINT64_MAX, true), 1);
	assert_int_equal(proc_table__mappings(tree->table, &id, &list, &cnt), 0);
	assert_int_equal(list[0].start_addr, 0x30000);
	while (proc_table__verify(tree->table, &id, 42, 1, now, UINT64_MAX, false) == 1)
		assert_true(++read < 10000); /* time stands still: 5 ms of reading */
	assert_true(read > 0);
	assert_int_equal(proc_table__verify(tree->table, &id, 42, 1, now, UINT64_MAX, true), 1);
	now += 60000000000;
	assert_int_equal(proc_table__verify(tree->table, &id, 42, 1, now, UINT64_MAX, false), 1);
}

/* What mapping__open says about a mapping of shown, whose inode is st's. */
static int open_stat(struct tree *tree, struct stat st, const char *shown)
{
	struct mapping mapping = {
		.start_addr = 0x10000,
		.end_addr = 0x11000,
		.inode = st.st_ino,
		.dev_major = major(st.st_dev),
		.dev_minor = minor(st.st_dev),
		.path = shown,
	};
	int fd = mapping__open(&tree->root, 42, 42, &mapping);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int open_shown(struct tree *tree, const char *file, const char *shown)
{
	return open_stat(tree, stat_of(tree, file), shown);
}

static void the_same_inode_on_another_device_is_another_file(void **state)
{
	struct tree *tree = *state;
	struct stat st = stat_of(tree, "image/lib/one.so");

	put_process(tree, 42, 'S', "");
	put_link(tree, "proc/42/task/42/root", "image");
	assert_int_equal(open_stat(tree, st, "/lib/one.so"), 0);
	st.st_dev = makedev(major(st.st_dev), minor(st.st_dev) + 1);
	assert_int_equal(open_stat(tree, st, "/lib/one.so"), -ESTALE);
}

static void paths_are_resolved_inside_the_root_of_the_task(void **state)
{
	struct tree *tree = *state;

	put_process(tree, 42, 'S', "");
	put_link(tree, "proc/42/task/42/root", "image");
	put_link(tree, "image/lib/absolute.so", "/lib/one.so"); /* one.so of the image */
	put_link(tree, "image/lib/out.so", "outside.so"); /* absolute, does not exist inside */
	assert_int_equal(open_shown(tree, "image/lib/one.so", "/lib/one.so"), 0);
	assert_int_equal(open_shown(tree, "image/lib/one.so", "/lib/absolute.so"), 0);
	assert_int_equal(open_shown(tree, "image/lib/one.so", "/../../lib/one.so"), 0);
	assert_int_equal(open_shown(tree, "outside.so", "/lib/out.so"), -ENOENT);
	assert_int_equal(open_shown(tree, "outside.so", "/../outside.so"), -ENOENT);
	assert_int_equal(open_shown(tree, "image/lib/one.so", "/lib/two.so"), -ESTALE);
	assert_int_equal(open_shown(tree, "image/lib/one.so", "/lib/none.so"), -ENOENT);
}

static void fifos_and_devices_are_refused_untouched(void **state)
{
	struct tree *tree = *state;
	char path[PATH_BYTES];

	put_process(tree, 42, 'S', "");
	assert_int_equal(mkfifo(path_in(tree, path, "image/lib/fifo.so"), 0600), 0);
	put_link(tree, "proc/42/task/42/root", "image");
	assert_int_equal(open_shown(tree, "image/lib/fifo.so", "/lib/fifo.so"), -EBADMSG);
	assert_int_equal(open_shown(tree, "image/lib/fifo.so", "/lib"), -EBADMSG);
	put_link(tree, "proc/42/map_files/10000-11000", "/dev/full");
	assert_int_equal(open_shown(tree, "image/lib/one.so", "/lib/one.so"), -EBADMSG);
}

static void map_files_beats_a_path_that_was_replaced(void **state)
{
	struct tree *tree = *state;

	put_process(tree, 42, 'S', "");
	put_link(tree, "proc/42/map_files/10000-11000", "image/lib/one.so");
	assert_int_equal(open_shown(tree, "image/lib/one.so", "/lib/gone.so"), 0);
	assert_int_equal(open_shown(tree, "image/lib/two.so", "/lib/two.so"), -ESTALE);
}

static void a_refused_file_is_counted_once_and_tried_again(void **state)
{
	struct tree *tree = *state;
	struct proc_id id = id_of(42, 0);
	uint64_t refused = metric__get(METRIC_FILES_REFUSED);

	put_process(tree, 42, 'S', line_of(tree, "image/lib/one.so", 0x10, "/lib/one.so"));
	assert_int_equal(proc_table__note(tree->table, &id, 42), 0);
	assert_int_equal(proc_table__module(tree->table, 1)->err, -ENOENT);
	assert_int_equal(metric__get(METRIC_FILES_REFUSED), refused + 1);
	assert_int_equal(proc_table__refresh(tree->table, &id, 42, 1), 1);
	assert_int_equal(metric__get(METRIC_FILES_REFUSED), refused + 1);
	put_link(tree, "proc/42/map_files/10000-11000", "image/lib/one.so");
	assert_int_equal(proc_table__refresh(tree->table, &id, 42, 2000000000), 1);
	assert_true(proc_table__module(tree->table, 1)->fd >= 0);
	assert_int_equal(proc_table__module(tree->table, 1)->err, 0);
}

static void stat_counts_its_fields_from_the_last_parenthesis(void **state)
{
	struct tree *tree = *state;
	struct proc_stat stat;

	put_process(tree, 42, 'R', "");
	assert_int_equal(proc__stat(&tree->root, 42, &stat), 0);
	assert_string_equal(stat.comm, "a) b");
	assert_int_equal(stat.state, 'R');
	assert_int_equal(stat.ppid, 7);
	assert_int_equal(stat.cpu_ticks, 42);
	assert_int_equal(stat.start_ticks, 1000);
	put(tree, "proc/42/stat", "42 (a) R 1 2\n");
	assert_int_equal(proc__stat(&tree->root, 42, &stat), -EBADMSG);
	put(tree, "proc/42/stat", "42 (a");
	assert_int_equal(proc__stat(&tree->root, 42, &stat), -EBADMSG);
	put(tree, "proc/42/stat", "");
	assert_int_equal(proc__stat(&tree->root, 42, &stat), -EBADMSG);
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_gives_all_its_fields),
		cmocka_unit_test(kinds_follow_what_the_kernel_shows),
		cmocka_unit_test(lines_of_another_form_are_damaged),
		TREE_TEST(twenty_thousand_lines_are_one_process),
		TREE_TEST(more_lines_than_the_limit_keep_the_first),
		TREE_TEST(one_file_is_one_module_of_all_processes),
		TREE_TEST(a_process_stays_known_after_its_end),
		TREE_TEST(a_reused_pid_is_another_process),
		TREE_TEST(maps_of_a_gone_leader_are_read_through_its_thread),
		TREE_TEST(a_process_without_user_memory_is_known_and_empty),
		TREE_TEST(the_same_inode_on_another_device_is_another_file),
		TREE_TEST(a_refresh_replaces_the_table_and_then_waits),
		TREE_TEST(an_older_reading_is_verified_within_a_budget),
		TREE_TEST(paths_are_resolved_inside_the_root_of_the_task),
		TREE_TEST(fifos_and_devices_are_refused_untouched),
		TREE_TEST(map_files_beats_a_path_that_was_replaced),
		TREE_TEST(a_refused_file_is_counted_once_and_tried_again),
		TREE_TEST(stat_counts_its_fields_from_the_last_parenthesis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
