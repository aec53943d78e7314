# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_wait()
{
	cat <<'HELP'
usage: skiff wait [--timeout TIME] CONTAINER...

Waits until containers have ended, and prints the exit status of each, one
a line. With --timeout (10s, 1m30s) it fails when that takes longer.
HELP
}

cmd_wait()
{
	query=
	while [ $# -gt 0 ]; do
		case $1 in
		--timeout)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			query="?timeout=$(uri "$2")"
			shift
			;;
		--timeout=*) query="?timeout=$(uri "${1#*=}")" ;;
		-*) usage_error "unknown option $1" ;;
		*) break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || usage_error "which containers?"
	failed=0
	for id in "$@"; do
		wait_container "$(uri "$id")" || failed=1
	done
	return $failed
}

wait_container()
{
	http_begin "$namespace_path/tasks/$1/wait$query" -o "$reply" \
	    -w '%{http_code}' >"$tmp/status" 2>"$tmp/curl"
	wait "$!" || http_unreachable
	case $(cat "$tmp/status") in
	2??) jq -r .exit_status "$reply" ;;
	*) (http_fail) ;;
	esac
}
