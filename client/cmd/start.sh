# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_start()
{
	cat <<'HELP'
usage: skiff start CONTAINER...

Starts containers, and prints their names.
HELP
}

cmd_start()
{
	names_of_containers "$@"
	each_container start_container "$@"
}

# What runs already is no fault.
start_container()
{
	ready_container "$1" || return 1
	[ "$step" = none ] ||
	    http_try POST "$namespace_path/tasks/$1/$step"
}
