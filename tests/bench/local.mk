# SPDX-License-Identifier: Apache-2.0
# What is measured, and how to read it: docs/PERFORMANCE.md. A bench prints
# a table; it fails only when what it measures does not work.
bench_scripts = \
	%D%/exec.py \
	%D%/start_latency.py \
	%D%/peers.py \
	%D%/memory.py \
	%D%/restart.py \
	%D%/requests.py \
	%D%/pull.py \
	%D%/logs.py
check_PROGRAMS += %D%/bench_store
tests_bench_bench_store_SOURCES = %D%/bench_store.c
tests_bench_bench_store_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_bench_bench_store_LDADD = $(STORE_LIBS)
dist_noinst_SCRIPTS += $(bench_scripts)
dist_noinst_DATA += \
	%D%/benchlib.py \
	%D%/lib_bare.py \
	%D%/lib_peers.py \
	%D%/packages

.PHONY: bench
bench: all %D%/bench_store
	@'$(srcdir)'/build-aux/install-packages '$(srcdir)'/%D%/packages
	@$(AM_TESTS_ENVIRONMENT) unset SKIFF_RECORD; \
	for script in $(bench_scripts); do \
		'$(srcdir)'/$$script || exit 1; \
	done; \
	exec %D%/bench_store
