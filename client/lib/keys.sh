# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What is typed at a terminal goes to one long request, each key at once,
# until the detach keys come. All of it runs in the background.

feed_keys()
{
	in_background stdin
	trap '' PIPE
	LC_ALL=C
	keys=$(key_bytes "$detach_keys")
	held=''
	mkfifo "$tmp/stdin"
	feed_open
	while read_keys && pass_keys; do :; done
	feed_end
	kill -9 "$stdin_pid" 2>/dev/null || :
}

feed_open()
{
	http_exec "$session/stdin" -X POST -T - -o /dev/null \
	    -H 'Content-Type: application/octet-stream' \
	    <"$tmp/stdin" >/dev/null 2>&1 &
	stdin_pid=$!
	echo "$stdin_pid" >"$tmp/pid.stdin"
	exec 8>"$tmp/stdin"
}

# What was typed still arrives, unless nobody reads it.
feed_end()
{
	exec 8>&-
	(sleep 2 && kill -9 "$stdin_pid") >/dev/null 2>&1 &
	guard=$!
	await "$stdin_pid" || :
	kill -9 "$guard" 2>/dev/null || :
}

# feed FILE: the request is made again when it broke off.
feed()
{
	! feed_once "$1" || return 0
	exec 8>&-
	await "$stdin_pid" || :
	await_daemon || return 1
	feed_open
	feed_once "$1"
}

# In the background, too, since a signal is to end it: it takes long while
# the process in the container reads nothing.
feed_once()
{
	cat "$1" >&8 2>/dev/null &
	run_child feed && [ "$child_status" = 0 ]
}

# One read of the terminal, in $tmp/keys; false at its end.
read_keys()
{
	dd bs=4096 count=1 of="$tmp/keys" <&3 2>/dev/null &
	run_child keys && [ -s "$tmp/keys" ]
}

# pass_keys: keeps back what may become the detach keys; false when it has.
pass_keys()
{
	typed=$held$(cat "$tmp/keys" && echo .)
	typed=${typed%.}
	if [ -n "$keys" ]; then
		case $typed in
		*"$keys"*)
			printf '%s' "${typed%%"$keys"*}" >"$tmp/typed"
			feed "$tmp/typed" || :
			session_detach
			return 1
			;;
		esac
	fi
	kept_before=$held
	held=${keys%?}
	while [ -n "$held" ]; do
		case $typed in *"$held") break ;; esac
		held=${held%?}
	done
	if [ -z "$held$kept_before" ]; then
		feed "$tmp/keys"
	else
		printf '%s' "${typed%"$held"}" >"$tmp/typed"
		feed "$tmp/typed"
	fi
}

# The client learns of it by the end of its followers; what was typed before
# is still sent.
session_detach()
{
	: >"$tmp/detached"
	trap '' USR1
	rm -f "$tmp/alive"
	# shellcheck disable=SC2086 # several
	kill -USR1 $followers 2>/dev/null || :
}
