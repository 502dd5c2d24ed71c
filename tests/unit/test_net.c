/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What net knows without a network: addresses, the words of an error answer, pauses. The client itself
 * is tested against a real server in tests/e2e/bad_server.t.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=getrandom */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/loop.h"
#include "pp/net.h"

static uint32_t chance;
ssize_t __wrap_getrandom(void *data, size_t len, unsigned int flags);

ssize_t __wrap_getrandom(void *data, size_t len, unsigned int flags)
{
	size_t i;

	for (i = 0; i < len; i++)
		((unsigned char *)data)[i] = (unsigned char)(chance >> (8 * (i % 4)));
	return (ssize_t)len;
}

static void joined(const char *base, const char *path, const char *expected)
{
	char text[256] = "";

	assert_int_equal(url__join(base, path, text, sizeof(text)), 0);
	assert_string_equal(text, expected);
}

static void url_join_keeps_the_prefix_and_one_slash(void **state)
{
	joined("http://h:1/x/", "/api/y", "http://h:1/x/api/y");
	joined("http://h", "/api/y", "http://h/api/y");
	joined("https://u:p@h//", "api/y", "https://u:p@h/api/y");
	joined("http://[::1]:80", "/a", "http://[::1]:80/a");
}

static void url_join_refuses_what_is_no_base(void **state)
{
	static const char *const bases[] = {
		"",
		"h",
		"ftp://h/",
		"file:///etc/passwd",
		"http://",

		"http://h?q",
		"http://h/#frag",
		"http://h h/",
		"http://h\r\nX: y/",
	};
	char text[64] = "kept";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bases); i++)
		assert_int_equal(url__join(bases[i], "/a", text, sizeof(text)), -EINVAL);
	assert_string_equal(text, "kept");
	assert_int_equal(url__join("http://h", "/abc", text, 12), -E2BIG);
	assert_int_equal(url__join("http://h", "/abc", text, 13), 0);
}

