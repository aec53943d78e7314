# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# A process of a container, and this terminal or these pipes: its output is
# a followed GET, its input a POST, its signals and sizes are requests.
#
#	session_open PATH TERMINAL INTERACTIVE
#	session_follow QUERY
#	…what starts the process…
#	session_feed
#	session_wait; session_close
#
# PATH is that of a task or of an exec.

. "$SKIFF_CLIENT/lib/follow.sh"
. "$SKIFF_CLIENT/lib/tty.sh"
. "$SKIFF_CLIENT/lib/keys.sh"
. "$SKIFF_CLIENT/lib/output.sh"

passed_signals='HUP INT QUIT ALRM TERM USR1 USR2'
followers='' session_terminal=''

# session_check TERMINAL INTERACTIVE
session_check()
{
	[ -z "$1" ] || [ -z "$2" ] || [ -t 0 ] ||
	    die "the input is no terminal: -i without -t takes it"
	key_bytes "$detach_keys" >/dev/null ||
	    usage_error "--detach-keys are such as ctrl-p,ctrl-q, not" \
		"$detach_keys"
}

# session_of_task WANTED: the task in $reply says whether it has a terminal,
# and whether it takes the input that is WANTED, or nothing.
session_of_task()
{
	terminal=$(jq -r 'if .terminal then 1 else empty end' "$reply")
	interactive=$(jq -r --arg wanted "$1" \
	    'if .stdio.stdin == true then $wanted else empty end' "$reply")
	session_check "$terminal" "$interactive"
}

# command_status: what failing ends with, for the problem in $reply.
command_status()
{
	case $(problem_field '"\(.reason) \(.detail)"') in
	cwd_not_found* | argument_list_too_long* | \
	    *exec*': permission denied' | *'xec format error')
		failure_status=126
		;;
	executable_not_found*) failure_status=127 ;;
	esac
}

session_open()
{
	session=$1 session_terminal=$2 session_input=$3
	n_interrupts=0
	exec 3<&0
	at_end=session_close
	[ -z "$session_terminal" ] || [ -z "$session_input" ] || tty_raw
	tty_watch
	if [ -n "$session_terminal" ]; then
		[ ! -t 3 ] || trap session_resize WINCH
		return
	fi
	[ -n "$sig_proxy" ] || return 0
	http_deaf=$passed_signals
	for name in $passed_signals; do
		# shellcheck disable=SC2064 # the name of now
		trap "send_signal SIG$name" "$name"
	done
	trap on_interrupt INT
}

send_signal()
{
	http_background POST kill "{\"signal\":\"$1\"}"
}

session_resize()
{
	[ -z "$session_terminal" ] || [ ! -t 3 ] ||
	    http_background POST resize "$(tty_size)"
}

# session_redraw: another size for a moment, upon which a shell shows its
# prompt again and an editor its page; one that has just been detached from
# would show nothing until a key is typed.
session_redraw()
{
	if [ -n "$session_terminal" ] && [ -t 3 ]; then
		http_try POST "$session/resize" "$(tty_size 1)" || return 0
		http_try POST "$session/resize" "$(tty_size)" || :
	fi
}

# session_first_size: before the process starts, so that it never sees
# another. False with the problem in $reply.
session_first_size()
{
	[ -z "$session_terminal" ] || [ ! -t 3 ] ||
	    http_try POST "$session/resize" "$(tty_size)"
}

# http_background METHOD STEP JSON: not a job of this shell, so that $!
# stays what it is, whenever the signal comes.
http_background()
{
	(
		exec 9>&-
		http_deaf=$passed_signals
		http_exec "$session/$2" -X "$1" \
		    -H 'Content-Type: application/json' -d "$3" \
		    -m 30 -o /dev/null >/dev/null 2>&1 &
	)
}

on_interrupt()
{
	n_interrupts=$((n_interrupts + 1))
	case $n_interrupts in
	1) send_signal SIGINT ;;
	2) send_signal SIGKILL ;;
	*) leave 130 ;;
	esac
}

session_feed()
{
	[ -n "$session_input" ] || return 0
	if [ -n "$session_terminal" ]; then
		(feed_keys) &
	else
		(
			in_background stdin
			http_exec "$session/stdin?eof=true" -X POST -T - \
			    -H 'Content-Type: application/octet-stream' \
			    -o /dev/null <&3 2>/dev/null &
			run_child stdin
		) &
	fi
}

# session_wait: until all output is here, or the client leaves the process
# alone, with the exit status $left: when the detach keys were typed, or its
# output cannot be written (23).
session_wait()
{
	follow_failed=0 left=
	await "${followers%% *}" || follow_failed=$awaited
	if [ "$follow_failed" = 23 ]; then
		session_close
		unwritten
		return
	fi
	for pid in ${followers#"${followers%% *}"}; do
		await "$pid" || follow_failed=$awaited
	done
	followers=
	if [ -e "$tmp/detached" ]; then
		session_close
		left=0
		[ -z "$session_terminal" ] || echo >&2
		echo "skiff: detached" >&2
		return
	fi
	case $follow_failed in
	0 | 23) ;;
	22) # The daemon says why.
		session_close
		http GET "$session/output?offset=0"
		die "the output cannot be followed"
		;;
	*)
		session_close
		die "the output broke off; the container has not ended:" \
		    "skiff attach shows more"
		;;
	esac
}

# session_status: sets $status to the exit status of the process.
session_status()
{
	(
		in_background status
		http_exec "$session/wait" --retry 30 --retry-delay 1 \
		    --retry-connrefused -o "$tmp/end" 2>"$tmp/curl" &
		run_child status && exit "$child_status"
	) &
	await $! || http_unreachable
	status=$(sed -n 's/.*"exit_status": *\([0-9][0-9]*\).*/\1/p' "$tmp/end")
	[ -n "$status" ] || {
		cp "$tmp/end" "$reply"
		http_fail
	}
}

# session_close: ends what runs in the background, and gives the terminal
# back. Done when the client ends in any way.
session_close()
{
	trap - WINCH
	rm -f "$tmp/alive"
	end_jobs USR1
	followers=
	tty_restore
	tty_watch_end
}

# later COMMAND...: when the process of the session has ended. Nobody else
# waits for that, so something in the background does, which is no job of
# this shell and so does not end with it.
later()
{
	(
		trap '' HUP INT QUIT TERM
		# Not at the call of the function: what a shell puts by then
		# is held, and who reads this client's output would wait.
		exec </dev/null >/dev/null 2>&1 3<&- 9<&-
		when_ended "$@" &
	)
}

when_ended()
{
	tmp=$(mktemp -d "${TMPDIR:-/tmp}/skiff.XXXXXX")
	reply=$tmp/reply
	trap 'rm -rf "$tmp"' EXIT
	http_curl "$session/wait" --retry 60 --retry-delay 2 \
	    --retry-all-errors && "$@"
}
