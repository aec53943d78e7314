# SPDX-License-Identifier: Apache-2.0
libruntime_a_SOURCES += \
	%D%/admin_wishes.c %D%/admin_wishes.h \
	%D%/bind_root.c %D%/bind_root.h \
	%D%/caps.c %D%/caps.h \
	%D%/defaults.c \
	%D%/devices.c \
	%D%/health.c %D%/health.h \
	%D%/host.c %D%/host.h \
	%D%/mounts.c \
	%D%/oci_runtime.c %D%/oci_runtime.h \
	%D%/process.c %D%/process.h \
	%D%/resources.c \
	%D%/restart_policy.c %D%/restart_policy.h \
	%D%/rules.c %D%/rules.h \
	%D%/rootfs_view.c %D%/rootfs_view.h \
	%D%/runtime_options.c %D%/runtime_options.h \
	%D%/seccomp.c \
	%D%/spec.c %D%/spec.h \
	%D%/spec_check.c %D%/spec_check.h \
	%D%/spec_check_linux.c \
	%D%/spec_internal.h \
	%D%/user.c %D%/user.h \
	%D%/user_namespace.c %D%/user_namespace.h \
	%D%/wish_devices.c \
	%D%/wish_dns.c \
	%D%/wish_limits.c \
	%D%/wish_mounts.c \
	%D%/wish_namespaces.c \
	%D%/wish_plain.c \
	%D%/wishes.c %D%/wishes.h \
	%D%/wishes_internal.h
