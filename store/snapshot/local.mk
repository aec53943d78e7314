# SPDX-License-Identifier: Apache-2.0
libstore_a_SOURCES += \
	%D%/snapshots.h
