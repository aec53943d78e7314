# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/bench_store
tests_bench_bench_store_SOURCES = %D%/bench_store.c
tests_bench_bench_store_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_bench_bench_store_LDADD = $(STORE_LIBS)
