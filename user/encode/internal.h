/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ENCODE_INTERNAL_H
#define PP_ENCODE_INTERNAL_H
/*
 * Shared by the formats of this room: texts made harmless, JSON strings, and the merged tree of a flame
 * graph. Nothing here opens a file or asks a clock.
 */
#include <stddef.h>
#include <stdint.h>

struct buf;
struct intern;
struct profile;

#define ENCODE_TEXT_BYTES    2048 /* a frame's text is cut here */
#define ENCODE_SCRATCH_BYTES (256u << 20) /* of lines before they are merged */

/*
 * Text for the page: what could disturb or mislead a reader (control and bidi characters, bytes that
 * are not UTF-8) becomes a visible escape, "\x0a" or "\u{202e}". Everything else stays.
 */
int visible_text__append(struct buf *out, const char *text, size_t len);

/* A JSON string with its quotes. text is valid UTF-8. */
int json_quote__append(struct buf *out, const char *text, size_t len);
/* The same without the quotes, so that a string may be written in parts. */
int json_escape__append(struct buf *out, const char *text, size_t len);
/* Finished JSON made safe inside a <script> element: '<', '>', '&' and U+2028/9 as \u escapes. */
int json_in_html__append(struct buf *out, const char *json, size_t len);

/* What a summary says, a line each. */
int pprof_comments__append(const struct profile *profile, struct buf *out);

/* The lines of a share of the samples. */
struct encode_share;
int collapsed_share__append(const struct profile *profile, struct encode_share share,
			    struct buf *out);

/* Members of a parcel's first line, and of the header what the Studio ignores. */
#define PARCEL_BODY   "body"
#define PARCEL_HEADER "header"
#define PARCEL_OWN    "pulseprof"

/* What a box of the flame graph is; the letter is written to the page. */
#define FLAME_ROOT	'r'
#define FLAME_CONTAINER 'c'
#define FLAME_THREAD	't'
#define FLAME_NOTE	'i'
#define FLAME_KERNEL	'k'
#define FLAME_NATIVE	'n'
#define FLAME_UNKNOWN	'u'

/* In preorder; children sorted by name. value: samples of this node and all below it. */
struct flame_node {
	uint32_t name; /* id in names */
	uint32_t child_cnt;
	uint64_t value;
};

/* One name: "text \x01 kind letter \x01 module index". */
struct flame_tree {
	struct intern *names;
	struct flame_node *nodes;
	uint32_t node_cnt;
	uint32_t hidden_cnt; /* nodes left out because they weigh less than min_value */
	uint64_t min_value; /* 1 when all are there */
};

/* Merges all samples; leaves out the lightest nodes where there are more than node_max. */
int flame_tree__build(struct flame_tree *self, const struct profile *profile, uint32_t node_max);
void flame_tree__clear(struct flame_tree *self);

#endif
