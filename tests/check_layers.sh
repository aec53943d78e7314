#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Includes run downward only: handlers > http | runtime > store > base.
# http knows neither store nor runtime; the shim sees base, the header of
# its wire format and those of cgroups; only the composition root in
# server/ sees all.
set -eu
cd "${SKIFF_SRC:-$(dirname "$0")/..}"

echo 1..1
if find server store runtime handlers -name '*.[ch]' -print | sort |
    xargs awk '
function room_of(path)
{
	if (path ~ /^server\/base\//) return "base"
	if (path ~ /^server\/http\//) return "http"
	if (path ~ /^runtime\/shim\//) return "shim"
	if (path ~ /^(store|runtime|handlers)\//)
		return substr(path, 1, index(path, "/") - 1)
	return "server"
}
function target_of(header)
{
	if (header ~ /^(base|http|store|handlers)\//)
		return substr(header, 1, index(header, "/") - 1)
	if (header ~ /^runtime\/(shim_proto|cgroup\/(path|freezer))\.h$/) return "wire"
	if (header ~ /^runtime\/shim\//) return "shim"
	if (header ~ /^runtime\//) return "runtime"
	if (header ~ /^openapi\//) return "contract"
	if (header == "config.h") return "any"
	return "server"
}
BEGIN {
	sees["base"] = " base "
	sees["http"] = " http base "
	sees["store"] = " store base "
	sees["runtime"] = " runtime wire store base "
	sees["shim"] = " shim wire base "
	sees["handlers"] = " handlers contract http runtime store base "
	sees["server"] = " server handlers http runtime wire store base "
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	room = room_of(FILENAME)
	target = target_of(part[2])
	if (target != "any" && index(sees[room], " " target " ") == 0) {
		printf "# %s:%d: %s may not include \"%s\"\n", \
		    FILENAME, FNR, room, part[2]
		bad = 1
	}
}
END { exit bad }'; then
	echo "ok 1 - includes run downward only"
else
	echo "not ok 1 - includes run downward only"
	exit 1
fi
