/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A journal's text, with right checksums put in front of each line so that the lines behind them are read, too:
 * what was taken prints to a journal that is taken whole and prints to itself.
 */
#include <inttypes.h>
#include <string.h>

#include "../../user/control/internal.h"
#include "pp/base/buf.h"
#include "pp/base/err.h"
#include "pp/base/hash.h"

static struct ledger one, two;

static void sum_lines(const char *text, size_t len, struct buf *out)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t line_len = end ? (size_t)(end - text) : len;

		buf__printf(out, "%016" PRIx64 " ", hash_bytes(text, line_len, 0));
		buf__append(out, text, line_len);
		buf__putc(out, '\n');
		text += line_len + (end != NULL);
		len -= line_len + (end != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text _auto_buf_, first _auto_buf_, second _auto_buf_;
	uint32_t damaged;

	buf__init(&text, 1 << 22);
	buf__init(&first, 1 << 22);
	buf__init(&second, 1 << 22);
	sum_lines((const char *)data, size, &text);
	if (ledger__parse(&one, text.data ? text.data : "", text.len, &damaged) == 0 &&
	    ledger__print(&one, &first) == 0) {
		pp_assert(!ledger__parse(&two, first.data, first.len, &damaged) && !damaged);
		pp_assert(!ledger__print(&two, &second));
		pp_assert(first.len == second.len && !memcmp(first.data, second.data, first.len));
	}
	ledger__clear(&one);
	ledger__clear(&two);
	return 0;
}
