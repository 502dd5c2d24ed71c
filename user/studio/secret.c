/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What nobody may guess: the operator's token, and ids. The token is made once, lives in a file of mode
 * 0600 and is compared in constant time; it is never logged or answered.
 */
#include "internal.h"

#include "pp/base/clock.h"
#include "pp/base/file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define TOKEN_RANDOM_BYTES 32
#define TOKEN_LEN_MIN	   16

static int random_bytes(void *data, size_t len)
{
	return getrandom(data, len, 0) == (ssize_t)len ? 0 : -EIO;
}

static void base64url(const uint8_t *data, size_t len, char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	int bit_cnt = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		bits = bits << 8 | data[i];
		for (bit_cnt += 8; bit_cnt >= 6; bit_cnt -= 6)
			*text++ = digits[bits >> (bit_cnt - 6) & 63];
	}
	if (bit_cnt)
		*text++ = digits[bits << (6 - bit_cnt) & 63];
	*text = '\0';
}

static int token__make(int dir_fd, struct token *ret_token)
{
	uint8_t data[TOKEN_RANDOM_BYTES];
	struct buf line _auto_buf_ = { 0 };
	int err;

	buf__init(&line, 256);
	do { /* a leading '-' would look like an option on a command line */
		err = random_bytes(data, sizeof(data));
		if (err)
			return err;
		base64url(data, sizeof(data), ret_token->text);
	} while (ret_token->text[0] == '-');
	err = buf__printf(&line, "%s\n", ret_token->text);
	return err ? err : file__write_atomic(dir_fd, "token", line.data, line.len, 0600);
}

int token__load(int dir_fd, struct token *ret_token, bool *ret_is_new)
{
	struct buf text _auto_buf_ = { 0 };
	size_t len;
	int err;

	buf__init(&text, sizeof(ret_token->text) - 1);
	err = file__read_at(dir_fd, "token", &text);
	if (err == -ENOENT) {
		*ret_is_new = true;
		return token__make(dir_fd, ret_token);
	}
	if (err)
		return err == -E2BIG ? -EBADMSG : err;
	len = text.data ? strcspn(text.data, "\r\n \t") : 0;
	if (len < TOKEN_LEN_MIN)
		return -EBADMSG;
	memcpy(ret_token->text, text.data, len);
	ret_token->text[len] = '\0';
	*ret_is_new = false;
	return 0;
}

bool token__matches(const struct token *self, const char *given)
{
	const size_t len = strlen(self->text);
	const size_t given_len = given ? strlen(given) : 0;
	unsigned int diff = given_len != len;
	size_t i;

	for (i = 0; i < len; i++)
		diff |= (unsigned char)self->text[i] ^
			(unsigned char)(given_len ? given[i % given_len] : 0);
	return diff == 0;
}

/* RFC 9562, 5.4: version 4, variant 10. */
int uuid__make(char text[UUID_TEXT_BYTES])
{
	uint8_t b[16];
	int err;

	err = random_bytes(b, sizeof(b));
	if (err)
		return err;
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(text, UUID_TEXT_BYTES,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		 b[15]);
	return 0;
}

bool uuid__parse(const char *text, char ret_text[UUID_TEXT_BYTES])
{
	char digits[33];
	size_t cnt = 0;

	for (; *text; text++) {
		if (*text == '-')
			continue;
		if (!isxdigit((unsigned char)*text) || cnt == 32)
			return false;
		digits[cnt++] = (char)tolower((unsigned char)*text);
	}
	if (cnt != 32)
		return false;
	digits[32] = '\0';
	snprintf(ret_text, UUID_TEXT_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8,
		 digits + 12, digits + 16, digits + 20);
	return true;
}
