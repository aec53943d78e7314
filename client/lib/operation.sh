# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Following an operation by its server-sent events.

# pull_image REF JSON: posts a pull and shows its progress on stderr until
# it has ended. True when it succeeded; the operation is in $reply then,
# else the problem.
pull_image()
{
	printf '%s' "$2" >"$tmp/body"
	rows=0 columns=0
	if [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; then
		rows=$(stty size <&2 2>/dev/null) || rows=
		columns=${rows#* } rows=${rows% *}
		[ "${rows:-0}" -gt 0 ] || rows=24 columns=80
	fi
	: >"$tmp/stream"
	mkfifo "$tmp/answer"
	on_signals pull_cancel
	pull_show <"$tmp/answer" &
	shower=$!
	http_begin "$namespace_path/images/pull" -N -X POST \
	    -H 'Accept: text/event-stream' \
	    -H 'Content-Type: application/json' \
	    --data-binary "@$tmp/body" -w '\n%{http_code}\n' \
	    >"$tmp/answer" 2>"$tmp/curl"
	curl_failed=
	wait "$!" || curl_failed=1
	wait "$shower" || :
	on_signals leave
	[ -z "$curl_failed" ] || [ -s "$tmp/stream" ] || http_unreachable
	sed -n 's/^data: *//p' "$tmp/stream" | tail -n 1 >"$reply"
	if [ ! -s "$reply" ]; then
		# No event: the answer is a problem, and curl's last line.
		sed '$d' "$tmp/stream" >"$reply"
		return 1
	fi
	case $(jq -r .state "$reply") in
	succeeded) return 0 ;;
	failed | cancelled)
		jq '.error // {detail: "the pull was cancelled"}' "$reply" \
		    >"$tmp/problem"
		mv "$tmp/problem" "$reply"
		return 1
		;;
	*)
		die "the connection to $SKIFF_HOST broke; the pull goes on:" \
		    "operation $(jq -r .id "$reply")"
		;;
	esac
}

# In the background: keeps the answer, and draws it; ends with the answer.
pull_show()
{
	trap '' HUP INT QUIT TERM
	tee "$tmp/stream" | sed -u -n 's/^data: *//p' |
	    if [ -n "${quiet-}" ]; then
		cat >/dev/null
	else
		jq -n -j --unbuffered --argjson rows "$rows" \
		    --argjson columns "$columns" \
		    -f "$SKIFF_CLIENT/lib/progress.jq" >&2
	fi
}

# pull_cancel STATUS: nobody waits for it any more.
pull_cancel()
{
	trap '' HUP INT QUIT TERM
	end_jobs TERM
	operation=$(sed -n 's/^data: *//p' "$tmp/stream" | head -n 1 |
	    jq -r '.id // empty')
	[ -z "$operation" ] ||
	    ! http_try DELETE "$namespace_path/operations/$operation" ||
	    echo "skiff: the pull is cancelled" >&2
	leave "$1"
}

# pull_body REF PLATFORM USER:PASSWORD NAME
pull_body()
{
	jq -nc --arg ref "$1" --arg platform "$2" --arg user "$3" \
	    --arg name "$4" '{ref: $ref}
		+ if $platform == "" then {} else {platform: $platform} end
		+ if $name == "" then {} else {name: $name} end
		+ if $user == "" then {} else {auth: ($user | index(":") as $at
			| {username: .[0:$at // length],
			   password: .[($at // length - 1) + 1:]})} end'
}
