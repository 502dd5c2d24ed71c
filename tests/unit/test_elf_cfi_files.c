/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where call frame information stands: CIEs of every version, pointer encodings, tables sound and damaged,
 * sections plain, compressed and in each other's gaps, the files of tests/data/elf (their recipe stands beside
 * them), and what hostile sections may cost.
 */
#include "pp/elf_cfi.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "made_cfi.h"

/* A CIE of our own before one FDE with absolute pointers and no program. */
static uint64_t rule_of_cie(const void *cie_data, size_t len, bool is_debug, bool has_augmentation)
{
	struct bytes section = { .len = 0 }, cie = { .len = 0 }, fde = { .len = 0 };
	struct made_frames made = { .is_stripped = false };
	struct elf_cfi_stats stats;
	struct rows rows;

	put(&cie, cie_data, len);
	put_entry(&section, is_debug ? UINT32_MAX : 0, &cie);
	put_int(&fde, FDE_VADDR, 8);
	put_int(&fde, FDE_BYTES, 8);
	if (has_augmentation)
		PUT(&fde, 0);
	put_entry(&section, is_debug ? 0 : (uint32_t)section.len + 4, &fde);
	*(is_debug ? &made.debug : &made.eh) =
		(struct made_section){ section.data, section.len, 0 };
	assert_int_equal(read_made(&made, &rows, &stats), 0);
	return stats.damaged ? UINT64_MAX : rule_at(&rows, FDE_VADDR);
}

static void test_every_version_and_augmentation_is_read(void **state)
{
	const uint64_t bad = UINT64_MAX;

	assert_int_equal(rule_of_cie(BYTES(1, 0, 1, 0x78, 16, RULES), true, false), RSP8);
	assert_int_equal(rule_of_cie(BYTES(3, 0, 1, 0x78, 16, RULES), true, false), RSP8);
	assert_int_equal(rule_of_cie(BYTES(4, 0, 8, 0, 1, 0x78, 16, RULES), true, false), RSP8);
	assert_int_equal(rule_of_cie(BYTES(4, 0, 4, 0, 1, 0x78, 16, RULES), true, false), bad);
	assert_int_equal(rule_of_cie(BYTES(4, 0, 8, 2, 1, 0x78, 16, RULES), true, false), bad);
	assert_int_equal(rule_of_cie(BYTES(2, 0, 1, 0x78, 16, RULES), true, false), bad);
	assert_int_equal(rule_of_cie(BYTES(1, 0, 1, 0x78, 16, RULES), false, false), RSP8);
	assert_int_equal(
		rule_of_cie(BYTES(1, 'e', 'h', 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0x78, 16, RULES),
			    false, false),
		RSP8);
	assert_int_equal(rule_of_cie(BYTES(1, 'z', 'P', 'L', 'R', 0, 1, 0x78, 16, 7, 3, 1, 2, 3, 4,
					   0x1b, 4, RULES),
				     false, true),
			 RSP8);
	assert_int_equal(rule_of_cie(BYTES(1, 'z', 'R', 'B', 0, 1, 0x78, 16, 1, 0, RULES), false,
				     true),
			 RSP8);
	assert_int_equal(rule_of_cie(BYTES(1, 'z', '?', 0, 1, 0x78, 16, 0, RULES), false, true),
			 bad);
	assert_int_equal(
		rule_of_cie(BYTES(1, 'z', 'P', 0, 1, 0x78, 16, 2, 3, 1, RULES), false, true), bad);
	/* another return column; a program that would move or is cut off */
	assert_int_equal(rule_of_cie(BYTES(1, 0, 1, 0x78, 15, RULES), false, false), bad);
	assert_int_equal(rule_of_cie(BYTES(1, 0, 1, 0x78, 16, RULES, 0x41), false, false), bad);
	assert_int_equal(rule_of_cie(BYTES(1, 0, 1, 0x78, 16, RULES, 0x0e), false, false), bad);
	assert_int_equal(rule_of_cie(BYTES(1, 'z'), false, true), bad);
	/* nothing said of the return address: no guess */
	assert_int_equal(rule_of_cie(BYTES(1, 0, 1, 0x78, 16, 0x0c, 7, 8), false, false),
			 UNSUPPORTED);
	assert_int_equal(rule_of_cie(BYTES(1, 0, 1, 0x78, 16), false, false), UNSUPPORTED);
}

