# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_logs()
{
	cat <<'HELP'
usage: skiff logs [OPTION...] CONTAINER

Shows what a container wrote, to stdout and to stderr.

  -f, --follow    go on until the container ends
  -n, --tail N    the last N lines
  --since WHEN    a time (RFC 3339, a day, or seconds since 1970; UTC if it
                  does not say) or a duration ago (10m, 1h30m)
  --until WHEN    the same; nothing later
  -t, --timestamps
HELP
}

cmd_logs()
{
	. "$SKIFF_CLIENT/lib/output.sh"
	query='' when='' id=''
	while [ $# -gt 0 ]; do
		case $1 in
		-f | --follow) query="$query&follow=true" ;;
		-t | --timestamps) query="$query&timestamps=true" ;;
		--tail | -n | --since | --until)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			case $1 in
			--since | --until)
				when="$when&${1#--}=$(since "$2")"
				;;
			*) query="$query$(tail_query "$2")" ;;
			esac
			shift
			;;
		--tail=*) query="$query$(tail_query "${1#*=}")" ;;
		--since=*) when="$when&since=$(since "${1#*=}")" ;;
		--until=*) when="$when&until=$(since "${1#*=}")" ;;
		--details) usage_error "$1: nothing but the output is kept" ;;
		-*) usage_error "unknown option $1" ;;
		*)
			[ -z "$id" ] || usage_error "one container, please"
			id=$1
			;;
		esac
		shift
	done
	[ -n "$id" ] || usage_error "which container?"
	id=$(uri "$id")
	# Asked first, so that what is wrong is said once and in words.
	http GET "$namespace_path/tasks/$id/logs?tail=0$when"
	query=$query$when
	follow_output "$id" "${query#&}"
}

tail_query()
{
	case $1 in
	all) ;;
	'' | *[!0-9]*) usage_error "--tail is a number or all, not $1" ;;
	*) echo "&tail=$1" ;;
	esac
}

# since WHEN: a time as the API takes it, percent-encoded: a duration is the
# time so long ago, a number counts seconds from 1970 on, a day begins at
# midnight.
since()
{
	case $1 in
	*T*:*[Z+]* | *T*:*-*) uri "$1" ;;
	*)
		jq -rn --arg text "$1" '
			{h: 3600, m: 60, s: 1} as $unit |
			if $text | test("^([0-9]+([.][0-9]+)?[hms])+$") then
				now - ([$text | scan("([0-9.]+)([hms])") |
				(.[0] | tonumber) * $unit[.[1]]] | add) |
				todateiso8601
			elif $text | test("^[0-9]+([.][0-9]+)?$") then
				$text | tonumber | todateiso8601
			elif $text | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}$") then
				"\($text)T00:00:00Z"
			elif $text | test("^[0-9-]+T[0-9:.]+$") then
				"\($text)Z"
			else $text end | @uri'
		;;
	esac
}

# follow_output ENCODED-ID QUERY: the output of a task on stdout and stderr,
# each to its own, or in one piece and so in order where both are the same.
follow_output()
{
	if is_one_output; then
		output_stream both "$1" "$2"
		output_end both "$!"
		return
	fi
	output_stream stderr "$1" "stream=stderr&$2" >&2
	stderr_pid=$!
	output_stream stdout "$1" "stream=stdout&$2"
	output_end stdout "$!"
	output_end stderr "$stderr_pid"
}

# output_stream NAME ENCODED-ID QUERY
output_stream()
{
	http_begin "$namespace_path/tasks/$2/logs?$3" -N -f \
	    --stderr "$tmp/curl.$1" -H 'Accept: text/plain'
}

# output_end NAME PID: ends the client when not all of it came.
output_end()
{
	left=0
	wait "$2" || left=$?
	case $left in
	0) return ;;
	23) unwritten ;;
	*) cat "$tmp/curl.$1" >&2 ;;
	esac
	leave "$left"
}
