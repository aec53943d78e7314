# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_exec()
{
	cat <<'HELP'
usage: skiff exec [OPTION...] CONTAINER COMMAND [ARGUMENT...]

Runs a command in a container that runs, and ends with its exit status. With
-it the terminal is the command's, until the detach keys are typed.

  -d, --detach         do not wait
  -i, --interactive    pass stdin on
  -t, --tty            give it a terminal
  -e, --env KEY[=VALUE], --env-file FILE
  -w, --workdir DIR    -u, --user USER[:GROUP]
  --privileged         with all capabilities
  --detach-keys KEYS   ctrl-p,ctrl-q unless said otherwise; "": none
  --sig-proxy=false    signals end the client, not the command

Exit status: that of the command; 126 when it cannot be run, 127 when it is
not there, 1 when something else fails.
HELP
}

cmd_exec()
{
	. "$SKIFF_CLIENT/lib/options.sh"
	. "$SKIFF_CLIENT/lib/session.sh"
	container_options container "$@"
	[ -n "$detach" ] || session_check "$terminal" "$interactive"
	execs=$namespace_path/tasks/$(uri "$first")/execs
	if [ -n "$detach" ]; then
		http_try POST "$execs?start=true&remove=true" "$wishes" ||
		    exec_fail
		return 0
	fi
	http POST "$execs" "$wishes"
	session=$execs/$(jq -r '.id | @uri' "$reply")
	session_open "$session" "$terminal" "$interactive"
	session_first_size || exec_fail
	# Only now: of what cannot be run the runtime writes there, too.
	http_try POST "$session/start" || exec_fail
	session_follow 0
	session_feed
	session_wait
	if [ -n "$left" ]; then
		later http_curl "$session" -X DELETE
		return "$left"
	fi
	session_status
	session_close
	http_try DELETE "$session" || :
	return "$status"
}

exec_fail()
{
	cp "$reply" "$tmp/problem"
	session_close
	command_status
	[ -n "$detach" ] || http_try DELETE "$session" || :
	mv "$tmp/problem" "$reply"
	http_fail
}
