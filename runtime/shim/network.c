/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skiff-shim --network [NAME=VALUE]...: the network namespace of a container
 * that is being restored.
 *
 * runc has criu make an empty one, and leaves it so: without its loopback
 * interface, whose connections criu then cannot restore, and without the
 * sysctls of the spec. So this is a hook (OCI runtime-spec, config.md,
 * "createRuntime") in the bundle of a restore; the daemon takes hooks from
 * nobody else. The container's state is on stdin.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define STATE_MAX 65536

/* "pid" of the state, which is the first of that name in it. */
static long
container_pid(void)
{
	char *text = (char *)shim_scratch;
	const char *at;
	size_t len = 0;
	ssize_t n;

	while (len < STATE_MAX &&
	       (n = read(STDIN_FILENO, text + len, STATE_MAX - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	at = strstr(text, "\"pid\":");
	return at ? strtol(at + strlen("\"pid\":"), NULL, 10) : 0;
}

static int
enter(void)
{
	cleanup_close int fd = -1;
	long pid = container_pid();
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/%ld/ns/net", pid);
	fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	return fd < 0 ? -1 : setns(fd, CLONE_NEWNET);
}

static int
loopback_up(void)
{
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = { .ifr_name = "lo" };

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &lo) < 0)
		return -1;
	lo.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &lo);
}

/* NAME was found to be one of net.*, letters and digits, dots between. */
static int
set_sysctl(const char *setting)
{
	const char *value = strchr(setting, '=');
	cleanup_close int fd = -1;
	char path[PATH_MAX];
	int len;

	if (!value)
		return -1;
	len = snprintf(path, sizeof(path), "/proc/sys/%.*s",
		       (int)(value - setting), setting);
	if (len >= (int)sizeof(path))
		return -1;
	for (char *c = path + strlen("/proc/sys/"); *c; c++)
		if (*c == '.')
			*c = '/';
	value++;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 &&
		       write(fd, value, strlen(value)) == (ssize_t)strlen(value)
		   ? 0
		   : -1;
}

int
shim_network_main(char **settings)
{
	if (enter() < 0 || loopback_up() < 0) {
		perror("network of the restored container");
		return 1;
	}
	for (; *settings; settings++)
		if (set_sysctl(*settings) < 0) {
			perror(*settings);
			return 1;
		}
	return 0;
}
