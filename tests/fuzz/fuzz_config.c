/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon's configuration file, held in memory behind a path. What loads prints as a file that loads
 * again and prints the same but for the origins.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/err.h"
#include "pp/base/file.h"
#include "pp/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int load(const void *data, size_t len, struct config **ret_config)
{
	struct buf why = { .max_bytes = 1 << 20 };
	char variable[64];
	const char *list[] = { variable, NULL };
	int fd = memfd_create("config", MFD_CLOEXEC);
	int err;

	pp_assert(fd >= 0 && fchmod(fd, 0600) == 0 && file__write_all(fd, data, len) == 0);
	snprintf(variable, sizeof(variable), "PULSEPROF_CONFIG=/proc/self/fd/%d", fd);
	err = config__load(0, NULL, list, &why, ret_config);
	pp_assert(!err || why.len); /* a failure always says why */
	buf__clear(&why);
	close(fd);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf text = { .max_bytes = 1 << 20 };
	struct config *config, *back;

	if (load(data, len, &config))
		return 0;
	pp_assert(config__print(config, &text) == 0);
	pp_assert(load(text.data, text.len, &back) == 0);
	for (int id = 0; id < CONFIG_CNT; id++)
		pp_assert(!strcmp(config__str(config, (enum config_id)id),
				  config__str(back, (enum config_id)id)));
	config__free(config);
	config__free(back);
	buf__clear(&text);
	return 0;
}
