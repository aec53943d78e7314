# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_label()
{
	cat <<'HELP'
usage: skiff label CONTAINER KEY=VALUE...

Sets labels of a container; an empty value removes the label. Without any
KEY=VALUE prints those that are set.
HELP
}

cmd_label()
{
	names_of_containers "$@"
	path=$namespace_path/containers/$(uri "$1")
	id=$1
	shift
	if [ $# = 0 ]; then
		http GET "$path"
		jq -r '.labels // {} | to_entries[] | "\(.key)=\(.value)"' \
		    "$reply" | neutral
		return
	fi
	for pair in "$@"; do
		case $pair in
		?*=*) ;;
		*) usage_error "not KEY=VALUE: $pair" ;;
		esac
	done
	http PATCH "$path" "$(jq -nc '{labels: ($ARGS.positional | map(
		split("=") | {(.[0]): (.[1:] | join("="))}) | add)}' \
	    --args -- "$@")"
	printf '%s\n' "$id" | neutral
}
