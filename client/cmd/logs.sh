# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_logs()
{
	cat <<'HELP'
usage: skiff logs [OPTION...] CONTAINER

Shows what a container wrote, to stdout and to stderr.

  -f, --follow    go on until the container ends
  --tail N        the last N lines
  --since WHEN    a time (RFC 3339) or a duration ago (10m, 1h30m)
  --until WHEN    the same; nothing later
  -t, --timestamps
HELP
}

cmd_logs()
{
	query='' id=''
	while [ $# -gt 0 ]; do
		case $1 in
		-f | --follow) query="$query&follow=true" ;;
		-t | --timestamps) query="$query&timestamps=true" ;;
		-ft | -tf) query="$query&follow=true&timestamps=true" ;;
		--tail | -n | --since | --until)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			case $1 in
			--since | --until)
				query="$query&${1#--}=$(since "$2")"
				;;
			*) query="$query&tail=$(uri "$2")" ;;
			esac
			shift
			;;
		--tail=*) query="$query&tail=$(uri "${1#*=}")" ;;
		--since=*) query="$query&since=$(since "${1#*=}")" ;;
		--until=*) query="$query&until=$(since "${1#*=}")" ;;
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
	http GET "$namespace_path/tasks/$id/logs?tail=0"
	follow_output "$id" "${query#&}"
}

# since WHEN: a duration becomes the time so long ago; percent-encoded.
since()
{
	case $1 in
	*T*:*) uri "$1" ;;
	*)
		jq -rn --arg text "$1" '
			{h: 3600, m: 60, s: 1} as $unit |
			if ($text | test("^([0-9]+[hms])+$")) then
				now - ([$text | scan("([0-9]+)([hms])") |
				(.[0] | tonumber) * $unit[.[1]]] | add) |
				todateiso8601 | @uri
			else $text | @uri end'
		;;
	esac
}

# follow_output ENCODED-ID QUERY: the output of a task on stdout and stderr,
# each to its own, or in one piece and so in order where both are the same.
follow_output()
{
	if [ "$(readlink /proc/self/fd/1 2>/dev/null)" = \
	    "$(readlink /proc/self/fd/2 2>/dev/null)" ]; then
		output_stream "$1" "$2"
		return
	fi
	output_stream "$1" "stream=stderr&$2" >&2 &
	stderr_pid=$!
	stream_status=0
	output_stream "$1" "stream=stdout&$2" || stream_status=$?
	wait "$stderr_pid" || stream_status=$?
	return $stream_status
}

output_stream()
{
	http_curl "$namespace_path/tasks/$1/logs?$2" -N -f \
	    -H 'Accept: text/plain'
}
