# SPDX-License-Identifier: Apache-2.0
# A target is four lines here, one file fuzz_<parser>.c and seeds in
# corpus/<parser>/. make check runs the corpora; with --enable-fuzz
# (CC=clang) "make fuzz-smoke" fuzzes each for FUZZ_SECONDS.
fuzz_targets = %D%/fuzz_json
tests_fuzz_fuzz_json_SOURCES = %D%/fuzz_json.c $(fuzz_main)
tests_fuzz_fuzz_json_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_json_LDADD = $(BASE_LIBS)
fuzz_targets += %D%/fuzz_reference
tests_fuzz_fuzz_reference_SOURCES = %D%/fuzz_reference.c $(fuzz_main)
tests_fuzz_fuzz_reference_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_reference_LDADD = $(STORE_LIBS)
fuzz_targets += %D%/fuzz_filter
tests_fuzz_fuzz_filter_SOURCES = %D%/fuzz_filter.c $(fuzz_main)
tests_fuzz_fuzz_filter_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_filter_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_filter_LDADD = $(STORE_LIBS)
fuzz_targets += %D%/fuzz_manifest
tests_fuzz_fuzz_manifest_SOURCES = %D%/fuzz_manifest.c $(fuzz_main)
tests_fuzz_fuzz_manifest_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_manifest_LDADD = $(STORE_LIBS)
fuzz_targets += %D%/fuzz_challenge
tests_fuzz_fuzz_challenge_SOURCES = %D%/fuzz_challenge.c $(fuzz_main)
tests_fuzz_fuzz_challenge_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_challenge_LDADD = $(STORE_LIBS)

fuzz_targets += %D%/fuzz_shim_frame
tests_fuzz_fuzz_shim_frame_SOURCES = %D%/fuzz_shim_frame.c $(fuzz_main)
tests_fuzz_fuzz_shim_frame_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_shim_frame_LDADD = libruntime.a libbase.a
fuzz_targets += %D%/fuzz_tar_apply
tests_fuzz_fuzz_tar_apply_SOURCES = %D%/fuzz_tar_apply.c $(fuzz_main)
tests_fuzz_fuzz_tar_apply_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_tar_apply_LDADD = $(STORE_LIBS)
fuzz_targets += %D%/fuzz_target
tests_fuzz_fuzz_target_SOURCES = %D%/fuzz_target.c $(fuzz_main)
tests_fuzz_fuzz_target_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_target_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_target_LDADD = $(HTTP_LIBS)

check_PROGRAMS += $(fuzz_targets)
dist_noinst_DATA += %D%/fuzz.h
EXTRA_DIST += %D%/corpus
FUZZ_SECONDS = 20

if ENABLE_FUZZ
fuzz_main =
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_main = %D%/standalone.c
fuzz_ldflags = $(AM_LDFLAGS)
TESTS += $(fuzz_targets)
endif

.PHONY: fuzz-smoke
fuzz-smoke: $(fuzz_targets)
	set -e; for target in $(fuzz_targets); do \
		name=$${target##*/fuzz_}; \
		mkdir -p fuzz-found/$$name; \
		echo "fuzz-smoke: $$name"; \
		./$$target -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 \
		    -timeout=25 -print_final_stats=1 fuzz-found/$$name \
		    '$(abs_top_srcdir)'/tests/fuzz/corpus/$$name; \
	done