static void test_signal_frames_are_known_by_augmentation_and_layout(void **state)
{
	assert_int_equal(rule_of_cie(BYTES(1, 'S', 0, 1, 0x78, 16, 0x0f, 4, 0x77, 0xa0, 1, 6, 0x10,
					   16, 3, 0x77, 0xa8, 1),
				     false, false),
			 PP_CFA_SIGNAL);
	assert_int_equal(rule_of_cie(BYTES(1, 'S', 0, 1, 0x78, 16, 0x0f, 4, 0x77, 0xa8, 1, 6, 0x10,
					   16, 3, 0x77, 0xa8, 1),
				     false, false),
			 UNSUPPORTED);
	assert_int_equal(rule_of_cie(BYTES(1, 'S', 0, 1, 0x78, 16, RULES), false, false),
			 UNSUPPORTED);
}

/* One FDE at FDE_VADDR whose pointers have this encoding; the rule there. */
static uint64_t rule_of_encoding(uint8_t encoding, size_t pointer_bytes, bool is_relative)
{
	struct bytes eh = { .len = 0 }, cie = { .len = 0 }, fde = { .len = 0 };
	struct made_frames made = { .eh = { .data = eh.data } };
	struct elf_cfi_stats stats;
	struct rows rows;
	uint64_t vaddr = FDE_VADDR;

	PUT(&cie, 1, 'z', 'R', 0, 1, 0x78, 16, 1, encoding, RULES);
	put_entry(&eh, 0, &cie);
	if (is_relative)
		vaddr -= MADE_VADDR + made_eh_off(&made) + eh.len + 8;
	put_int(&fde, vaddr, pointer_bytes);
	put_int(&fde, FDE_BYTES, pointer_bytes);
	PUT(&fde, 0);
	put_entry(&eh, (uint32_t)eh.len + 4, &fde);
	made.eh.len = eh.len;
	assert_int_equal(read_made(&made, &rows, &stats), 0);
	return stats.damaged ? UINT64_MAX : rule_at(&rows, FDE_VADDR);
}

static void test_every_pointer_encoding_is_read(void **state)
{
	assert_int_equal(rule_of_encoding(0x00, 8, false), RSP8);
	assert_int_equal(rule_of_encoding(0x02, 2, false), RSP8);
	assert_int_equal(rule_of_encoding(0x03, 4, false), RSP8);
	assert_int_equal(rule_of_encoding(0x04, 8, false), RSP8);
	assert_int_equal(rule_of_encoding(0x0a, 2, false), RSP8);
	assert_int_equal(rule_of_encoding(0x0b, 4, false), RSP8);
	assert_int_equal(rule_of_encoding(0x0c, 8, false), RSP8);
	assert_int_equal(rule_of_encoding(0x10, 8, true), RSP8);
	assert_int_equal(rule_of_encoding(0x1b, 4, true), RSP8);
	assert_int_equal(rule_of_encoding(0x1c, 8, true), RSP8);
	/* relative to what only a process knows, pointers to pointers, unknown */
	for (unsigned i = 0x20; i < 0x100; i += 0x10)
		assert_int_equal(rule_of_encoding((uint8_t)(i | 0x0b), 4, false), UINT64_MAX);
	assert_int_equal(rule_of_encoding(0x07, 8, false), UINT64_MAX);
}

/* Three functions, with the linker's table if wanted; the middle one is damaged if wanted. */
struct three {
	struct bytes hdr;
	struct bytes eh;
	uint32_t offs[3];
};

