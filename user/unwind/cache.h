/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_UNWIND_CACHE_H
#define PP_UNWIND_CACHE_H
/*
 * A cache file: a header, then records, appended. Little endian as the machine, since it never leaves it.
 * Each check is seeded by the one before it (header, head of the record, body), so that a record of another
 * file or place never passes.
 */
#include <stdint.h>

#include "pp/base/hash.h"
#include "pp/unwind.h"
#include "rows.h"

#define CACHE_MAGIC	 "PPUNWND1"
#define CACHE_NAME_BYTES 17 /* 16 hex digits of the identity's hash */

struct cache_header {
	char magic[8];
	uint64_t conversion; /* UNWIND_CONVERSION */
	uint64_t dev;
	uint64_t inode;
	uint64_t size_bytes;
	uint64_t mtime_ns;
	uint64_t ctime_ns;
	uint8_t build_id[ELF_BUILD_ID_BYTES];
	uint64_t build_id_len;
	uint64_t check; /* of all before it */
};
_Static_assert(sizeof(struct cache_header) == 136, "no padding");

/* Then rule_cnt u64, row_cnt u32. No rows: known to have none. */
struct cache_record {
	uint64_t page;
	uint32_t row_cnt;
	uint32_t rule_cnt;
	uint64_t callers_by_fp; /* 1: unwind_page.callers_by_fp */
	uint64_t head_check; /* of all before it */
	uint64_t body_check;
};
_Static_assert(sizeof(struct cache_record) == 40, "no padding");

static inline uint64_t cache_header__check(const struct cache_header *self)
{
	return hash_bytes(self, offsetof(struct cache_header, check), UNWIND_CONVERSION);
}

static inline uint64_t cache_record__head_check(const struct cache_record *self,
						uint64_t header_check)
{
	return hash_bytes(self, offsetof(struct cache_record, head_check), header_check);
}

static inline uint64_t cache_record__body_bytes(const struct cache_record *self)
{
	return (uint64_t)self->rule_cnt * sizeof(uint64_t) +
	       (uint64_t)self->row_cnt * sizeof(uint32_t);
}

void cache_header__make(struct cache_header *self, const struct unwind_identity *identity);
void cache_header__name(const struct cache_header *self, char name[CACHE_NAME_BYTES]);

#endif
