# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_top()
{
	cat <<'HELP'
usage: skiff top [--json] CONTAINER

Lists the processes of a container, by the numbers the host knows them by,
and the commands of those that it or "skiff exec" was started with.
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
	path=$namespace_path/tasks/$(uri "$1")
	http GET "$path/processes"
	mv "$reply" "$tmp/known"
	http GET "$path/pids"
	if [ -n "$want_json" ]; then
		jq .processes "$reply"
		return
	fi
	# Of what the container itself has started only the name is known.
	jq -r --slurpfile known "$tmp/known" "$jq_library"'
		($known[0].processes | map(select(.pid) | {key: "\(.pid)",
			value: (.args | join(" "))}) | from_entries) as $command |
		.processes[] | [(.uid | text), .pid, (.ppid | text),
		    (.name | text), ($command["\(.pid)"] | text)] | @tsv' \
	    "$reply" | table UID PID PPID NAME COMMAND
}
