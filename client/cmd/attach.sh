# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_attach()
{
	cat <<'HELP'
usage: skiff attach [OPTION...] CONTAINER

Shows what a container that runs writes from now on, passes on what is typed
and the signals, and ends with its exit status. Any number may be attached.

  --no-stdin          show only
  --detach-keys KEYS  of a terminal: ctrl-p,ctrl-q unless said otherwise
  --sig-proxy=false   signals end the client, not the container
HELP
}

cmd_attach()
{
	. "$SKIFF_CLIENT/lib/options.sh"
	. "$SKIFF_CLIENT/lib/session.sh"
	wanted=1 sig_proxy=1 detach_keys=ctrl-p,ctrl-q
	while [ $# -gt 0 ]; do
		case $1 in
		--no-stdin) wanted= ;;
		--sig-proxy) sig_proxy=1 ;;
		--sig-proxy=*)
			boolean --sig-proxy "${1#*=}"
			sig_proxy=$value
			;;
		--detach-keys=*) detach_keys=${1#*=} ;;
		--detach-keys)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			detach_keys=$2
			shift
			;;
		-*) usage_error "unknown option $1" ;;
		*) break ;;
		esac
		shift
	done
	[ $# = 1 ] || usage_error "one container, please"
	session=$namespace_path/tasks/$(uri "$1")
	http GET "$session"
	case $(jq -r .state "$reply") in
	stopped) die "$1 does not run: skiff start $1, or skiff logs $1" ;;
	esac
	session_of_task "$wanted"
	# Who only looks on has no say in the terminal's size.
	if [ -n "$terminal" ] && [ -z "$wanted" ]; then
		terminal='' sig_proxy=''
	fi
	log_end
	session_open "$session" "$terminal" "$interactive"
	session_follow "$offset"
	session_redraw
	session_feed
	session_wait
	[ -z "$left" ] || return "$left"
	session_status
	return "$status"
}