static void make_three(struct three *three, struct made_frames *made)
{
	static const uint8_t program[] = { 0x41, 0x0e, 16 };
	/* not in the order of their addresses; a terminator in the middle, as crtend.o leaves one */
	static const uint32_t vaddrs[] = { 0x2000, 0x1000, 0x3000 }, sorted[] = { 1, 0, 2 };
	uint64_t eh_vaddr;

	memset(three, 0, sizeof(*three));
	put_cie(&three->eh);
	for (uint32_t i = 0; i < 3; i++) {
		three->offs[i] = (uint32_t)three->eh.len;
		put_fde(&three->eh, vaddrs[i], 0x100, program, sizeof(program));
		if (i == 1)
			put_int(&three->eh, 0, 4);
	}
	three->hdr.len = 12 + 3 * 8;
	*made = (struct made_frames){
		.hdr = { three->hdr.data, three->hdr.len, 0 },
		.eh = { three->eh.data, three->eh.len, 0 },
	};
	eh_vaddr = MADE_VADDR + made_eh_off(made);
	three->hdr.len = 0;
	PUT(&three->hdr, 1, 0x1b, 0x03, 0x3b);
	put_int(&three->hdr, eh_vaddr - (MADE_VADDR + MADE_HDR_OFF + 4), 4);
	put_int(&three->hdr, 3, 4);
	for (uint32_t i = 0; i < 3; i++) {
		put_int(&three->hdr, vaddrs[sorted[i]] - (uint64_t)(MADE_VADDR + MADE_HDR_OFF), 4);
		put_int(&three->hdr,
			eh_vaddr + three->offs[sorted[i]] - (MADE_VADDR + MADE_HDR_OFF), 4);
	}
}

/* damaged: entries that may be refused on the way. */
static void check_three(const struct made_frames *made, uint64_t damaged_max)
{
	struct elf_cfi_stats stats;
	struct rows rows;

	assert_int_equal(read_made(made, &rows, &stats), 0);
	assert_int_equal(rows.cnt, 10);
	assert_true(stats.damaged <= damaged_max);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(rows.rows[3 * i + 1].vaddr, 0x1000 * (i + 1));
		assert_int_equal(rows.rows[3 * i + 1].rule, RSP8);
		assert_int_equal(rows.rows[3 * i + 2].rule, REG(7, 16));
		assert_int_equal(rows.rows[3 * i + 3].vaddr, 0x1000 * (i + 1) + 0x100);
		assert_int_equal(rows.rows[3 * i + 3].rule, PP_RULE_NONE);
	}
}

static void test_without_a_sound_table_entries_are_found_in_file_order(void **state)
{
	struct made_frames made;
	struct three three;

	make_three(&three, &made);
	check_three(&made, 0);
	made.hdr.data = NULL;
	check_three(&made, 0);
	for (size_t at = 0; at < three.hdr.len; at++) {
		make_three(&three, &made);
		if (at >= 4 && at < 8)
			continue; /* where .eh_frame is: told by its section already */
		three.hdr.data[at] ^= 0x41;
		check_three(&made, 1);
	}
	make_three(&three, &made);
	made.hdr.len -= 8; /* the table is cut off */
	check_three(&made, 0);
}

static void test_a_file_without_section_headers_is_found_by_its_segment(void **state)
{
	struct made_frames made;
	struct three three;

	make_three(&three, &made);
	made.is_stripped = true;
	check_three(&made, 0);
}

static void test_tables_of_other_encodings_are_searched(void **state)
{
	struct made_frames made;
	struct three three;
	struct bytes hdr = { .len = 0 };
	uint64_t eh_vaddr;

	make_three(&three, &made);
	made.hdr = (struct made_section){ hdr.data, 12 + 3 * 16, 0 };
	eh_vaddr = MADE_VADDR + made_eh_off(&made);
	PUT(&hdr, 1, 0x1b, 0x03, 0x04); /* absolute, 8 bytes */
	put_int(&hdr, eh_vaddr - (MADE_VADDR + MADE_HDR_OFF + 4), 4);
	put_int(&hdr, 3, 4);
	for (uint32_t i = 0; i < 3; i++) {
		put_int(&hdr, 0x1000 * (i + 1), 8);
		put_int(&hdr, eh_vaddr + three.offs[i == 0 ? 1 : i == 1 ? 0 : 2], 8);
	}
	check_three(&made, 0);
	hdr.data[3] = 0xff; /* no table at all */
	check_three(&made, 0);
}

