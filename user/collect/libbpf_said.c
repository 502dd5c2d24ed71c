/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What libbpf says while an object is loaded: kept, and logged only if the load fails. It has one print callback for
 * the process, so this is one, too; loop thread only.
 */
#include "internal.h"

#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/log.h"

#define VERIFIER_TAIL_BYTES 2000
#define LIBBPF_LOG_BYTES    (64u << 10)

static struct buf libbpf_said;

static int keep_line(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_DEBUG || !libbpf_said.max_bytes)
		return 0;
	if (libbpf_said.len > LIBBPF_LOG_BYTES / 2)
		buf__reset(&libbpf_said);
	return buf__vprintf(&libbpf_said, fmt, ap);
}

void libbpf_said__begin(void)
{
	buf__init(&libbpf_said, LIBBPF_LOG_BYTES);
	libbpf_set_print(keep_line);
}

void libbpf_said__forget(void)
{
	buf__reset(&libbpf_said);
}

void libbpf_said__log(void)
{
	if (!libbpf_said.data)
		return;
	if (libbpf_said.len > VERIFIER_TAIL_BYTES)
		log_error("collect: libbpf: ...%s",
			  libbpf_said.data + libbpf_said.len - VERIFIER_TAIL_BYTES);
	else
		log_error("collect: libbpf: %s", libbpf_said.data);
}

void libbpf_said__end(void)
{
	buf__clear(&libbpf_said);
}
