# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_kill()
{
	cat <<'HELP'
usage: skiff kill [-s SIGNAL] [--all] CONTAINER...

Sends a signal (SIGKILL unless -s says another, by name or number) to the
first process of each container, with --all to every one.
HELP
}

cmd_kill()
{
	signal=SIGKILL everyone=false
	while [ $# -gt 0 ]; do
		case $1 in
		-s | --signal)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			signal=$2
			shift
			;;
		--signal=*) signal=${1#*=} ;;
		--all) everyone=true ;;
		-*) usage_error "unknown option $1" ;;
		*) break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || usage_error "which containers?"
	body=$(jq -nc --arg signal "$signal" --argjson all "$everyone" \
	    '{signal: $signal} + if $all then {all: true} else {} end')
	each_container kill_container "$@"
}

kill_container()
{
	http_try POST "$namespace_path/tasks/$1/kill" "$body"
}
