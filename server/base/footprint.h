/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How much memory the process holds on to.
 *
 * Fifty libraries come in with libcurl and libarchive. Relocating them maps
 * most of their text, and every request some more; a daemon that waits needs
 * little of it. Dropped pages come back from the page cache when they are
 * touched: it is what the kernel does itself when memory is short.
 */

/* Before the first thread: few malloc arenas, since each keeps its peak. */
void footprint_limit(void);

/* Gives back free heap and clean pages of program files; takes a
 * millisecond or two. Any thread. */
void footprint_trim(void);
