# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_namespaces()
{
	cat <<'HELP'
usage: skiff namespaces [ls] [--json]
       skiff namespaces create NAME [KEY=VALUE...]
       skiff namespaces label NAME KEY=VALUE...     (an empty VALUE removes)
       skiff namespaces rm NAME...

A namespace comes into being with the first thing in it, too. Only an empty
one can be removed.
HELP
}

cmd_namespaces()
{
	action=${1:-ls}
	[ $# = 0 ] || shift
	case $action in
	ls | list) namespaces_ls "$@" ;;
	create | label | rm) "namespaces_$action" "$@" ;;
	remove | delete) namespaces_rm "$@" ;;
	--json)
		want_json=1
		namespaces_ls "$@"
		;;
	*) usage_error "there is no namespaces $action" ;;
	esac
}

namespaces_ls()
{
	for argument in "$@"; do
		case $argument in
		--json) want_json=1 ;;
		*) usage_error "unknown argument $argument" ;;
		esac
	done
	http_list /v1/namespaces
	if [ -n "$want_json" ]; then
		items_json
	else
		jq -r "$jq_library"'[.name, (.labels // {} | pairs)] | @tsv' \
		    "$tmp/items" | table NAME LABELS
	fi
}

# label_object KEY=VALUE...
label_object()
{
	for pair in "$@"; do
		case $pair in
		?*=*) ;;
		*) usage_error "a label is KEY=VALUE, not $pair" ;;
		esac
	done
	jq -nc '[$ARGS.positional[] | index("=") as $at |
	    {key: .[:$at], value: .[$at + 1:]}] | from_entries' --args -- "$@"
}

namespaces_create()
{
	[ $# -gt 0 ] || usage_error "which name?"
	name=$1
	shift
	labels=$(label_object "$@")
	http POST /v1/namespaces "$(jq -nc --arg name "$name" \
	    --argjson labels "$labels" '{name: $name}
	    + if $labels == {} then {} else {labels: $labels} end')"
	namespaces_show
}

namespaces_label()
{
	[ $# -gt 1 ] || usage_error "which name, and which labels?"
	name=$1
	shift
	http PATCH "/v1/namespaces/$(uri "$name")" \
	    "{\"labels\":$(label_object "$@")}" \
	    -H 'Content-Type: application/merge-patch+json'
	namespaces_show
}

namespaces_show()
{
	if [ -n "$want_json" ]; then
		jq . "$reply"
	else
		jq -r .name "$reply" | neutral
	fi
}

namespaces_rm()
{
	[ $# -gt 0 ] || usage_error "which namespaces?"
	failed=0
	for name in "$@"; do
		if http_try DELETE "/v1/namespaces/$(uri "$name")"; then
			printf '%s\n' "$name" | neutral
		else
			(http_fail) || failed=1
		fi
	done
	return $failed
}
