# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# How the client ends: nothing stays, whenever a signal comes, not even in the
# midst of cleaning up. A shell heeds signals between its commands.

tmp=

# What ends the processes in the background; sessions have a way of their own.
at_end='end_jobs TERM'

# Which shell this is, the client or one of those in the background.
shell=client

# on_signals COMMAND: what ends the client, given the status to end with.
on_signals()
{
	for ending in HUP:129 INT:130 QUIT:131 TERM:143; do
		# shellcheck disable=SC2064 # the command of now
		trap "$1 ${ending#*:}" "${ending%:*}"
	done
}

# leave STATUS: "exit" does not do in the trap of a signal, since it would cut
# short a trap of EXIT that has begun.
leave()
{
	clean_up
	exit "$1"
}

# May be called again in the midst of itself.
clean_up()
{
	trap '' HUP INT QUIT TERM
	set +e
	[ -n "$tmp" ] || return 0
	$at_end
	rm -rf "$tmp"
	tmp=
}

# end_jobs SIGNAL: ends what this shell has in the background, and waits for
# it. The shell itself says what that is: between "&" and a note of $! a
# signal may come, and what has ended may be another process by now. One that
# cannot hear it yet looks for the file once it can (http_begin).
end_jobs()
{
	true 2>/dev/null >"$tmp/ending" || :
	jobs -l 2>/dev/null >"$tmp/jobs.$shell" || return 0
	running=$(sed -n \
	    's/^[^]]*\][ +-]*\([0-9][0-9]*\) *Running.*/\1/p' "$tmp/jobs.$shell")
	for pid in $running; do
		kill "-$1" "$pid" 2>/dev/null || :
	done
	for pid in $running; do
		await "$pid" || :
	done
}

# await PID: its exit status; a trapped signal ends "wait", not the process.
await()
{
	while :; do
		awaited=0
		wait "$1" 2>/dev/null || awaited=$?
		[ "$awaited" -gt 128 ] && kill -0 "$1" 2>/dev/null ||
		    return "$awaited"
	done
}
