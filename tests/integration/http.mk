# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/integration/http_toy
tests_integration_http_toy_SOURCES = tests/integration/http_toy.c
tests_integration_http_toy_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_integration_http_toy_LDADD = $(HTTP_LIBS)
