# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_stats()
{
	cat <<'HELP'
usage: skiff stats [--no-stream] [--json | --format FILTER] [CONTAINER...]

Shows what containers that run use, all or those named, once a second, until
Ctrl-C or until those named have ended; with --no-stream once. CPU is of one
processor. --format shows what a jq filter makes of each, such as .memory.usage
HELP
}

cmd_stats()
{
	live=1 format=''
	while [ $# -gt 0 ]; do
		case $1 in
		--no-stream) live= ;;
		--json) want_json=1 ;;
		-a | --all | --no-trunc) ;;
		--format)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			format=$2
			shift
			;;
		--format=*) format=${1#*=} ;;
		-*) usage_error "unknown option $1" ;;
		*) break ;;
		esac
		shift
	done
	query=
	for id in "$@"; do
		http GET "$namespace_path/tasks/$(uri "$id")"
		query="$query&filter=$(uri "id==$id")"
	done
	query=${query:+"?${query#&}"}
	while :; do
		http GET "$namespace_path/metrics$query"
		[ -z "$query" ] || [ -z "$live" ] ||
		    [ "$(jq '.items | length' "$reply")" != 0 ] || break
		stats_show
		[ -n "$live" ] || break
		sleep 1
	done
}

stats_show()
{
	if [ -n "$want_json$format" ]; then
		jq -c '.items[]' "$reply" >"$tmp/items"
		items_filtered "${format:-json}" "$tmp/items"
		return
	fi
	jq -r "$jq_library"'
		def percent: if . == null then "-"
			else "\(. * 100 | round / 100)%" end;
		.items | sort_by(.id)[] | [.id, (.cpu.percent | percent),
		    (.memory.usage | bytes), (.memory.limit | bytes),
		    (if .memory.limit and .memory.usage then
			.memory.usage * 100 / .memory.limit
			else null end | percent),
		    (.pids.current | text), (.io.read_bytes | bytes),
		    (.io.write_bytes | bytes)] | @tsv' "$reply" |
	    table CONTAINER CPU MEMORY LIMIT MEM% PIDS READ WRITE >"$tmp/shown"
	[ -z "$live" ] || [ ! -t 1 ] || printf '\033[H\033[J'
	cat "$tmp/shown"
}
