/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Questions about addresses: joined, loopback or not, where a connection would leave from. Parsing is
 * libcurl's, so what is judged here is what will be connected to. Never asks a name server: the loop must
 * not wait.
 */
#include "pp/net.h"

#include <curl/curl.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "internal.h"
#include "pp/base/cleanup.h"

static void url_handle_cleanup(CURLU **handle)
{
	curl_url_cleanup(*handle);
}

static void url_part_cleanup(char **part)
{
	curl_free(*part);
}

int url__parse(const char *text, struct url *ret_url)
{
	__cleanup(url_handle_cleanup) CURLU *handle = curl_url();
	__cleanup(url_part_cleanup) char *scheme = NULL;
	__cleanup(url_part_cleanup) char *host = NULL;
	__cleanup(url_part_cleanup) char *query = NULL;
	__cleanup(url_part_cleanup) char *fragment = NULL;
	__cleanup(url_part_cleanup) char *user = NULL;
	__cleanup(url_part_cleanup) char *password = NULL;
	struct url url = { 0 };
	size_t len;

	if (!handle)
		return -ENOMEM;
	if (curl_url_set(handle, CURLUPART_URL, text, 0) ||
	    curl_url_get(handle, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(handle, CURLUPART_HOST, &host, 0))
		return -EINVAL;
	if (strcasecmp(scheme, "http") && strcasecmp(scheme, "https"))
		return -EINVAL;
	len = strlen(host);
	if (len && host[0] == '[' && host[len - 1] == ']') {
		memmove(host, host + 1, len - 2);
		len -= 2;
		host[len] = '\0';
	}
	if (!len)
		return -EINVAL;
	if (len >= sizeof(url.host))
		return -E2BIG;
	memcpy(url.host, host, len + 1);
	url.has_query = !curl_url_get(handle, CURLUPART_QUERY, &query, 0) ||
			!curl_url_get(handle, CURLUPART_FRAGMENT, &fragment, 0);
	url.has_userinfo = !curl_url_get(handle, CURLUPART_USER, &user, 0) ||
			   !curl_url_get(handle, CURLUPART_PASSWORD, &password, 0);
	url.is_http = !strcasecmp(scheme, "http");
	*ret_url = url;
	return 0;
}

int url__join(const char *base, const char *path, char *text, size_t text_bytes)
{
	size_t base_len = strlen(base);
	struct url url;
	int len, err;

	err = url__parse(base, &url);
	if (err)
		return err;
	if (url.has_query)
		return -EINVAL;
	while (base_len && base[base_len - 1] == '/')
		base_len--;
	while (*path == '/')
		path++;
	len = snprintf(text, text_bytes, "%.*s/%s", (int)base_len, base, path);
	return len >= 0 && (size_t)len < text_bytes ? 0 : -E2BIG;
}

static bool host_is_loopback(const char *host)
{
	struct in6_addr addr6;
	struct in_addr addr4;

	if (!strcasecmp(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &addr4) == 1)
		return ntohl(addr4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &addr6) == 1 && IN6_IS_ADDR_LOOPBACK(&addr6);
}

bool url__is_loopback(const char *text)
{
	struct url url;

	return !url__parse(text, &url) && host_is_loopback(url.host);
}

bool url__has_userinfo(const char *text)
{
	struct url url;

	return !url__parse(text, &url) && url.has_userinfo;
}

bool url__is_clear_text(const char *text)
{
	struct url url;

	return !url__parse(text, &url) && url.is_http && !host_is_loopback(url.host);
}

/*
 * Connecting a UDP socket sends nothing: the kernel only looks up the route and chooses the address.
 * A name is not resolved; 192.0.2.1 (RFC 5737, nobody's) stands for "somewhere outside".
 */
static int route_address(const char *host, char *text, size_t text_bytes)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} addr = { 0 };
	socklen_t len = sizeof(addr);
	__cleanup(cleanup_close) int fd = -1;

	if (inet_pton(AF_INET6, host, &addr.v6.sin6_addr) == 1) {
		addr.any.sa_family = AF_INET6;
		addr.v6.sin6_port = htons(9);
	} else {
		if (inet_pton(AF_INET, host, &addr.v4.sin_addr) != 1)
			inet_pton(AF_INET, "192.0.2.1", &addr.v4.sin_addr);
		addr.any.sa_family = AF_INET;
		addr.v4.sin_port = htons(9);
		len = sizeof(addr.v4);
	}
	fd = socket(addr.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, &addr.any, len))
		return -errno;
	len = sizeof(addr);
	if (getsockname(fd, &addr.any, &len))
		return -errno;
	if (!inet_ntop(addr.any.sa_family,
		       addr.any.sa_family == AF_INET6 ? (void *)&addr.v6.sin6_addr :
							(void *)&addr.v4.sin_addr,
		       text, text_bytes))
		return -errno;
	return 0;
}

int url__local_address(const char *text_url, char *text, size_t text_bytes)
{
	struct url url;
	int len;

	if (!url__parse(text_url, &url) && strcasecmp(url.host, "localhost") &&
	    !route_address(url.host, text, text_bytes))
		return 0;
	len = snprintf(text, text_bytes, "127.0.0.1");
	return len >= 0 && (size_t)len < text_bytes ? 0 : -E2BIG;
}
