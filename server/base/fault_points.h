/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Every failpoint there is, by the program that has it: before and after
 * each durable step. A test walks the list (skiffd --list-failpoints), so
 * a new step cannot go untested.
 *
 * A row: C name, name in SKIFF_FAILPOINTS, scenario that reaches it
 * (pull | create | start | exit | delete, the verb that a test drives).
 */
#define SKIFF_FAULT_POINTS(X)                                                  \
	X(APPLY_ENTRY, "apply.entry", "pull")                                  \
	X(APPLY_END, "apply.end", "pull")                                      \
	X(BLOB_WRITE, "blob.write", "pull")