static void test_an_entry_ends_where_the_next_begins(void **state)
{
	struct bytes eh = { .len = 0 };
	struct made_frames made = { .eh = { .data = eh.data } };
	struct elf_cfi_stats stats;
	struct rows rows;
	const uint8_t far[] = { 0x0e, 32 }, other[] = { 0x0e, 64 };

	put_cie(&eh);
	put_fde(&eh, 0x1000, 0x10000, NULL, 0);
	put_fde(&eh, 0x2000, 0, far, sizeof(far)); /* of no code: as if it were not there */
	put_fde(&eh, 0x2000, 0x10, far, sizeof(far));
	put_fde(&eh, 0x2000, 0x20, other, sizeof(other)); /* the first of equals counts */
	made.eh.len = eh.len;
	assert_int_equal(read_made(&made, &rows, &stats), 0);
	assert_int_equal(rows.cnt, 4);
	assert_int_equal(rows.rows[1].rule, RSP8);
	assert_int_equal(rows.rows[2].vaddr, 0x2000);
	assert_int_equal(rows.rows[2].rule, REG(7, 32));
	assert_int_equal(rows.rows[3].vaddr, 0x2010);
	assert_int_equal(rows.rows[3].rule, PP_RULE_NONE);
}

static void test_debug_frame_fills_the_gaps_only(void **state)
{
	const uint8_t low[] = { 0x0e, 32 };
	struct bytes eh = { .len = 0 }, debug = { .len = 0 }, cie = { .len = 0 };
	struct made_frames made = { .eh = { .data = eh.data }, .debug = { .data = debug.data } };
	struct elf_cfi_stats stats;
	struct rows rows;

	put_cie(&eh);
	put_fde(&eh, 0x1000, 0x100, NULL, 0);
	put_fde(&eh, 0x1200, 0x100, NULL, 0);
	PUT(&cie, 1, 0, 1, 0x78, 16, RULES);
	put_entry(&debug, UINT32_MAX, &cie);
	for (uint64_t vaddr = 0; vaddr <= 0x10c0; vaddr += 0x10c0) { /* 0: dropped by the linker */
		struct bytes fde = { .len = 0 };

		put_int(&fde, vaddr, 8);
		put_int(&fde, 0x180, 8);
		put(&fde, low, sizeof(low));
		put_entry(&debug, 0, &fde);
	}
	made.eh.len = eh.len;
	made.debug.len = debug.len;
	assert_int_equal(read_made(&made, &rows, &stats), 0);
	assert_int_equal(rows.cnt, 5);
	assert_int_equal(rows.rows[1].rule, RSP8);
	assert_int_equal(rows.rows[2].vaddr, 0x1100);
	assert_int_equal(rows.rows[2].rule, REG(7, 32));
	assert_int_equal(rows.rows[3].vaddr, 0x1200);
	assert_int_equal(rows.rows[3].rule, RSP8);
	assert_int_equal(rows.rows[4].vaddr, 0x1300);
}

static void test_lengths_of_64_bits_are_read(void **state)
{
	struct bytes eh = { .len = 0 }, debug = { .len = 0 };
	struct made_frames made = { .eh = { .data = eh.data } };
	struct elf_cfi_stats stats;
	struct rows rows;

	put_cie(&eh);
	put_int(&eh, 0xffffffff, 4);
	put_int(&eh, 4 + 17, 8);
	put_int(&eh, eh.len, 4); /* back to the CIE at 0, in 4 bytes */
	put_int(&eh, FDE_VADDR, 8);
	put_int(&eh, FDE_BYTES, 8);
	PUT(&eh, 0);
	made.eh.len = eh.len;
	assert_int_equal(read_made(&made, &rows, &stats), 0);
	assert_int_equal(rule_at(&rows, FDE_VADDR), RSP8);

	put_int(&debug, 0xffffffff, 4);
	put_int(&debug, 8 + 10, 8);
	put_int(&debug, UINT64_MAX, 8);
	PUT(&debug, 3, 0, 1, 0x78, 16, RULES);
	put_int(&debug, 0xffffffff, 4);
	put_int(&debug, 8 + 16, 8);
	put_int(&debug, 0, 8);
	put_int(&debug, FDE_VADDR, 8);
	put_int(&debug, FDE_BYTES, 8);
	made = (struct made_frames){ .debug = { debug.data, debug.len, 0 } };
	assert_int_equal(read_made(&made, &rows, &stats), 0);
	assert_int_equal(rule_at(&rows, FDE_VADDR), RSP8);
}

