# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_restart()
{
	cat <<'HELP'
usage: skiff restart [-t SECONDS] [-s SIGNAL] CONTAINER...

Stops containers as "skiff stop" does, and starts them again; also those
that have ended. Prints their names.
HELP
}

cmd_restart()
{
	. "$SKIFF_CLIENT/lib/stop.sh"
	stop_options "$@"
	shift "$n_options"
	each_container restart_container "$@"
}

restart_container()
{
	http_try POST "$namespace_path/tasks/$1/restart" "$body"
}
