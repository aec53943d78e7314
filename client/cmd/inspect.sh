# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_inspect()
{
	cat <<'HELP'
usage: skiff inspect [-f FILTER] [--type container|image] NAME...

Prints all that is known of containers, with their tasks as "task", or of
images, as a JSON array. With -f what the jq filter makes of each, such as
-f .task.pid
HELP
}

cmd_inspect()
{
	filter='' type=''
	while [ $# -gt 0 ]; do
		case $1 in
		-f | --format | --filter | --type)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			case $1 in
			--type) type=$2 ;;
			*) filter=$2 ;;
			esac
			shift
			;;
		--format=* | --filter=*) filter=${1#*=} ;;
		--type=*) type=${1#*=} ;;
		-s | --size) usage_error "$1: sizes are not known here" ;;
		--json) ;;
		-*) usage_error "unknown option $1" ;;
		*) break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || usage_error "which containers or images?"
	case $type in
	'' | container | image) ;;
	*) usage_error "--type is container or image, not $type" ;;
	esac
	: >"$tmp/found"
	failed=0
	for id in "$@"; do
		inspect_one "$(uri "$id")" || failed=1
	done
	if [ -n "$filter" ]; then
		items_filtered "$filter" "$tmp/found"
	else
		jq -s . "$tmp/found"
	fi
	return $failed
}

inspect_one()
{
	if [ "$type" != image ] &&
	    http_try GET "$namespace_path/containers/$1"; then
		mv "$reply" "$tmp/container"
		http_try GET "$namespace_path/tasks/$1" || echo null >"$reply"
		jq -c --slurpfile task "$reply" \
		    '. + if $task[0] then {task: $task[0]} else {} end' \
		    "$tmp/container" >>"$tmp/found"
		return
	fi
	[ "$type" = image ] || mv "$reply" "$tmp/problem"
	if [ "$type" != container ] &&
	    http_try GET "$namespace_path/images/$1"; then
		jq -c . "$reply" >>"$tmp/found"
		return
	fi
	[ "$type" = image ] || mv "$tmp/problem" "$reply"
	(http_fail)
}
