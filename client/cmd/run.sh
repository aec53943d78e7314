# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_run()
{
	. "$SKIFF_CLIENT/lib/options.sh"
	cat <<'HELP'
usage: skiff run [OPTION...] IMAGE [COMMAND [ARGUMENT...]]

Runs a command, or what the image says, in a new container: shows its
output and ends with its exit status. An image that is not here is pulled
first. Signals are passed on, Ctrl-C the second time as SIGKILL. With -it
the terminal is the container's, until the detach keys are typed.

  -d, --detach             print the container's name, and do not wait
  --rm                     remove the container when it has ended
  --detach-keys KEYS       ctrl-p,ctrl-q unless said otherwise; "": none
  --sig-proxy=false        signals end the client, not the container
HELP
	help_container_options
	cat <<'HELP'

Exit status: that of the command; 125 when Skiff fails, 126 when the command
cannot be run, 127 when it is not there.
HELP
}

cmd_run()
{
	. "$SKIFF_CLIENT/lib/create.sh"
	. "$SKIFF_CLIENT/lib/session.sh"
	failure_status=125
	container_wishes "$@"
	if [ -z "$detach" ]; then
		session_check "$terminal" "$interactive"
		case $wishes in
		*'"stdio":{'*'"mode":"null"'*)
			usage_error "--log-driver none leaves nothing to show;" \
			    "-d does not show it"
			;;
		esac
	fi
	create_container
	session=$namespace_path/tasks/$encoded_id
	http_try POST "$namespace_path/tasks" \
	    "{\"container\": $(json_text "$id")}" || run_fail
	if [ -n "$detach" ]; then
		http_try POST "$session/start" || run_fail
		printf '%s\n' "$id"
		[ -z "$remove" ] || remove_later
		return 0
	fi
	session_open "$session" "$terminal" "$interactive"
	session_first_size || run_fail
	session_follow 0
	http_try POST "$session/start" || run_fail
	session_feed
	session_wait
	if [ -n "$left" ]; then
		[ -z "$remove" ] || remove_later
		return "$left"
	fi
	session_status
	session_close
	trap '' HUP INT QUIT TERM
	[ -z "$remove" ] || remove_container "$encoded_id" 1 || http_fail
	return "$status"
}

# All or nothing: what cannot be started does not stay.
run_fail()
{
	cp "$reply" "$tmp/problem"
	session_close
	command_status
	remove_container "$encoded_id" 1 || :
	mv "$tmp/problem" "$reply"
	http_fail
}

remove_later()
{
	later remove_container "$encoded_id" ''
}
