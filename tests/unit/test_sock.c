/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening on paths and on loopback.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/sock.h"
#include "tests/unit/tap.h"

static char dir[] = "/tmp/skiff-sock-XXXXXX";
static char path[64];

static void
a_path_has_its_mode_and_is_guarded(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_close int fd = -1;
	int second = -1;
	struct stat st;

	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	CHECK(sock_listen_unix(path, 0660, (gid_t)-1, &fd, &err) == 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0660);
	CHECK(sock_listen_unix(path, 0660, (gid_t)-1, &second, &err) < 0);
	CHECK(err.code == SKIFF_ALREADY_EXISTS && second == -1);
}

static void
a_stale_path_is_replaced(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_close int fd = -1;
	cleanup_close int client = -1;

	CHECK(sock_connect_unix(path, &client, &err) < 0);
	CHECK(err.sys_errno == ECONNREFUSED);
	CHECK(sock_listen_unix(path, 0600, (gid_t)-1, &fd, &err) == 0);
	CHECK(sock_connect_unix(path, &client, &err) == 0);
	CHECK(unlink(path) == 0);
}

static void
what_is_no_socket_stays(void)
{
	struct skiff_error err = ERROR_INIT;
	int fd = open(path, O_CREAT | O_CLOEXEC | O_WRONLY, 0600);

	(void)close(fd);
	CHECK(sock_listen_unix(path, 0600, (gid_t)-1, &fd, &err) < 0);
	CHECK(err.code == SKIFF_ALREADY_EXISTS);
	CHECK(unlink(path) == 0 && rmdir(dir) == 0);
}

static void
a_long_path_is_told(void)
{
	struct skiff_error err = ERROR_INIT;
	char longest[109];
	int fd;

	memset(longest, 'x', sizeof(longest) - 1);
	longest[108] = '\0';
	CHECK(sock_listen_unix(longest, 0600, (gid_t)-1, &fd, &err) < 0);
	CHECK(err.code == SKIFF_INVALID_ARGUMENT);
	CHECK(strstr(err.text, "1 to 107 bytes") != NULL);
}

static void
only_loopback_is_served(void)
{
	static const char *const good[] = { "127.0.0.1", "127.1.2.3",
					    "localhost", "::1", "[::1]" };
	static const char *const bad[] = { "0.0.0.0", "10.0.0.1",
					   "::", "example.org", "" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct skiff_error err = ERROR_INIT;
		cleanup_close int fd = -1;
		uint16_t port = 0;

		CHECK(
		    (sock_listen_loopback(good[i], 0, &fd, &port, &err) == 0 &&
		     port != 0) ||
		    err.sys_errno == EADDRNOTAVAIL ||
		    err.sys_errno == EAFNOSUPPORT);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct skiff_error err = ERROR_INIT;
		uint16_t port;
		int fd;

		CHECK(sock_listen_loopback(bad[i], 0, &fd, &port, &err) < 0);
		CHECK(err.code == SKIFF_INVALID_ARGUMENT);
	}
}

TESTS(TEST(a_path_has_its_mode_and_is_guarded), TEST(a_stale_path_is_replaced),
      TEST(what_is_no_socket_stays), TEST(a_long_path_is_told),
      TEST(only_loopback_is_served))
