/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Putting a process of ours into a cgroup of ours.
 */
#include <sys/types.h>

/*
 * Moves the process into the cgroup at an absolute path in every
 * hierarchy, making it and its parent. Best effort, hierarchy by
 * hierarchy; a cpuset is left alone, since a new one has no processor.
 *
 * The kernel lets every RCU reader pass first when nobody has moved a
 * process lately: this may take 10 ms or more, and whoever moves one soon
 * after does not wait.
 */
void cgroup_enter(const char *path, pid_t pid);
