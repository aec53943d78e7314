# SPDX-License-Identifier: Apache-2.0
libruntime_a_SOURCES += \
	%D%/host.h \
	%D%/rootfs_view.h \
	%D%/spec.h \
	%D%/user.h \
	%D%/wishes.h
