/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a spooled parcel to the bytes on the wire: a whole body if it is within the limits, else the next
 * piece that is. The body is made only now because it holds the server's name for this process (gpid),
 * and because the server may have said meanwhile that it takes less than we thought.
 */
#include "internal.h"

#include <errno.h>

#include "pp/base/buf.h"
#include "pp/base/compress.h"
#include "pp/base/err.h"
#include "pp/ship.h"

/* The indexer's limit for a line and a file is 25 MiB. */
#define FILE_MAX_BYTES (24u << 20)

/* The same place in pieces half the size. False: there are none. */
static bool cut_finer(struct encode_piece *piece)
{
	if (piece->cnt >= ENCODE_PIECES_MAX)
		return false;
	piece->cnt *= 2;
	piece->index *= 2;
	return true;
}

/* One try. 0 with *ret_fits. */
static int make_body(const struct ship_body *self, const struct buf *parcel, struct buf *wire,
		     struct encode_body_facts *facts, bool *ret_fits)
{
	_auto_buf_ struct buf body;
	int err;

	/* Quoting makes a file larger. */
	buf__init(&body, FILE_MAX_BYTES * 2);
	err = encode__parcel_body(parcel->data, parcel->len, &self->piece, self->gpid, &body,
				  facts);
	*ret_fits = false;
	if (err == -E2BIG)
		facts->stack_bytes = 1; /* not known, but something to cut */
	if (err)
		return err == -E2BIG ? 0 : err;
	*ret_fits = facts->file_bytes <= FILE_MAX_BYTES;
	if (!*ret_fits)
		return 0;
	err = gzip__pack(body.data, body.len, 6, wire);
	*ret_fits = !err;
	return err == -E2BIG ? 0 : err;
}

int ship_body__prepare(struct ship_body *self, const void *packed, size_t len, struct buf *out)
{
	_auto_buf_ struct buf parcel;
	int err;

	buf__init(&parcel, SHIP_PARCEL_MAX_BYTES);
	err = gzip__unpack(packed, len, &parcel);
	while (!err && self->piece.index < self->piece.cnt) {
		struct encode_body_facts facts = { 0 };
		_auto_buf_ struct buf wire;
		bool fits;

		buf__init(&wire, self->wire_max_bytes);
		err = make_body(self, &parcel, &wire, &facts, &fits);
		if (err)
			break;
		if (self->piece.index && !facts.stack_bytes) {
			self->piece.index++; /* two cuts fell on one place */
			continue;
		}
		if (fits)
			return buf__append(out, wire.data, wire.len);
		if (facts.page_bytes && facts.page_bytes >= facts.stack_bytes) {
			self->piece.without_page = true;
			self->page_dropped = true;
		} else if (!cut_finer(&self->piece)) {
			err = -EFBIG;
		}
	}
	return err;
}
