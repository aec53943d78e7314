/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A fuzz target is one file, tests/fuzz/fuzz_<parser>.c, with this one
 * function: feed the bytes to the parser, and abort when an invariant does
 * not hold. It returns 0. The seeds are the files of corpus/<parser>/.
 *
 * With --enable-fuzz (CC=clang) libFuzzer calls it; otherwise standalone.c
 * feeds it the corpus as a test of make check.
 */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
