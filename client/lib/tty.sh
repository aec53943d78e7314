# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The client's terminal: raw while a container has it, followed in its size,
# and given back whatever happens. It is on descriptor 3, since a shell takes
# descriptor 0 from what it runs in the background.

saved_tty='' watched=''

tty_raw()
{
	saved_tty=$(stty -g <&3) || die "cannot read the terminal's settings"
	stty raw -echo -iexten <&3
	raw_tty=$(stty -g <&3)
}

tty_restore()
{
	[ -n "$saved_tty" ] || return 0
	stty "$saved_tty" <&3 2>/dev/null || :
	saved_tty=
}

# tty_size [MORE]: as the API takes it, with so many rows more.
tty_size()
{
	more=${1-0}
	# shellcheck disable=SC2046 # rows and columns
	set -- $(stty size <&3 2>/dev/null)
	if [ "${1:-0}" = 0 ] || [ "${2:-0}" = 0 ]; then
		set -- 24 80
	fi
	printf '{"width":%d,"height":%d}' "$2" "$(($1 + more))"
}

# tty_watch: a process that lives as long as descriptor 9 is open. When the
# client ends without a word, killed by what it cannot catch, it ends the
# others and restores the terminal, unless somebody else has set it by then.
tty_watch()
{
	mkfifo "$tmp/alive"
	# For both, so that nobody waits for another to open it.
	exec 9<>"$tmp/alive"
	watched=1
	(
		# shellcheck disable=SC2086 # several
		trap '' $passed_signals
		tty_watcher >/dev/null 2>&1 &
	)
}

tty_watcher()
{
	# Where it is gone, the client has ended well.
	exec 8<"$tmp/alive"
	exec 9>&-
	! read -r _ <&8 || exit 0
	rm -f "$tmp/alive"
	# Some may have ended by themselves.
	cat "$tmp"/pid.* | xargs kill -9 || :
	[ -z "$saved_tty" ] || [ "$(stty -g <&3)" != "$raw_tty" ] ||
	    stty "$saved_tty" <&3 || :
	# Others are about to, and have a last word to write.
	for _ in 1 2 3 4 5; do
		! rm -rf "$tmp" || break
		sleep 0.2
	done
}

# tty_watch_end: all went well.
tty_watch_end()
{
	[ -n "$watched" ] || return 0
	watched=
	echo >&9
	exec 9>&-
}

# key_bytes TEXT: "ctrl-p,ctrl-q" as the bytes that are typed.
key_bytes()
{
	names=$1,
	while [ -n "$names" ]; do
		name=${names%%,*}
		names=${names#*,}
		case $name in
		ctrl-[]a-zA-Z@[\\^_])
			code=$(printf '%d' "'${name#ctrl-}")
			# shellcheck disable=SC2059 # an escape for printf
			printf "\\$(printf '%03o' $((code & 31)))"
			;;
		?) printf '%s' "$name" ;;
		'') ;;
		*) return 1 ;;
		esac
	done
}
