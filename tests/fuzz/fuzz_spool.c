/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A spooled file as it may be after a crash or in someone's hands: its name and its content. */
#include <errno.h>
#include <string.h>

#include "../../user/ship/internal.h"
#include "pp/base/buf.h"
#include "pp/base/compress.h"
#include "pp/base/err.h"

static void prepare(const void *packed, size_t len, const char *gpid)
{
	_auto_buf_ struct buf wire;
	_auto_buf_ struct buf plain;

	buf__init(&wire, 1 << 20);
	buf__init(&plain, 1 << 20);
	if (!ship_body__prepare(packed, len, gpid, &wire) && *gpid)
		pp_assert(gzip__unpack(wire.data, wire.len, &plain) != -EBADMSG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_auto_buf_ struct buf packed;
	enum spool_state state;
	char name[80] = "";

	buf__init(&packed, 1 << 20);
	memcpy(name, data, size < sizeof(name) ? size : sizeof(name) - 1);
	if (spool_name__parse(name, &state))
		pp_assert(strlen(name) < SPOOL_NAME_BYTES);
	prepare(data, size, "");
	prepare(data, size, "17");
	/* The same bytes as content of a whole file, which gzip's checksum keeps the fuzzer from making. */
	if (!gzip__pack(data, size, 1, &packed))
		prepare(packed.data, packed.len, "17");
	return 0;
}
