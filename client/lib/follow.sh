# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The output of a session, in the background.

# in_background NAME: in a shell that runs in the background. Signals are the
# client's alone; once $tmp/alive is gone, SIGUSR1 tells to end with all that
# was started. Who is told before he hears looks once himself.
in_background()
{
	shell=$1
	exec 9>&-
	http_deaf=$passed_signals
	# shellcheck disable=SC2086 # several
	trap '' $passed_signals
	trap 'end_jobs KILL' EXIT
	trap end_if_told USR1
	end_if_told
}

end_if_told()
{
	[ -e "$tmp/alive" ] || {
		end_jobs KILL
		exit 1
	}
}

# run_child NAME: after "… &", waits for it, and sets $child_status. False
# when the client has been killed: the note of the number, which is for who
# cleans up then (tty_watch), may have come too late.
run_child()
{
	child=$!
	child_status=0
	if echo "$child" 2>/dev/null >"$tmp/pid.$1" && [ -e "$tmp/alive" ]; then
		await "$child" || child_status=$?
		return 0
	fi
	kill -9 "$child" 2>/dev/null || :
	return 1
}

# session_follow QUERY: shows the output from $offset on: each stream to its
# own, or in one piece and so in order where both are the same. The first of
# $followers is that of stdout.
session_follow()
{
	if [ -n "$session_terminal" ] || is_one_output; then
		(follow_stream both "$1") &
		followers=$!
		return
	fi
	(follow_stream stderr "$1" >&2) &
	followers=$!
	(follow_stream stdout "$1") &
	followers="$! $followers"
}

# follow_stream STREAM OFFSET: until the process has ended. A daemon that
# restarts is waited for, and asked for the rest.
follow_stream()
{
	in_background "$1"
	seen=0
	while :; do
		# An offset counts both streams, so of one alone all is asked
		# for again.
		if [ "$1" = both ] || [ "$seen" = 0 ]; then
			skipped=0 skipper=''
			follow_from "$1" $(($2 + seen)) &
		else
			skipped=$seen seen=0
			rm -f "$tmp/again.$1"
			mkfifo "$tmp/again.$1"
			tail -c "+$((skipped + 1))" <"$tmp/again.$1" &
			skipper=$!
			follow_from "$1" "$2" >"$tmp/again.$1" &
		fi
		run_child "$1" || exit 0
		[ -z "$skipper" ] || await "$skipper" || exit 23
		case $child_status in
		7 | 18 | 52 | 55 | 56) ;;
		*) exit "$child_status" ;;
		esac
		got=$(sed -n '/^[0-9][0-9]*$/p' "$tmp/follow.$1")
		seen=$((seen + ${got:-0}))
		[ "$seen" -ge "$skipped" ] || seen=$skipped
		await_daemon || exit 7
	done
}

follow_from()
{
	http_exec "$session/output?follow=true&stream=$1&offset=$2" -N -f \
	    -w '%{stderr}%{size_download}\n' 2>"$tmp/follow.$1"
}

await_daemon()
{
	http_exec "$session" -o /dev/null --retry 30 --retry-delay 1 \
	    --retry-connrefused --retry-all-errors 2>/dev/null &
	run_child "again.$shell" && [ "$child_status" = 0 ]
}

# log_end: sets $offset to where what is written next will be: asking for
# what lies far behind it is answered with that.
log_end()
{
	! http_try GET "$session/output?offset=4611686018427387904" || return 0
	[ "$http_status" = 416 ] || http_fail
	offset=$(problem_field .offset)
}
