# SPDX-License-Identifier: Apache-2.0
# Generated specs under real runc; spec_driver writes what the daemon would.
check_PROGRAMS += %D%/spec_driver
tests_integration_spec_driver_SOURCES = %D%/spec_driver.c
tests_integration_spec_driver_LDADD = $(RUNTIME_LIBS)
dist_noinst_DATA += %D%/spec_probe.c

dist_check_SCRIPTS += %D%/container_hardening.py
TESTS += %D%/container_hardening.py
