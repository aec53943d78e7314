#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The guest is what the tests in it are there for: a kernel with cgroup v2
# and nothing of v1.
echo 1..2

root=/sys/fs/cgroup
what="$(stat -f -c %T $root) $(cat /proc/self/cgroup)"
v1=$(awk '$3 == "cgroup"' /proc/mounts)
[ "$what" = "cgroup2fs 0::/" ] && [ -z "$v1" ] || printf 'not '
echo "ok 1 - $root is cgroup v2, and there is no other"
printf '%s\n' "$what" "$v1" | sed '/./s/^/# /'

missing=
for controller in cpu cpuset io memory pids; do
	grep -qw "$controller" $root/cgroup.controllers ||
		missing="$missing $controller"
done
[ -z "$missing" ] || printf 'not '
echo "ok 2 - it has the controllers that limits need$missing"
