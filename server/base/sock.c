/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream sockets: listening on a path or on loopback, connecting to a path.
 */
#include "config.h"

#include "base/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"

/* A burst of clients must not be refused: 64 fills within a millisecond. */
#define BACKLOG 4096

static int
unix_address(const char *path, struct sockaddr_un *address,
	     struct skiff_error *err)
{
	size_t len = strlen(path);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (len == 0 || len >= sizeof(address->sun_path))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "socket path %s: must have 1 to %zu bytes, "
			       "not %zu",
			       path, sizeof(address->sun_path) - 1, len);
	memcpy(address->sun_path, path, len);
	return 0;
}

int
sock_connect_unix(const char *path, int *ret_fd, struct skiff_error *err)
{
	struct sockaddr_un address;
	cleanup_close int fd = -1;

	if (unix_address(path, &address, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, errno, "socket");
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return err_errno(err, errno, "connect %s", path);
	*ret_fd = STEAL_FD(fd);
	return 0;
}

/* Removes a socket that nobody answers on. */
static int
remove_stale(const char *path, struct skiff_error *err)
{
	struct skiff_error probe = ERROR_INIT;
	cleanup_close int fd = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT
			   ? 0
			   : err_errno(err, errno, "look at %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, SKIFF_ALREADY_EXISTS,
			       "%s exists and is not a socket", path);
	if (sock_connect_unix(path, &fd, &probe) == 0 ||
	    probe.sys_errno == EAGAIN)
		return err_set(err, SKIFF_ALREADY_EXISTS,
			       "another server answers on %s", path);
	if (probe.sys_errno != ECONNREFUSED)
		return err_set(err, probe.code, "%s", probe.text);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(err, errno, "remove stale socket %s", path);
	return 0;
}

int
sock_listen_unix(const char *path, mode_t mode, gid_t gid, int *ret_fd,
		 struct skiff_error *err)
{
	struct sockaddr_un address;
	cleanup_close int fd = -1;

	if (unix_address(path, &address, err) < 0 ||
	    remove_stale(path, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, errno, "socket");
	/* bind(2) takes the mode from here: the path is never wider. */
	if (fchmod(fd, mode) < 0)
		return err_errno(err, errno, "set mode of socket");
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return err_errno(err, errno, "bind %s", path);
	if ((gid != (gid_t)-1 && lchown(path, (uid_t)-1, gid) < 0) ||
	    chmod(path, mode) < 0) {
		int number = errno;

		(void)unlink(path);
		return err_errno(err, number, "set owner and mode of %s", path);
	}
	if (listen(fd, BACKLOG) < 0)
		return err_errno(err, errno, "listen on %s", path);
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static bool
loopback_address(const char *host, uint16_t port,
		 struct sockaddr_storage *address, socklen_t *ret_len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	if (strcmp(host, "::1") == 0 || strcmp(host, "[::1]") == 0) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		in6->sin6_addr = in6addr_loopback;
		*ret_len = sizeof(*in6);
		return true;
	}
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	*ret_len = sizeof(*in);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1 &&
	       ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static uint16_t
bound_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} address;
	socklen_t len = sizeof(address);

	memset(&address, 0, sizeof(address));
	if (getsockname(fd, &address.any, &len) < 0)
		return 0;
	return ntohs(address.any.sa_family == AF_INET6 ? address.in6.sin6_port
						       : address.in.sin_port);
}

int
sock_listen_loopback(const char *host, uint16_t port, int *ret_fd,
		     uint16_t *ret_port, struct skiff_error *err)
{
	struct sockaddr_storage address;
	cleanup_close int fd = -1;
	socklen_t len;
	int on = 1;

	if (!loopback_address(host, port, &address, &len))
		return err_set(err, SKIFF_INVALID_ARGUMENT,
			       "listen on %s: only loopback addresses "
			       "(localhost, 127.0.0.1, ::1) can be served",
			       host);
	fd = socket(address.ss_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, errno, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return err_errno(err, errno, "SO_REUSEADDR");
	if (bind(fd, (const struct sockaddr *)&address, len) < 0)
		return err_errno(err, errno, "bind %s port %u", host, port);
	if (listen(fd, BACKLOG) < 0)
		return err_errno(err, errno, "listen on %s port %u", host,
				 port);
	*ret_port = bound_port(fd);
	*ret_fd = STEAL_FD(fd);
	return 0;
}