/* Every byte damaged in turn, and every length: whatever comes out is in order (keep), and ends. */
static void test_damaged_sections_end_in_order(void **state)
{
	struct made_frames made;
	struct elf_cfi_stats stats;
	struct three three;
	struct rows rows;

	make_three(&three, &made);
	for (size_t at = 0; at < three.eh.len; at++)
		for (unsigned flip = 1; flip < 256; flip += 42) {
			make_three(&three, &made);
			three.eh.data[at] ^= (uint8_t)flip;
			assert_int_equal(read_made(&made, &rows, &stats), 0);
		}
	for (size_t len = 1; len < three.eh.len; len++) {
		make_three(&three, &made);
		made.eh.len = len;
		assert_int_equal(read_made(&made, &rows, &stats), 0);
	}
}

#define SHARING	     1000
#define SHARED_BYTES 250000

/* A thousand entries that share a quarter of a megabyte are run as far as honest ones would be. */
static void test_overlapping_entries_cost_no_more_than_honest_ones(void **state)
{
	const size_t len = SHARED_BYTES + 64 * SHARING, hdr_len = 12 + 8 * SHARING;
	_auto_free_ uint8_t *section = calloc(1, len), *hdr = calloc(1, hdr_len);
	struct made_frames made = { .hdr = { hdr, hdr_len, 0 }, .eh = { section, len, 0 } };
	struct bytes head = { .len = 0 };
	struct elf_cfi_stats stats;
	struct rows rows;
	uint32_t header[3] = { 0x3b031b01, 0, SHARING };
	size_t at;

	assert_true(section && hdr);
	put_cie(&head);
	memcpy(section, head.data, head.len);
	at = head.len;
	header[1] = (uint32_t)(made_eh_off(&made) - MADE_HDR_OFF - 4);
	memcpy(hdr, header, sizeof(header));
	for (uint32_t i = 0; i < SHARING; i++, at += 26) {
		/* the program of each holds all that follow, behind an advance by one */
		uint32_t words[2] = { SHARED_BYTES, (uint32_t)at + 4 };
		uint64_t range[2] = { 0x1000 + 16 * i, 8 };
		int32_t row[2] = { (int32_t)range[0] - MADE_VADDR - MADE_HDR_OFF,
				   (int32_t)(made_eh_off(&made) - MADE_HDR_OFF + at) };

		memcpy(section + at, words, 8);
		memcpy(section + at + 8, range, 16);
		section[at + 25] = 0x41;
		memcpy(hdr + 12 + 8 * i, row, 8);
	}
	assert_int_equal(read_made(&made, &rows, &stats), 0);
	assert_int_equal(rule_at(&rows, 0x1000), RSP8);
	assert_in_range(stats.entries, 2, 12);
	assert_true(stats.damaged > 0);
}

/* Offsets of the functions of frames.s from its first, and the rules there. */
static const struct {
	uint64_t off;
	uint64_t rule;
} frames_rules[] = {
	{ 0x00, RSP8 }, /* pushes */
	{ 0x01, REG(7, 16) | FP_AT(-16) },
	{ 0x02, REG(7, 24) | FP_AT(-16) },
	{ 0x09, REG(7, 224) | FP_AT(-16) },
	{ 0x13, RSP8 },
	{ 0x14, PP_RULE_NONE },
	{ 0x20, RSP8 }, /* with_fp */
	{ 0x24, REG(6, 16) | FP_AT(-16) },
	{ 0x26, RSP8 },
	{ 0x27, REG(6, 16) | FP_AT(-16) },
	{ 0x30, RSP8 }, /* realigned */
	{ 0x31, REG(6, 16) | FP_AT(-32) },
	{ 0x32, DEREF(6, -8, 0) | FP_AT_FP(0) },
	{ 0x33, DEREF(7, 1048, 8) | FP_AT_FP(0) },
	{ 0x34, UNSUPPORTED },
	{ 0x45, REG(10, 0) }, /* realigned_r10 */
	{ 0x4a, REG(10, 0) | FP_AT_FP(0) },
	{ 0x50, RSP8 }, /* vfork_like */
	{ 0x51, REG(7, 0) | RA_IN(5) },
	{ 0x53, RSP8 },
	{ 0x60, PP_CFA_END }, /* bottom */
	{ 0x70, REG(7, 8388607) }, /* big */
	{ 0x70 + 300, UNSUPPORTED },
	{ 0x70 + 1800, REG(7, 16) },
	{ 0x781, PP_CFA_SIGNAL }, /* sigreturn */
	{ 0x790, RSP8 | RA_AT(-24) }, /* two_ways */
	{ 0x791, RSP8 | RA_AT(-24) | FP_UNKNOWN },
	{ 0x792, RSP8 | RA_AT(-24) | FP_UNKNOWN },
	{ 0x793, RSP8 | RA_AT(-24) },
	{ 0x794, UNSUPPORTED },
	{ 0x795, PP_RULE_NONE },
	{ 0x7a0, PP_RULE_NONE }, /* bare */
};

