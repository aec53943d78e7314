/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection over the loopback interface and two processes that talk over
 * it, for checkpoints: a number goes to and fro, and is told as "tick N".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS 50000000

static void
need(int is_well, const char *what)
{
	if (is_well)
		return;
	(void)printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

/* A dump interrupts system calls. */
static void
take(int fd, unsigned *number)
{
	size_t n = 0;

	while (n < sizeof(*number)) {
		ssize_t got = read(fd, (char *)number + n, sizeof(*number) - n);

		need(got > 0 || (got < 0 && errno == EINTR), "read");
		n += got > 0 ? (size_t)got : 0;
	}
}

static void
give(int fd, unsigned number)
{
	need(write(fd, &number, sizeof(number)) == sizeof(number), "write");
}

int
main(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct timespec pause = { .tv_nsec = PAUSE_NS };
	socklen_t len = sizeof(at);
	int door = socket(AF_INET, SOCK_STREAM, 0);
	int near = socket(AF_INET, SOCK_STREAM, 0);
	unsigned number = 0;
	int far;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	need(bind(door, (struct sockaddr *)&at, len) == 0, "bind");
	need(listen(door, 1) == 0, "listen");
	need(getsockname(door, (struct sockaddr *)&at, &len) == 0, "name");
	need(connect(near, (struct sockaddr *)&at, len) == 0, "connect");
	far = accept4(door, NULL, NULL, SOCK_CLOEXEC);
	need(far >= 0, "accept");
	(void)close(door);
	if (fork() == 0) {
		(void)close(near);
		for (;;) {
			take(far, &number);
			give(far, number + 1);
		}
	}
	(void)close(far);
	for (;;) {
		give(near, number);
		take(near, &number);
		(void)printf("tick %u\n", number);
		(void)nanosleep(&pause, NULL);
	}
}