static void loopback_is_told_from_the_rest(void **state)
{
	static const char *const yes[] = { "http://127.0.0.1:8080", "http://localhost/x",
					   "https://[::1]/", "http://127.9.9.9" };
	static const char *const no[] = {
		"http://10.0.0.1",	     "http://localhost.example.org",
		"http://127.0.0.1.evil.org", "http://u:127.0.0.1@10.0.0.1/",
		"ftp://127.0.0.1",	     ""
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(url__is_loopback(yes[i]));
	for (i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(url__is_loopback(no[i]));
}

static void clear_text_and_passwords_in_addresses_are_seen(void **state)
{
	assert_true(url__is_clear_text("http://h"));
	assert_true(url__is_clear_text("HTTP://10.0.0.1:80/x"));
	assert_true(url__is_clear_text("http://127.0.0.1.example.org"));
	assert_true(url__is_clear_text("http://127.0.0.1@h"));
	assert_true(url__is_clear_text("http://[fe80::1]/"));
	assert_false(url__is_clear_text("https://h"));
	assert_false(url__is_clear_text("http://localhost:1"));
	assert_false(url__is_clear_text("http://[::1]:1"));
	assert_false(url__is_clear_text("http://127.9.9.9"));
	assert_true(url__has_userinfo("https://u:p@h"));
	assert_true(url__has_userinfo("https://u@h"));
	assert_false(url__has_userinfo("https://h/@"));
	assert_false(url__has_userinfo(""));
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void tls_files_are_read_again_when_they_change(void **state)
{
	char folder[] = "/tmp/pulseprof-unit-XXXXXX", cert[64], key[64], next[64];
	struct net_options options = { .client_cert = cert };
	struct loop *loop;
	struct net *net;
	const char *path = NULL;

	assert_non_null(mkdtemp(folder));
	snprintf(cert, sizeof(cert), "%s/cert", folder);
	snprintf(key, sizeof(key), "%s/key", folder);
	snprintf(next, sizeof(next), "%s/next", folder);
	assert_int_equal(loop__new(&loop), 0);
	assert_int_equal(net__new(loop, &options, &net), -EINVAL); /* no key */
	options.client_key = key;
	assert_int_equal(net__new(loop, &options, &net), 0);
	assert_int_equal(net__load_files(net, &path), -ENOENT);
	assert_string_equal(path, cert);
	write_text(cert, "cert");
	assert_int_equal(net__load_files(net, &path), -ENOENT);
	assert_string_equal(path, key);
	write_text(key, "");
	assert_int_equal(net__load_files(net, &path), -ENODATA); /* being written */
	write_text(key, "key");
	assert_int_equal(net__load_files(net, &path), 0);
	/* nothing changed: not even opened */
	assert_int_equal(net__load_files(net, &path), 0);
	assert_int_equal(unlink(key), 0);
	assert_int_equal(net__load_files(net, &path), -ENOENT);
	assert_int_equal(mkdir(next, 0700), 0);
	assert_int_equal(rename(next, key), 0);
	assert_int_equal(net__load_files(net, &path), -EBADMSG);
	assert_int_equal(rmdir(key), 0);
	write_text(next, "new");
	assert_int_equal(rename(next, key), 0);
	assert_int_equal(net__load_files(net, &path), 0);
	net__free(net);
	loop__free(loop);
	assert_int_equal(unlink(key), 0);
	assert_int_equal(unlink(cert), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void local_address_is_always_an_address(void **state)
{
	char text[64];

	assert_int_equal(url__local_address("http://127.0.0.1:1/", text, sizeof(text)), 0);
	assert_string_equal(text, "127.0.0.1");
	assert_int_equal(url__local_address("http://localhost/", text, sizeof(text)), 0);
	assert_string_equal(text, "127.0.0.1");
	assert_int_equal(url__local_address("nonsense", text, sizeof(text)), 0);
	assert_string_equal(text, "127.0.0.1");
	assert_int_equal(url__local_address("nonsense", text, 5), -E2BIG);
}

static void words_are(int status, const char *body, const char *expected)
{
	struct http_reply reply = { .status = status, .body = body, .body_len = strlen(body) };
	char text[40];

	assert_string_equal(http_reply__words(&reply, text, sizeof(text)), expected);
}

static void words_of_a_refusal_are_found_and_made_plain(void **state)
{
	struct http_reply broken = { .err = -ETIMEDOUT, .body = "", .why = "too\nslow" };
	char text[40];

	words_are(400, "{\"message\":\"Failed to parse v2 metadata\"}",
		  "Failed to parse v2 metadata");
	words_are(404, "\"Not Found\"", "Not Found");
	words_are(422, "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"}]}",
		  "field required");
	words_are(500, "{\"detail\":\"boom\"}", "boom");
	words_are(502, "<html>\n\033[2J\xff", "<html>??[2J?");
	words_are(200, "", "");
	words_are(500, "0123456789012345678901234567890123456789",
		  "012345678901234567890123456789012345678");
	assert_string_equal(http_reply__words(&broken, text, sizeof(text)), "too?slow");
}

static void jitter_stays_within_its_percentage(void **state)
{
	static const uint32_t chances[] = { 0, 1, 12345, 0x7fffffff, UINT32_MAX };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(chances); i++) {
		chance = chances[i];
		assert_in_range(net_jitter_ms(30000, 10), 27000, 33000);
		assert_in_range(net_jitter_ms(50, 10), 45, 55);
	}
	chance = 0;
	assert_int_equal(net_jitter_ms(30000, 10), 27000);
	chance = 6000;
	assert_int_equal(net_jitter_ms(30000, 10), 33000);
	assert_int_equal(net_jitter_ms(0, 10), 0);
}

static void backoff_doubles_up_to_its_maximum(void **state)
{
	chance = 0; /* the lower end: -20 % */
	assert_int_equal(net_backoff_ms(0, 5000, 300000), 4000);
	assert_int_equal(net_backoff_ms(1, 5000, 300000), 4000);
	assert_int_equal(net_backoff_ms(2, 5000, 300000), 8000);
	assert_int_equal(net_backoff_ms(7, 5000, 300000), 240000);
	assert_int_equal(net_backoff_ms(UINT32_MAX, 5000, 300000), 240000);
}

static void server_may_ask_for_a_longer_pause(void **state)
{
	const struct http_reply silent = { 0 }, asks = { .retry_after_s = 8 };

	chance = 0;
	assert_int_equal(http_reply__pause_ms(&silent, 5000), 5000);
	assert_in_range(http_reply__pause_ms(&asks, 5000), 8000, 8100);
	assert_int_equal(http_reply__pause_ms(&asks, 60000), 60000);
	chance = UINT32_MAX;
	assert_in_range(http_reply__pause_ms(&asks, 5000), 8000, 9600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(url_join_keeps_the_prefix_and_one_slash),
		cmocka_unit_test(url_join_refuses_what_is_no_base),
		cmocka_unit_test(loopback_is_told_from_the_rest),
		cmocka_unit_test(clear_text_and_passwords_in_addresses_are_seen),
		cmocka_unit_test(tls_files_are_read_again_when_they_change),
		cmocka_unit_test(local_address_is_always_an_address),
		cmocka_unit_test(words_of_a_refusal_are_found_and_made_plain),
		cmocka_unit_test(jitter_stays_within_its_percentage),
		cmocka_unit_test(backoff_doubles_up_to_its_maximum),
		cmocka_unit_test(server_may_ask_for_a_longer_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
