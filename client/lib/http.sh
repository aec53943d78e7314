# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Requests to the daemon, by curl. Results are files below $tmp.

http_setup()
{
	: "${SKIFF_HOST:=unix:///run/skiff/skiff.sock}"
	: "${SKIFF_NAMESPACE:=default}"
	case $SKIFF_HOST in
	unix://*)
		http_socket=${SKIFF_HOST#unix://}
		http_base=http://localhost
		;;
	unix:*)
		http_socket=${SKIFF_HOST#unix:}
		http_base=http://localhost
		;;
	tcp://*)
		http_socket=
		http_base=http://${SKIFF_HOST#tcp://}
		;;
	http://* | https://*)
		http_socket=
		http_base=$SKIFF_HOST
		;;
	*) die "SKIFF_HOST is unix:///PATH or tcp://ADDRESS:PORT, not $SKIFF_HOST" ;;
	esac
	namespace_path=/v1/namespaces/$(uri "$SKIFF_NAMESPACE")
	trap clean_up EXIT
	on_signals leave
	tmp=$(mktemp -d "${TMPDIR:-/tmp}/skiff.XXXXXX")
	reply=$tmp/reply
}

# uri TEXT: percent-encoded as one path segment.
uri()
{
	case $1 in
	*[!A-Za-z0-9._~-]*) jq -rn --arg text "$1" '$text | @uri' ;;
	*) printf '%s\n' "$1" ;;
	esac
}

# json_text TEXT: as a JSON string.
json_text()
{
	case $1 in
	*[!A-Za-z0-9._/:~-]*) jq -n --arg text "$1" '$text' ;;
	*) printf '"%s"\n' "$1" ;;
	esac
}

# Signals that do not end curl, but are the client's alone to deal with.
http_deaf=

# http_exec PATH [CURL-ARGUMENT...]: becomes curl, so that in the background
# $! is curl's own process.
http_exec()
{
	# shellcheck disable=SC2086 # several
	[ -z "$http_deaf" ] || trap '' $http_deaf
	path=$1
	shift
	if [ -n "$http_socket" ]; then
		exec curl -sS --unix-socket "$http_socket" "$@" \
		    "$http_base$path"
	else
		exec curl -sS "$@" "$http_base$path"
	fi
}

# http_curl PATH [CURL-ARGUMENT...]
http_curl()
{
	(http_exec "$@")
}

# http_begin PATH [CURL-ARGUMENT...]: for what may take as long as it likes.
# It runs in the background, $! is its number, and it ends with the client: a
# shell heeds a signal between its commands alone, or while it waits.
http_begin()
{
	{
		# A signal that came before the child's own traps is lost.
		[ ! -e "$tmp/ending" ] || exit 143
		http_exec "$@"
	} &
}

# http_try METHOD PATH [JSON [CURL-ARGUMENT...]]: the body goes to $reply,
# the status to $http_status; true when it is 2xx.
http_try()
{
	method=$1
	target=$2
	if [ $# -gt 2 ]; then
		body=$3
		shift 3
		printf '%s' "$body" >"$tmp/body"
		set -- -H 'Content-Type: application/json' \
		    --data-binary "@$tmp/body" "$@"
	else
		shift 2
	fi
	: >"$reply"
	http_status=$(http_exec "$target" -X "$method" -o "$reply" \
	    -w '%{http_code}' "$@" 2>"$tmp/curl") || http_unreachable
	case $http_status in
	2??) return 0 ;;
	*) return 1 ;;
	esac
}

http_unreachable()
{
	why=$(sed 's/^curl: *([0-9]*) *//' "$tmp/curl")
	case $why in
	'Failed to connect'* | "Couldn't connect"*)
		if [ -e "$http_socket" ] && [ ! -w "$http_socket" ]; then
			why="permission denied"
		else
			why="is skiffd running? -H or SKIFF_HOST says where"
		fi
		;;
	esac
	die "no answer from $SKIFF_HOST: $why"
}

# http METHOD PATH [JSON]: as http_try, but ends the client when it fails.
http()
{
	http_try "$@" || http_fail
}

http_fail()
{
	printf 'skiff: %s\n' "$(problem_text "$reply")" | neutral >&2
	advice >&2
	exit "$failure_status"
}

# advice: what to do about the problem in $reply, for those that are common.
advice()
{
	case $(problem_field '"\(.code) \(.reason) \(.object.kind)"') in
	*' task_exists container') echo "Try: skiff rm -f" ;;
	*' image_not_unpacked '*) echo "Try: skiff pull" ;;
	*' execs_running '*) echo "Try: skiff top" ;;
	*' mount_source_not_found '*)
		problem_field '.detail | capture("mount source (?<path>/.*): not found") |
			"Try: mkdir -p \(.path | @sh)"'
		;;
	already_exists*' container')
		echo "Try: skiff rm $(problem_field .object.id | neutral)," \
		    "or another --name"
		;;
	*' task_state '*) advice_of_state ;;
	not_found*' task') advice_without_task ;;
	not_found*' container') echo "Try: skiff ps -a" ;;
	not_found*' image') echo "Try: skiff images ls, or skiff pull" ;;
	esac
}

# advice_of_state: what comes before what was refused.
advice_of_state()
{
	advised=$(problem_field .object.id | neutral)
	case $verb:$(problem_field .state) in
	start:* | restart:* | pause:paus* | resume:*) ;;
	rename:*) echo "Try: skiff stop $advised" ;;
	*:stopped | *:created) echo "Try: skiff start $advised" ;;
	*:paus*) echo "Try: skiff resume $advised" ;;
	esac
}

# advice_without_task: the container may be there all the same.
advice_without_task()
{
	advised=$(problem_field .object.id)
	if [ -n "$advised" ] &&
	    http_try GET "$namespace_path/containers/$(uri "$advised")"; then
		echo "Try: skiff start $advised" | neutral
	else
		echo "Try: skiff ps -a"
	fi
}

# problem_field FILTER: a field of the problem in $reply, or nothing.
problem_field()
{
	jq -r "$1 // empty" "$reply" 2>/dev/null || :
}

# http_list PATH: every item of all pages, one a line, in $tmp/items.
http_list()
{
	: >"$tmp/items"
	cursor=
	while :; do
		http GET "$1${cursor:+?cursor=$cursor}"
		jq -c '.items[]' "$reply" >>"$tmp/items" ||
		    die "the answer to $1 is no list"
		cursor=$(jq -r '.cursor // empty | @uri' "$reply")
		[ -n "$cursor" ] || return 0
	done
}
