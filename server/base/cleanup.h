/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Scope-bound ownership.
 *
 *	cleanup_free char *path = NULL;
 *	cleanup_close int fd = -1;
 *	CLEANUP(image_freep) struct image *image = NULL;
 *	…
 *	*ret_image = STEAL_PTR(image);
 *	return STEAL_FD(fd);
 *
 * DEFINE_CLEANUP(struct image *, image_free) makes image_freep and stands
 * under the destructor's prototype. Destructors accept NULL.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Some are there for their end alone. */
#define CLEANUP(function) __attribute__((cleanup(function), unused))

#define DEFINE_CLEANUP(type, function)                                         \
	static inline __attribute__((unused)) void function##p(type *object)   \
	{                                                                      \
		if (*object)                                                   \
			function(*object);                                     \
	}

static inline __attribute__((unused)) void
freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline __attribute__((unused)) void
closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

static inline __attribute__((unused)) void
fclosep(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

#define cleanup_free CLEANUP(freep)
#define cleanup_close CLEANUP(closep)
#define cleanup_fclose CLEANUP(fclosep)

#define STEAL_PTR(pointer)                                                     \
	__extension__({                                                        \
		__typeof__(pointer) stolen_ = (pointer);                       \
		(pointer) = NULL;                                              \
		stolen_;                                                       \
	})

#define STEAL_FD(fd)                                                           \
	__extension__({                                                        \
		int stolen_ = (fd);                                            \
		(fd) = -1;                                                     \
		stolen_;                                                       \
	})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
