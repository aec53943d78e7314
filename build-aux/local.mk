# SPDX-License-Identifier: Apache-2.0
# Source checks, formatting, coverage. "make lint" needs tests/packages.
dist_noinst_SCRIPTS += %D%/install-packages %D%/lint %D%/coverage
dist_noinst_DATA += %D%/packages %D%/cppcheck-suppressions \
	%D%/cppcheck.cfg

LINT = '$(abs_top_srcdir)/build-aux/lint' '$(abs_top_srcdir)' \
	'$(abs_top_builddir)'

.PHONY: lint format format-check tidy shellcheck coverage bench lint-objects
lint: config.h
	$(LINT)
format-check:
	$(LINT) format
tidy: config.h
	$(LINT) tidy
shellcheck:
	$(LINT) shellcheck
format:
	cd '$(srcdir)' && find server store runtime handlers tests \
	    -name '*.[ch]' -exec clang-format -i {} +

# Every object there is, tests and all; nothing is run.
lint-objects: $(BUILT_SOURCES) config.h
	$(MAKE) all-am $(check_PROGRAMS) $(check_LIBRARIES)

coverage:
	'$(srcdir)/build-aux/coverage' '$(abs_top_srcdir)' \
	    '$(abs_top_builddir)'
