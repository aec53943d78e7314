# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_inspect()
{
	cat <<'HELP'
usage: skiff inspect [-f FILTER] NAME...

Prints all that is known of containers, with their tasks as "task", or of
images, as a JSON array. With -f what the jq filter makes of each, such as
-f .task.pid
HELP
}

cmd_inspect()
{
	filter=
	while [ $# -gt 0 ]; do
		case $1 in
		-f | --format | --filter)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			filter=$2
			shift
			;;
		--format=* | --filter=*) filter=${1#*=} ;;
		--json) ;;
		-*) usage_error "unknown option $1" ;;
		*) break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || usage_error "which containers?"
	: >"$tmp/found"
	failed=0
	for id in "$@"; do
		inspect_one "$(uri "$id")" || failed=1
	done
	if [ -n "$filter" ]; then
		jq -r "$filter" "$tmp/found" 2>"$tmp/why" ||
		    die "$(sed 's/^jq: *//' "$tmp/why")"
	else
		jq -s . "$tmp/found"
	fi
	return $failed
}

inspect_one()
{
	if http_try GET "$namespace_path/containers/$1"; then
		mv "$reply" "$tmp/container"
		http_try GET "$namespace_path/tasks/$1" || echo null >"$reply"
		jq -c --slurpfile task "$reply" \
		    '. + if $task[0] then {task: $task[0]} else {} end' \
		    "$tmp/container" >>"$tmp/found"
		return
	fi
	mv "$reply" "$tmp/problem"
	if http_try GET "$namespace_path/images/$1"; then
		jq -c . "$reply" >>"$tmp/found"
		return
	fi
	mv "$tmp/problem" "$reply"
	(http_fail)
}
