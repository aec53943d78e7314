# SPDX-License-Identifier: Apache-2.0
# skiff-shim: a program of its own, small enough to have one per task. It
# takes from libbase.a only what it calls, and the files it shares with
# the daemon's side of the protocol.
skifflibexecdir = $(libexecdir)/skiff
skifflibexec_PROGRAMS = skiff-shim
skiff_shim_CPPFLAGS = $(AM_CPPFLAGS)
skiff_shim_SOURCES = \
	%D%/shim.h \
	%D%/main.c \
	%D%/binds.c \
	%D%/checkpoint.c \
	%D%/control.c \
	%D%/exec.c \
	%D%/files.c \
	%D%/idmap.c \
	%D%/init.c \
	%D%/job.c \
	%D%/log.c \
	%D%/loop.c \
	%D%/network.c \
	%D%/output.c \
	%D%/process.c \
	%D%/reap.c \
	%D%/rootfs.c \
	%D%/runtime.c \
	%D%/shm.c \
	%D%/sink.c \
	%D%/feed.c \
	%D%/spawn.c \
	%D%/stdio.c \
	%D%/steps.c \
	%D%/words.c \
	runtime/cgroup/file.c runtime/cgroup/file.h \
	runtime/cgroup/freezer.c runtime/cgroup/freezer.h \
	runtime/cgroup/path.c runtime/cgroup/path.h \
	runtime/shim_proto.c runtime/shim_proto.h
skiff_shim_LDADD = libbase.a
if SHIM_IS_STATIC
skiff_shim_LDFLAGS = $(AM_LDFLAGS) -static
endif
