# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libhttp.a
libhttp_a_CPPFLAGS = $(AM_CPPFLAGS) $(MHD_CFLAGS) $(JANSSON_CFLAGS)
HTTP_LIBS = libhttp.a $(BASE_LIBS) $(MHD_LIBS)
libhttp_a_SOURCES = \
	%D%/accept.c \
	%D%/conn.c \
	%D%/exchange.c \
	%D%/gate.c %D%/gate.h \
	%D%/head.c \
	%D%/http_internal.h \
	%D%/loop.c \
	%D%/problem.c \
	%D%/relay.c %D%/relay.h \
	%D%/reply.c \
	%D%/request.c %D%/request.h \
	%D%/response.c %D%/response.h %D%/response_internal.h \
	%D%/route.h \
	%D%/router.c %D%/router.h \
	%D%/server.c %D%/server.h \
	%D%/sse.c %D%/sse.h \
	%D%/target.c %D%/target.h \
	%D%/upload.c \
	%D%/waker.c %D%/waker.h
