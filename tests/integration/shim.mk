# SPDX-License-Identifier: Apache-2.0
# The shim alone, with real runc; shim_driver is the daemon's side of it.
check_PROGRAMS += %D%/shim_driver
tests_integration_shim_driver_SOURCES = %D%/shim_driver.c
tests_integration_shim_driver_LDADD = libruntime.a libbase.a

shim_tests = \
	%D%/shim_death.py \
	%D%/shim_exec.py \
	%D%/shim_life.py \
	%D%/shim_output.py \
	%D%/shim_rootfs.py
dist_noinst_DATA += %D%/shim_lib.py
dist_check_SCRIPTS += $(shim_tests)
TESTS += $(shim_tests)
FAST_TESTS += $(shim_tests)
