# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libhttp.a
libhttp_a_CPPFLAGS = $(AM_CPPFLAGS) $(MHD_CFLAGS) $(JANSSON_CFLAGS)
HTTP_LIBS = libhttp.a $(BASE_LIBS) $(MHD_LIBS)
libhttp_a_SOURCES = \
	%D%/request.h \
	%D%/response.h \
	%D%/route.h \
	%D%/server.h \
	%D%/sse.c %D%/sse.h \
	%D%/waker.h