static const struct {
	const char *name;
	uint64_t text; /* vaddr of its first function, as nm says */
} frames_files[] = {
	{ "tests/data/elf/frames.so", 0x3a0 },
	{ "tests/data/elf/frames-no-table.so", 0x360 },
	{ "tests/data/elf/frames-debug.so", 0x360 },
	{ "tests/data/elf/frames-zlib.so", 0x360 },
	{ "tests/data/elf/frames-zdebug.so", 0x360 },
};

/* An open file of those. */
struct opened {
	int fd;
	struct elf_image *image;
	struct elf_cfi *cfi;
};

static void open_file(struct opened *opened, const char *name)
{
	opened->fd = open(name, O_RDONLY | O_CLOEXEC);
	assert_true(opened->fd >= 0);
	assert_int_equal(elf_image__open(opened->fd, &opened->image), 0);
	assert_int_equal(elf_cfi__open(opened->image, &opened->cfi), 0);
}

static void close_file(struct opened *opened)
{
	elf_cfi__close(opened->cfi);
	elf_image__close(opened->image);
	close(opened->fd);
}

static void test_real_files_give_the_same_rules_from_every_section(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(frames_files); i++) {
		struct rows rows = { .cnt = 0 };
		struct elf_cfi_stats stats;
		struct opened opened;

		open_file(&opened, frames_files[i].name);
		assert_int_equal(elf_cfi__each_row(opened.cfi, 0, UINT64_MAX, keep, &rows), 0);
		elf_cfi__stats(opened.cfi, &stats);
		assert_int_equal(stats.damaged, 0);
		assert_int_equal(stats.entries, 9);
		assert_int_equal(stats.rows, rows.cnt);
		assert_int_equal(stats.unsupported, 3);
		for (size_t j = 0; j < ARRAY_SIZE(frames_rules); j++)
			assert_int_equal(rule_at(&rows, frames_files[i].text + frames_rules[j].off),
					 frames_rules[j].rule);
		close_file(&opened);
	}
}

/* However an interval is cut, it says what the whole says. */
static void test_every_interval_says_what_the_whole_says(void **state)
{
	static const uint64_t lengths[] = { 1, 7, 64, 0x900 };
	struct rows all = { .cnt = 0 };
	struct opened opened;

	open_file(&opened, frames_files[0].name);
	assert_int_equal(elf_cfi__each_row(opened.cfi, 0, UINT64_MAX, keep, &all), 0);
	for (uint64_t low = 0x380; low < 0xc00; low += low < 0x480 ? 1 : 13)
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			struct rows part = { .cnt = 0 };
			uint64_t high = low + lengths[i];

			assert_int_equal(elf_cfi__each_row(opened.cfi, low, high, keep, &part), 0);
			assert_true(part.cnt >= 1);
			assert_int_equal(part.rows[0].vaddr, low);
			assert_true(part.rows[part.cnt - 1].vaddr < high);
			for (uint64_t vaddr = low; vaddr < high; vaddr++)
				assert_int_equal(rule_at(&part, vaddr), rule_at(&all, vaddr));
		}
	close_file(&opened);
}

