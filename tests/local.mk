# SPDX-License-Identifier: Apache-2.0
include %D%/unit/base.mk
include %D%/unit/bytes.mk
include %D%/unit/http.mk
include %D%/unit/store.mk
include %D%/unit/runtime.mk
include %D%/unit/registry.mk
include %D%/fuzz/local.mk
include %D%/bench/local.mk
# The longest one first, that the others may run beside it.
include %D%/vm/local.mk
include %D%/integration/local.mk
include %D%/integration/http.mk
include %D%/integration/shim.mk
include %D%/integration/spec.mk
include %D%/contract/local.mk

# Signals as they are by default: under nohup(1), or in the background of a
# shell, some are ignored, and no shell that a test starts could trap them.
LOG_DRIVER = env --default-signal AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
TEST_EXTENSIONS = .sh .py
SH_LOG_DRIVER = $(LOG_DRIVER)
PY_LOG_DRIVER = $(LOG_DRIVER)
dist_noinst_DATA += %D%/apt_private.sh %D%/unit/tap.h %D%/packages

# What every test may rely on: both trees, a place for the API's answers
# that it gets, the compiler, no bytecode written beside the sources (make
# distcheck makes them read-only).
AM_TESTS_ENVIRONMENT = \
	SKIFF_SRC='$(abs_top_srcdir)'; export SKIFF_SRC; \
	SKIFF_BUILD='$(abs_top_builddir)'; export SKIFF_BUILD; \
	SKIFF_RECORD='$(abs_top_builddir)/tests/record'; export SKIFF_RECORD; \
	CC='$(CC)'; export CC; \
	SKIFF_HEADER_FLAGS='$(SKIFF_HEADER_FLAGS)'; export SKIFF_HEADER_FLAGS; \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE;
SKIFF_HEADER_FLAGS = $(MHD_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
	$(ARCHIVE_CFLAGS) $(CURL_CFLAGS) $(CRYPTO_CFLAGS) $(YAJL_CFLAGS) \
	$(ISAL_CFLAGS) $(ZSTD_CFLAGS)

source_checks = %D%/check_docs.sh %D%/check_headers.sh \
	%D%/check_layers.sh %D%/check_lengths.sh %D%/check_shim.sh
dist_check_SCRIPTS += $(source_checks)
TESTS += $(source_checks)

# What also runs against the sanitizer builds in ./runtests: all units, the
# corpora, and those tests of the daemon that FAST_TESTS names.
.PHONY: check-fast
check-fast:
	$(MAKE) check TESTS='$(filter tests/unit/% tests/fuzz/%,$(TESTS)) $(FAST_TESTS)'

# What tests have fetched.
distclean-local:
	rm -rf %D%/criu %D%/criu-sid %D%/kernel
