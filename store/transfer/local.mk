# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/operation.h \
	%D%/pull.h
