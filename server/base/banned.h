/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Calls that have no place in Skiff, poisoned: unbounded copies, calls
 * with hidden static state, numbers parsed without errors, shells, and
 * fork (which costs milliseconds in a large process and is unsafe in a
 * threaded one). Pulled in by the generated config.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* glibc has these as macros for clang, when it checks buffers. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat stpcpy strncpy strncat
#pragma GCC poison sprintf vsprintf gets
#pragma GCC poison strtok atoi atol atoll atof
#pragma GCC poison localtime gmtime ctime asctime
#pragma GCC poison tmpnam tempnam mktemp
#pragma GCC poison system popen fork vfork
