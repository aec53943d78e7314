# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_rm()
{
	cat <<'HELP'
usage: skiff rm [-f] CONTAINER...

Removes containers and prints their names; -f also those that run.
HELP
}

cmd_rm()
{
	force=
	while [ $# -gt 0 ]; do
		case $1 in
		-f | --force) force=1 ;;
		-*) usage_error "unknown option $1" ;;
		*) break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || usage_error "which containers?"
	failed=0
	for id in "$@"; do
		if remove_container "$(uri "$id")" "$force"; then
			printf '%s\n' "$id" | neutral
		else
			(http_fail) || failed=1
		fi
	done
	return $failed
}
