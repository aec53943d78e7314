# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_events()
{
	cat <<'HELP'
usage: skiff events [-a] [--after ID] [--no-follow] [--json]

Shows events of the namespace as they happen.

  -a, --all-namespaces   of every namespace
  --after ID             first those after this one (0: all that are kept)
  --no-follow            end after the last one that happened
HELP
}

cmd_events()
{
	path=$namespace_path/events after='' follow=1
	while [ $# -gt 0 ]; do
		case $1 in
		-a | --all-namespaces) path=/v1/events ;;
		--after)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			after=$2
			shift
			;;
		--after=*) after=${1#*=} ;;
		--no-follow) follow= ;;
		--json) want_json=1 ;;
		*) usage_error "unknown argument $1" ;;
		esac
		shift
	done
	# Without a beginning, --no-follow would show nothing.
	[ -n "$follow" ] || : "${after:=0}"
	query=${after:+"&after=$(uri "$after")"}
	[ -n "$follow" ] || query="$query&follow=false"
	[ -z "$query" ] || path="$path?${query#&}"
	# One JSON object a line, or a problem document in place of them.
	mkfifo "$tmp/events"
	sed -u -e 's/^data: *//' -e '/^{/!d' <"$tmp/events" | events_show &
	shower=$!
	http_begin "$path" -N -H 'Accept: text/event-stream' >"$tmp/events" \
	    2>"$tmp/curl"
	curl_status=0
	wait "$!" || curl_status=$?
	wait "$shower" || :
	# 23: nobody reads it.
	case $curl_status in
	0 | 23) ;;
	*) http_unreachable ;;
	esac
	[ ! -e "$tmp/bad" ] || exit 1
}

events_show()
{
	if [ -n "$want_json" ]; then
		cat
		return
	fi
	jq -r --unbuffered 'def plain: gsub("[\\x{00}-\\x{1f}\\x{7f}-\\x{9f}]"; "?");
		if .topic then
			[.timestamp, .namespace // "", .topic,
			 (.event // {} | to_entries | map(select(.value |
			 type != "object" and type != "array") |
			 "\(.key)=\(.value)") | join(" "))] | map(tostring) |
			 join(" ") | plain
		elif .detail then
			"skiff: \(.detail)\n" | plain | halt_error(1)
		else empty end' || : >"$tmp/bad"
}
