# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_rm()
{
	cat <<'HELP'
usage: skiff rm [-f] CONTAINER...

Removes containers and prints their names; -f also those that run.
What they wrote goes with them (-v is taken, and changes nothing).
HELP
}

cmd_rm()
{
	force=
	while [ $# -gt 0 ]; do
		case $1 in
		-f | --force) force=1 ;;
		-v | --volumes) ;; # nothing is left of a container's own
		-l | --link) usage_error "$1: there are no links" ;;
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
