# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/bus.c %D%/bus.h \
	%D%/log.c %D%/log.h