static int stop_at_third(void *arg, const struct elf_cfi_row *row)
{
	return ++*(uint32_t *)arg == 3 ? 77 : 0;
}

static void test_the_caller_can_stop(void **state)
{
	struct opened opened;
	uint32_t cnt = 0;

	open_file(&opened, frames_files[0].name);
	assert_int_equal(elf_cfi__each_row(opened.cfi, 0, UINT64_MAX, stop_at_third, &cnt), 77);
	assert_int_equal(cnt, 3);
	cnt = 0;
	assert_int_equal(elf_cfi__each_row(opened.cfi, 16, 16, stop_at_third, &cnt), 0);
	assert_int_equal(cnt, 0);
	close_file(&opened);
}

static void test_files_without_call_frame_information_say_so(void **state)
{
	struct made_frames made = { .is_stripped = false };
	struct elf_cfi_stats stats;
	struct rows rows;
	size_t len;
	_auto_free_ uint8_t *file = made_frames__file(&made, &len);
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)file;

	assert_int_equal(read_file(file, len, &rows, &stats), -ENOENT);
	ehdr->e_machine = EM_AARCH64;
	assert_int_equal(read_file(file, len, &rows, &stats), -EOPNOTSUPP);
	ehdr->e_machine = EM_X86_64;
	ehdr->e_type = ET_REL;
	assert_int_equal(read_file(file, len, &rows, &stats), -ENOENT);
}

/* A bomb, a stream cut off, a length that lies, an unknown method: a gap, counted. */
static void test_damaged_compressed_sections_are_gaps(void **state)
{
	_auto_close_ int fd = open("tests/data/elf/frames-zlib.so", O_RDONLY | O_CLOEXEC);
	uint8_t data[8192], copy[8192];
	ssize_t len = read(fd, data, sizeof(data));
	struct elf_cfi_stats stats;
	struct rows rows;
	uint8_t *section = NULL;

	assert_in_range(len, 1000, sizeof(data) - 1);
	for (ssize_t i = 0; i + 24 < len; i++) /* Elf64_Chdr: zlib, its length, aligned to 8 */
		if (memcmp(data + i, "\1\0\0\0\0\0\0\0", 8) == 0 && data[i + 16] == 8 &&
		    data[i + 24] == 0x78)
			section = copy + i;
	assert_non_null(section);
	memcpy(copy, data, (size_t)len);
	assert_int_equal(read_file(copy, (size_t)len, &rows, &stats), 0);
	assert_int_equal(stats.damaged, 0);
	for (int damage = 0; damage < 4; damage++) {
		memcpy(copy, data, (size_t)len);
		if (damage == 0)
			section[8] ^= 1;
		else if (damage == 1)
			section[15] = 1;
		else if (damage == 2)
			section[0] = 2;
		else
			section[40] ^= 0x55;
		assert_int_equal(read_file(copy, (size_t)len, &rows, &stats), 0);
		assert_int_equal(stats.damaged, 1);
		assert_int_equal(rows.cnt, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_version_and_augmentation_is_read),
		cmocka_unit_test(test_signal_frames_are_known_by_augmentation_and_layout),
		cmocka_unit_test(test_every_pointer_encoding_is_read),
		cmocka_unit_test(test_without_a_sound_table_entries_are_found_in_file_order),
		cmocka_unit_test(test_a_file_without_section_headers_is_found_by_its_segment),
		cmocka_unit_test(test_tables_of_other_encodings_are_searched),
		cmocka_unit_test(test_an_entry_ends_where_the_next_begins),
		cmocka_unit_test(test_debug_frame_fills_the_gaps_only),
		cmocka_unit_test(test_lengths_of_64_bits_are_read),
		cmocka_unit_test(test_damaged_sections_end_in_order),
		cmocka_unit_test(test_overlapping_entries_cost_no_more_than_honest_ones),
		cmocka_unit_test(test_real_files_give_the_same_rules_from_every_section),
		cmocka_unit_test(test_every_interval_says_what_the_whole_says),
		cmocka_unit_test(test_the_caller_can_stop),
		cmocka_unit_test(test_files_without_call_frame_information_say_so),
		cmocka_unit_test(test_damaged_compressed_sections_are_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
