/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHIP_RIG_H
#define SHIP_RIG_H
/*
 * A ship over a real directory below TMPDIR and a server that the test plays. Parcels are told apart by a
 * number. Not a test; one test program includes it once, with the linker's flags below.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../user/ship/internal.h"
#include "fake_loop.h"
#include "fake_net.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/compress.h"
#include "pp/base/file.h"
#include "pp/metrics.h"
#include "pp/ship.h"

#define UPLOAD	 "/api/v2/profiles"
#define OLD_NAME "00000000000000000001-000000.parcel.gz"
#define NOT_YET	 12345

static char state_dir[64], spool_dir[80];
static struct ship *ship;
static int write_err;

int __real_file__write_atomic(int dir_fd, const char *name, const void *data, size_t len,
			      mode_t mode);
int __wrap_file__write_atomic(int dir_fd, const char *name, const void *data, size_t len,
			      mode_t mode);

int __wrap_file__write_atomic(int dir_fd, const char *name, const void *data, size_t len,
			      mode_t mode)
{
	return write_err ? write_err : __real_file__write_atomic(dir_fd, name, data, len, mode);
}

static struct ship_options rig_options(void)
{
	return (struct ship_options){ .state_dir = state_dir,
				      .server_host = "https://studio.example/base",
				      .service_name = "svc",
				      .token = "s3cret" };
}

static inline int ship_open(uint64_t max_bytes)
{
	struct ship_options options = rig_options();

	options.spool_max_bytes = max_bytes;
	return ship__new(NULL, NULL, &options, &ship);
}

/* The daemon ends (also all at once: the spool knows no other way) and starts again. */
static inline void restart(void)
{
	ship__free(ship);
	ship = NULL;
	while (wire_work_off())
		;
	assert_int_equal(ship_open(0), 0);
}

/* Calls fn, if any, for each file with this text in its name; how many there are. */
static int files(const char *part, void (*fn)(const char *path))
{
	struct dirent *entry;
	DIR *dir = opendir(spool_dir);
	char path[512];
	int cnt = 0;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !strstr(entry->d_name, part))
			continue;
		cnt++;
		snprintf(path, sizeof(path), "%s/%s", spool_dir, entry->d_name);
		if (fn)
			fn(path);
	}
	if (dir)
		closedir(dir);
	return cnt;
}

static void remove_file(const char *path)
{
	(void)(unlink(path) && rmdir(path));
}

static inline void write_file(const char *name, const void *data, size_t len)
{
	char path[512];
	int fd;

	mkdir(spool_dir, 0700);
	snprintf(path, sizeof(path), "%s/%s", spool_dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static int set_up(void **state)
{
	const char *tmp = getenv("TMPDIR");

	ship = NULL;
	write_err = 0;
	snprintf(state_dir, sizeof(state_dir), "%s/test_ship.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(state_dir))
		return -1;
	snprintf(spool_dir, sizeof(spool_dir), "%s/spool", state_dir);
	return 0;
}

static int tear_down(void **state)
{
	ship__free(ship);
	while (wire_work_off())
		;
	wire_reset();
	files("", remove_file);
	rmdir(spool_dir);
	return rmdir(state_dir);
}

#endif
