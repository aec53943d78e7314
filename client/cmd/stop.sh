# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_stop()
{
	cat <<'HELP'
usage: skiff stop [-t SECONDS] [-s SIGNAL] CONTAINER...

Asks containers to end, by their stop signal unless -s says another, and
ends those by SIGKILL that still run after their stop timeout, 10 seconds
unless it was set, or what -t says. Prints their names.
HELP
}

cmd_stop()
{
	. "$SKIFF_CLIENT/lib/stop.sh"
	stop_options "$@"
	shift "$n_options"
	each_container stop_container "$@"
}

# What was never started has nothing to be stopped.
stop_container()
{
	http_try POST "$namespace_path/tasks/$1/stop" "$body" && return
	[ "$http_status" = 404 ] || return 1
	cp "$reply" "$tmp/problem"
	http_try GET "$namespace_path/containers/$1" && return
	mv "$tmp/problem" "$reply"
	return 1
}
