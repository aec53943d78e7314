# SPDX-License-Identifier: Apache-2.0
sbin_PROGRAMS += skiffd
skiffd_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/server $(JANSSON_CFLAGS) \
	$(SQLITE_CFLAGS) $(INIH_CFLAGS) \
	-DSKIFF_LIBEXECDIR='"$(libexecdir)/skiff"'
skiffd_SOURCES = \
	%D%/daemon.c %D%/daemon.h \
	%D%/main.c \
	%D%/options.c %D%/options.h
skiffd_LDADD = libhandlers.a $(HTTP_LIBS) $(RUNTIME_LIBS) $(INIH_LIBS)
