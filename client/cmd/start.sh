# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_start()
{
	cat <<'HELP'
usage: skiff start CONTAINER...
       skiff start -a [-i] CONTAINER

Starts containers, also those that have ended, and prints their names.

  -a, --attach        show the output, and end with the exit status
  -i, --interactive   the same, and pass stdin on; a terminal becomes the
                      container's if it was made with -t
  --detach-keys KEYS  ctrl-p,ctrl-q unless said otherwise
HELP
}

cmd_start()
{
	. "$SKIFF_CLIENT/lib/options.sh"
	. "$SKIFF_CLIENT/lib/session.sh"
	attach='' interactive='' sig_proxy=1 detach_keys=ctrl-p,ctrl-q
	while [ $# -gt 0 ]; do
		case $1 in
		-a | --attach) attach=1 ;;
		-i | --interactive) interactive=1 ;;
		--detach-keys=*) detach_keys=${1#*=} ;;
		--detach-keys)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			detach_keys=$2
			shift
			;;
		--checkpoint | --checkpoint=* | --checkpoint-dir*)
			usage_error "$1: skiff restore CHECKPOINT CONTAINER"
			;;
		-*) usage_error "unknown option $1" ;;
		*) break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || usage_error "which containers?"
	if [ -z "$attach$interactive" ]; then
		each_container start_container "$@"
		return
	fi
	[ $# = 1 ] || usage_error "one container, please"
	id=$1
	start_attached "$(uri "$1")"
}

# What runs already is no fault.
start_container()
{
	ready_container "$1" || return 1
	[ "$step" = none ] ||
	    http_try POST "$namespace_path/tasks/$1/$step"
}

start_attached()
{
	session=$namespace_path/tasks/$1
	offset=0
	ready_container "$1" || http_fail
	session_of_task "$interactive"
	[ "$step" != none ] || die "$id runs already: skiff attach $id"
	[ "$step" = start ] || log_end
	session_open "$session" "$terminal" "$interactive"
	session_first_size
	http_try POST "$session/$step" || {
		session_close
		command_status
		http_fail
	}
	session_follow "$offset"
	session_feed
	session_wait
	[ -z "$left" ] || return "$left"
	session_status
	return "$status"
}
