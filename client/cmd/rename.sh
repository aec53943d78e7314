# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_rename()
{
	cat <<'HELP'
usage: skiff rename CONTAINER NAME

Gives a container another name. It must not run then; what it wrote and how
it ended stay with it.
HELP
}

cmd_rename()
{
	names_of_containers "$@"
	[ $# = 2 ] || usage_error "a container and its new name"
	http POST "$namespace_path/containers/$(uri "$1")/rename" \
	    "$(jq -nc --arg id "$2" '{id: $id}')"
	printf '%s\n' "$2" | neutral
}
