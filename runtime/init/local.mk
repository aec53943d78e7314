# SPDX-License-Identifier: Apache-2.0
# skiff-init: without libc, so without what the others are built with that
# would call into one.
if HAVE_INIT
skifflibexec_PROGRAMS += skiff-init
skiff_init_SOURCES = %D%/init.c
skiff_init_CFLAGS = -std=gnu17 $(SKIFF_WARNINGS) -ffreestanding \
	-fno-stack-protector -fno-asynchronous-unwind-tables
skiff_init_LDFLAGS = -static -nostdlib -nostartfiles -Wl,-z,noseparate-code \
	-Wl,--build-id=none
skiff_init_LDADD =
endif
