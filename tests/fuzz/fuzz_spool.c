/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A spooled file as it may be after a crash or in someone's hands: its name and its content. */
#include <errno.h>
#include <string.h>

#include "../../user/ship/internal.h"
#include "pp/base/buf.h"
#include "pp/base/compress.h"
#include "pp/base/err.h"

/* Whatever was in it, what would be sent is JSON within the limit, or nothing. */
static void prepare(const void *packed, size_t len, uint32_t index, uint32_t cnt)
{
	struct ship_body body = { .piece = { .index = index, .cnt = cnt },
				  .wire_max_bytes = 4096,
				  .gpid = "17\"" };
	_auto_buf_ struct buf wire;
	_auto_buf_ struct buf plain;

	buf__init(&wire, body.wire_max_bytes);
	buf__init(&plain, 64 << 20);
	if (ship_body__prepare(&body, packed, len, &wire) || body.piece.index == body.piece.cnt)
		return;
	pp_assert(wire.len && !gzip__unpack(wire.data, wire.len, &plain));
	pp_assert(plain.data[0] == '{' && plain.data[plain.len - 1] == '}');
}

static void look_at_name(const uint8_t *data, size_t size)
{
	char text[300] = "", again[SPOOL_NAME_BYTES], command[SPOOL_COMMAND_BYTES];
	struct spool_name name;

	memcpy(text, data, size < sizeof(text) ? size : sizeof(text) - 1);
	spool_name__encode_command(text, command);
	pp_assert(strlen(command) < sizeof(command));
	if (!spool_name__parse(text, &name))
		return;
	spool_name__print(&name, again);
	pp_assert(spool_name__parse(again, &name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_auto_buf_ struct buf packed;

	buf__init(&packed, 1 << 20);
	look_at_name(data, size);
	prepare(data, size, 0, 1);
	/* The same bytes as content of a whole file, which gzip's checksum keeps the fuzzer from making. */
	if (gzip__pack(data, size, 1, &packed))
		return 0;
	prepare(packed.data, packed.len, 0, 1);
	prepare(packed.data, packed.len, 5, 8);
	return 0;
}
