# SPDX-License-Identifier: Apache-2.0
include %D%/unit/base.mk
include %D%/unit/http.mk
include %D%/unit/store.mk
include %D%/unit/runtime.mk

LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
TEST_EXTENSIONS = .sh .py
SH_LOG_DRIVER = $(LOG_DRIVER)
PY_LOG_DRIVER = $(LOG_DRIVER)
dist_noinst_DATA += %D%/unit/tap.h
