/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Whether criu comes to an end here, which "criu check" does not say: it
 * waits for breakpoints in what it dumps, and on some virtual machines
 * debug registers can be set and never trap. It has a switch against that.
 */
enum criu_trial {
	CRIU_ENDS,
	CRIU_ENDS_WITHOUT_BREAKPOINTS,
	CRIU_HANGS,
};

/*
 * Lets it dump a process that sleeps, as the shim would, into dir, which is
 * made for that and removed. Whether it succeeds does not count: a real dump
 * tells more. Blocks for a moment, or for seconds where it hangs; where
 * nothing can be tried it ends.
 */
enum criu_trial criu_try(const char *path, const char *dir);
