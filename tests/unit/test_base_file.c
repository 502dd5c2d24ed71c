/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * base: files. Our own (private directories, atomic writes, locks), the kernel's through a sysroot that
 * is a folder here, and gzip.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=fsync */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/compress.h"
#include "pp/base/file.h"
#include "pp/base/sysroot.h"

static int fsync_errno;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	errno = fsync_errno;
	return fsync_errno ? -1 : __real_fsync(fd);
}

static char folder[PATH_MAX];

static const char *in_folder(const char *name)
{
	static char path[PATH_MAX + 256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static int make_folder(void **state)
{
	const char *tmp = getenv("TMPDIR");

	umask(022);
	snprintf(folder, sizeof(folder), "%s/pulseprof-unit-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int remove_folder(void **state)
{
	return nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	_auto_close_ int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file__write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static int open_folder(void)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	return fd;
}

static void a_private_directory_is_made_with_its_parents(void **state)
{
	_auto_close_ int fd = -1;
	struct stat st;

	assert_int_equal(dir__open_private(in_folder("a/b/c//"), &fd), 0);
	assert_int_equal(stat(in_folder("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(stat(in_folder("a/b/c"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void a_directory_that_others_may_write_is_refused(void **state)
{
	const mode_t bad[] = { 0720, 0702, 0777, 01777 };
	int fd = -1;

	assert_int_equal(mkdir(in_folder("open"), 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(chmod(in_folder("open"), bad[i]), 0);
		assert_int_equal(dir__open_private(in_folder("open"), &fd), -EPERM);
	}
	assert_int_equal(fd, -1);
	assert_int_equal(chmod(in_folder("open"), 0755), 0);
	assert_int_equal(dir__open_private(in_folder("open"), &fd), 0);
	close(fd);
}

static void a_directory_of_another_owner_is_refused(void **state)
{
	int fd = -1;

	if (geteuid() == 0) {
		assert_int_equal(mkdir(in_folder("theirs"), 0700), 0);
		assert_int_equal(chown(in_folder("theirs"), 65534, 65534), 0);
		assert_int_equal(dir__open_private(in_folder("theirs"), &fd), -EPERM);
	} else {
		assert_int_equal(dir__open_private("/", &fd), -EPERM);
	}
	assert_int_equal(fd, -1);
}

static void what_is_no_directory_is_refused(void **state)
{
	int fd = -1;

	write_file("plain", "x", 0600);
	assert_int_equal(dir__open_private(in_folder("plain"), &fd), -ENOTDIR);
	assert_int_equal(dir__open_private(in_folder("plain/below"), &fd), -ENOTDIR);
	assert_int_equal(mkdir(in_folder("real"), 0700), 0);
	assert_int_equal(symlink("real", in_folder("link")), 0);
	assert_true(dir__open_private(in_folder("link"), &fd) < 0);
	assert_true(dir__open_private(in_folder("link/"), &fd) < 0);
	assert_int_equal(dir__open_private("", &fd), -EINVAL);
	assert_int_equal(fd, -1);
}

static void a_written_file_is_whole_or_absent(void **state)
{
	_auto_buf_ struct buf text = { .max_bytes = 100 };
	_auto_close_ int dir = open_folder();
	_auto_close_ int sub = -1;
	struct stat st;

	assert_int_equal(file__write_atomic(dir, "state", "one", 3, 0600), 0);
	assert_int_equal(file__write_atomic(dir, "state", "second", 6, 0640), 0);
	assert_int_equal(file__read_at(dir, "state", &text), 0);
	assert_string_equal(text.data, "second");
	assert_int_equal(stat(in_folder("state"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);

	assert_int_equal(mkdir(in_folder("sub"), 0700), 0);
	sub = open(in_folder("sub"), O_RDONLY | O_DIRECTORY);
	fsync_errno = ENOSPC;
	assert_int_equal(file__write_atomic(sub, "state", "third", 5, 0600), -ENOSPC);
	assert_int_equal(file__write_atomic(dir, "state", "third", 5, 0600), -ENOSPC);
	fsync_errno = 0;
	/* Renaming onto a directory fails after the bytes were written. */
	assert_int_equal(mkdirat(sub, "taken", 0700), 0);
	assert_int_equal(file__write_atomic(sub, "taken", "x", 1, 0600), -EISDIR);
	assert_int_equal(unlinkat(sub, "taken", AT_REMOVEDIR), 0);
	/* Nothing stayed: an empty directory can be removed. */
	assert_int_equal(rmdir(in_folder("sub")), 0);
	buf__reset(&text);
	assert_int_equal(file__read_at(dir, "state", &text), 0);
	assert_string_equal(text.data, "second");
}

static void names_that_are_too_long_are_refused(void **state)
{
	_auto_close_ int dir = open_folder();
	char name[NAME_MAX + 1];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(file__write_atomic(dir, name, "x", 1, 0600), -ENAMETOOLONG);
}

static void only_regular_files_within_the_maximum_are_read(void **state)
{
	_auto_buf_ struct buf text = { .max_bytes = 5 };
	_auto_close_ int dir = open_folder();

	assert_int_equal(file__read_at(dir, "absent", &text), -ENOENT);
	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
	assert_int_equal(file__read_at(dir, "fifo", &text), -EBADMSG);
	assert_int_equal(file__read_at(dir, ".", &text), -EBADMSG);
	write_file("empty", "", 0600);
	assert_int_equal(file__read_at(dir, "empty", &text), 0);
	assert_string_equal(text.data, "");
	write_file("six", "123456", 0600);
	assert_int_equal(file__read_at(dir, "six", &text), -E2BIG);
}

static void a_trusted_file_is_one_that_others_cannot_write(void **state)
{
	_auto_buf_ struct buf text = { .max_bytes = 100 };
	_auto_close_ int dir = open_folder();

	write_file("conf", "x", 0644);
	assert_int_equal(file__read_trusted(dir, "conf", &text), 0);
	write_file("conf", "x", 0664);
	assert_int_equal(file__read_trusted(dir, "conf", &text), -EPERM);
	write_file("conf", "x", 0602);
	assert_int_equal(file__read_trusted(dir, "conf", &text), -EPERM);
	assert_int_equal(text.len, 1);
}

static void the_second_who_locks_learns_who_was_first(void **state)
{
	_auto_close_ int dir = open_folder();
	int first = -1, second = -1;
	pid_t holder = -1;

	assert_int_equal(file__lock(dir, "lock", &first, &holder), 0);
	assert_int_equal(holder, -1);
	assert_int_equal(file__lock(dir, "lock", &second, &holder), -EWOULDBLOCK);
	assert_int_equal(holder, getpid());
	assert_int_equal(second, -1);
	close(first);
	assert_int_equal(file__lock(dir, "lock", &second, &holder), 0);
	close(second);
	write_file("lock", "garbage", 0600);
	assert_int_equal(file__lock(dir, "lock", &first, &holder), 0);
	close(first);
}

static void a_sysroot_reads_files_without_size(void **state)
{
	_auto_buf_ struct buf text = { .max_bytes = 1 << 20 };
	struct sysroot root;
	char line[8];

	assert_int_equal(sysroot__open_root(&root, folder), 0);
	assert_int_equal(mkdir(in_folder("proc"), 0700), 0);
	write_file("proc/17", "one\ntwo\n", 0600);
	assert_int_equal(sysroot__read(&root, &text, "proc/%d", 17), 0);
	assert_string_equal(text.data, "one\ntwo\n");
	assert_int_equal(sysroot__line(&root, line, sizeof(line), "proc/%d", 17), 0);
	assert_string_equal(line, "one");
	assert_int_equal(sysroot__read(&root, &text, "proc/%d", 18), -ENOENT);
	write_file("proc/17", "1234567", 0600);
	assert_int_equal(sysroot__line(&root, line, sizeof(line), "proc/17"), 0);
	assert_string_equal(line, "1234567");
	write_file("proc/17", "12345678\n", 0600);
	assert_int_equal(sysroot__line(&root, line, sizeof(line), "proc/17"), -E2BIG);
	assert_string_equal(line, "1234567");
	buf__clear(&text);
	text.max_bytes = 4;
	assert_int_equal(sysroot__read(&root, &text, "proc/17"), -E2BIG);
	sysroot__close(&root);
	assert_int_equal(root.fd, -1);
}

static void a_sysroot_path_has_a_maximum(void **state)
{
	static char name[PATH_MAX + 1];
	struct sysroot root;

	memset(name, 'a', sizeof(name) - 1);
	assert_int_equal(sysroot__open_root(&root, folder), 0);
	assert_int_equal(sysroot__open(&root, O_RDONLY, "%s", name), -ENAMETOOLONG);
	assert_int_equal(sysroot__open_root(&root, in_folder("absent")), -ENOENT);
	sysroot__close(&root);
}

static void gzip_goes_both_ways_and_gives_the_same_bytes(void **state)
{
	_auto_buf_ struct buf plain = { .max_bytes = 1 << 20 };
	_auto_buf_ struct buf packed = { .max_bytes = 1 << 20 };
	_auto_buf_ struct buf again = { .max_bytes = 1 << 20 };
	_auto_buf_ struct buf back = { .max_bytes = 1 << 20 };

	for (uint32_t i = 0; i < 20000; i++)
		buf__printf(&plain, "%u;", i * 2654435761u);
	assert_int_equal(gzip__pack(plain.data, plain.len, 6, &packed), 0);
	assert_int_equal(gzip__pack(plain.data, plain.len, 6, &again), 0);
	assert_int_equal(packed.len, again.len);
	assert_memory_equal(packed.data, again.data, packed.len);
	assert_memory_equal(packed.data, "\x1f\x8b\x08\0\0\0\0\0", 8); /* no name, no time */
	assert_int_equal(gzip__unpack(packed.data, packed.len, &back), 0);
	assert_int_equal(back.len, plain.len);
	assert_memory_equal(back.data, plain.data, plain.len);
	buf__clear(&packed);
	buf__clear(&back);
	assert_int_equal(gzip__pack(NULL, 0, 6, &packed), 0);
	assert_int_equal(gzip__unpack(packed.data, packed.len, &back), 0);
	assert_int_equal(back.len, 0);
}

static void damaged_gzip_is_refused(void **state)
{
	_auto_buf_ struct buf packed = { .max_bytes = 1000 };
	_auto_buf_ struct buf out = { .max_bytes = 1000 };

	assert_int_equal(gzip__pack("hello hello hello", 17, 9, &packed), 0);
	for (size_t len = 0; len < packed.len; len++)
		assert_int_equal(gzip__unpack(packed.data, len, &out), -EBADMSG);
	assert_int_equal(gzip__unpack("not gzip at all", 15, &out), -EBADMSG);
	packed.data[packed.len - 6] ^= 1; /* the check sum */
	buf__reset(&out);
	assert_int_equal(gzip__unpack(packed.data, packed.len, &out), -EBADMSG);
	packed.data[packed.len - 6] ^= 1;
	buf__putc(&packed, 'x');
	buf__reset(&out);
	assert_int_equal(gzip__unpack(packed.data, packed.len, &out), -EBADMSG);
}

static void a_gzip_bomb_stops_at_the_maximum(void **state)
{
	_auto_buf_ struct buf zeros = { .max_bytes = 4 << 20 };
	_auto_buf_ struct buf packed = { .max_bytes = 1 << 20 };
	_auto_buf_ struct buf out = { .max_bytes = 1 << 20 };
	char block[4096] = { 0 };

	for (int i = 0; i < 1024; i++)
		buf__append(&zeros, block, sizeof(block));
	assert_int_equal(gzip__pack(zeros.data, zeros.len, 9, &packed), 0);
	assert_true(packed.len < 10000);
	assert_int_equal(gzip__unpack(packed.data, packed.len, &out), -E2BIG);
	assert_true(out.len <= out.max_bytes);
	packed.max_bytes = packed.len + 10;
	assert_int_equal(gzip__pack(zeros.data, zeros.len, 9, &packed), -E2BIG);
}

struct pieces {
	struct buf all;
	uint32_t left; /* before it fails */
};

static int take_piece(void *arg, const void *data, size_t len)
{
	struct pieces *pieces = arg;

	assert_true(len > 0 && len <= GZIP_PIECE_BYTES);
	return pieces->left-- ? buf__append(&pieces->all, data, len) : -ENOSPC;
}

/* Not compressible, so that there are many pieces. */
static void make_noise(unsigned char *noise, size_t len)
{
	uint32_t seed = 1;

	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		noise[i] = (unsigned char)(seed >> 24);
	}
}

static void what_comes_in_parts_is_packed_in_pieces(void **state)
{
	static unsigned char noise[300000];
	struct pieces pieces = { .left = UINT32_MAX };
	struct gzip_stream *stream = NULL;
	_auto_buf_ struct buf back;
	size_t part = 0;

	make_noise(noise, sizeof(noise));
	buf__init(&pieces.all, 1u << 20);
	buf__init(&back, 1u << 20);
	assert_int_equal(gzip_stream__new(6, take_piece, &pieces, &stream), 0);
	for (size_t at = 0; at < sizeof(noise); at += part) {
		part = min_of((part * 7 + 1) % 50000, sizeof(noise) - at);
		assert_int_equal(gzip_stream__add(stream, noise + at, part), 0);
	}
	assert_int_equal(gzip_stream__end(stream), 0);
	gzip_stream__free(stream);
	assert_int_equal(gzip__unpack(pieces.all.data, pieces.all.len, &back), 0);
	assert_int_equal(back.len, sizeof(noise));
	assert_memory_equal(back.data, noise, sizeof(noise));
	buf__clear(&pieces.all);
}

static void a_stream_fails_with_its_first_piece_that_does(void **state)
{
	static unsigned char noise[300000];
	struct pieces pieces = { .left = 2 };
	struct gzip_stream *stream = NULL;

	make_noise(noise, sizeof(noise));
	buf__init(&pieces.all, 1u << 20);
	assert_int_equal(gzip_stream__new(6, take_piece, &pieces, &stream), 0);
	assert_int_equal(gzip_stream__add(stream, noise, sizeof(noise)), -ENOSPC);
	assert_int_equal(pieces.left, UINT32_MAX); /* asked three times and no more */
	assert_int_equal(gzip_stream__add(stream, noise, sizeof(noise)), -ENOSPC);
	assert_int_equal(gzip_stream__end(stream), -ENOSPC);
	assert_int_equal(pieces.left, UINT32_MAX);
	gzip_stream__free(stream);
	gzip_stream__free(NULL);
	buf__clear(&pieces.all);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_private_directory_is_made_with_its_parents),
		IN_FOLDER(a_directory_that_others_may_write_is_refused),
		IN_FOLDER(a_directory_of_another_owner_is_refused),
		IN_FOLDER(what_is_no_directory_is_refused),
		IN_FOLDER(a_written_file_is_whole_or_absent),
		IN_FOLDER(names_that_are_too_long_are_refused),
		IN_FOLDER(only_regular_files_within_the_maximum_are_read),
		IN_FOLDER(a_trusted_file_is_one_that_others_cannot_write),
		IN_FOLDER(the_second_who_locks_learns_who_was_first),
		IN_FOLDER(a_sysroot_reads_files_without_size),
		IN_FOLDER(a_sysroot_path_has_a_maximum),
		cmocka_unit_test(gzip_goes_both_ways_and_gives_the_same_bytes),
		cmocka_unit_test(damaged_gzip_is_refused),
		cmocka_unit_test(a_gzip_bomb_stops_at_the_maximum),
		cmocka_unit_test(what_comes_in_parts_is_packed_in_pieces),
		cmocka_unit_test(a_stream_fails_with_its_first_piece_that_does),
	};

	return cmocka_run_group_tests_name("base_file", tests, NULL, NULL);
}
