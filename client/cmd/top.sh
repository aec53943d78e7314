# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_top()
{
	cat <<'HELP'
usage: skiff top [--json] CONTAINER

Lists the processes of a container, by the numbers the host knows them by.
HELP
}

cmd_top()
{
	[ "${1-}" != --json ] || {
		want_json=1
		shift
	}
	names_of_containers "$@"
	[ $# = 1 ] || usage_error "one container, and no options of ps, please"
	http GET "$namespace_path/tasks/$(uri "$1")/pids"
	if [ -n "$want_json" ]; then
		jq .processes "$reply"
	else
		jq -r "$jq_library"'.processes[] | [(.uid | text), .pid,
		    (.ppid | text), (.name | text)] | @tsv' "$reply" |
		    table UID PID PPID NAME
	fi
}
