/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef CONFIG_RIG_H
#define CONFIG_RIG_H
/*
 * A folder with a settings file of its own, named by PULSEPROF_CONFIG, and one call that loads a file's text,
 * an environment and a command line. Included once by each test program of settings.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
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
#include "pp/base/file.h"
#include "pp/config.h"

#define ENVIRONMENT_MAX 4

static char folder[] = "/tmp/pulseprof-unit-XXXXXX";
static char conf_path[64], conf_env[96], token_path[64];
static struct buf why = { .max_bytes = 10000 };

static int make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(conf_path, sizeof(conf_path), "%s/pulseprofd.conf", folder);
	snprintf(conf_env, sizeof(conf_env), "PULSEPROF_CONFIG=%s", conf_path);
	snprintf(token_path, sizeof(token_path), "%s/token", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)unlink(conf_path); /* the last test may have removed it */
	(void)unlink(token_path);
	buf__clear(&why);
	return rmdir(folder);
}

static void write_file(const char *path, const char *text, size_t len, mode_t mode)
{
	_auto_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file__write_all(fd, text, len), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void free_config(struct config **config)
{
	config__free(*config);
}
#define _auto_config_ __cleanup(free_config)

/* Loads the file's text (NULL: as it stands), the environment and the words behind the program's name. */
static int load(const char *file, const char *const *environment, const char *const *words,
		struct config **ret_config)
{
	const char *list[ENVIRONMENT_MAX + 2] = { conf_env };
	const char *argv[32] = { "pulseprofd" };
	int argc = 1;

	for (int i = 0; environment && environment[i]; i++)
		list[i + 1] = environment[i];
	while (words && words[argc - 1]) {
		argv[argc] = words[argc - 1];
		argc++;
	}
	if (file)
		write_file(conf_path, file, strlen(file), 0600);
	buf__reset(&why);
	return config__load(argc, (char *const *)argv, list, &why, ret_config);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

#endif
