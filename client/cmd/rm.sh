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
	each_container rm_container "$@"
}

rm_container()
{
	remove_container "$1" "$force"
}
