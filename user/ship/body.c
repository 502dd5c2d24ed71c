/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the spooled bytes to the bytes on the wire. They differ in one member: the server names this
 * process in its first answer (gpid) and wants that name in later uploads, while a body is spooled before
 * anyone knows it. A spooled file may also be damaged, so it is always unpacked and looked at.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/compress.h"
#include "pp/ship.h"

/*
 * Cannot be inside a JSON string: there each quotation mark has a backslash before it, and the second one
 * here has a letter.
 */
#define GPID_EMPTY     "\"gpid\":\"\""
#define GPID_VALUE_OFF (sizeof(GPID_EMPTY) - 2)

static int append_with_gpid(const struct buf *plain, const char *gpid, struct buf *out)
{
	const char *at = memmem(plain->data, plain->len, GPID_EMPTY, strlen(GPID_EMPTY));
	size_t head;

	if (!at)
		return buf__append(out, plain->data, plain->len);
	head = (size_t)(at - plain->data) + GPID_VALUE_OFF;
	buf__append(out, plain->data, head);
	buf__puts(out, gpid);
	return buf__append(out, plain->data + head, plain->len - head);
}

int ship_body__prepare(const void *packed, size_t len, const char *gpid, struct buf *out)
{
	_auto_buf_ struct buf plain;
	_auto_buf_ struct buf body;
	int err;

	buf__init(&plain, SPOOL_BODY_MAX_BYTES);
	buf__init(&body, SPOOL_BODY_MAX_BYTES + 64);
	err = gzip__unpack(packed, len, &plain);
	if (err)
		return err;
	/* Whole JSON is not parsed again: the checksum says that these are the bytes that we wrote. */
	if (plain.len < 2 || plain.data[0] != '{' || plain.data[plain.len - 1] != '}')
		return -EBADMSG;
	if (!*gpid)
		return buf__append(out, packed, len);
	err = append_with_gpid(&plain, gpid, &body);
	return err ? err : gzip__pack(body.data, body.len, 6, out);
}
