# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# How the client fails: one line on stderr, the daemon's own words.

# What failing ends with: 1, but 125 inside "run", as with docker.
failure_status=1

die()
{
	printf 'skiff: %s\n' "$*" | neutral >&2
	exit "$failure_status"
}

usage_error()
{
	printf 'skiff: %s\n' "$*" | neutral >&2
	echo "Try: skiff ${verb:+$verb }--help" >&2
	[ "$failure_status" = 1 ] || exit "$failure_status"
	exit 2
}

# neutral: what comes from elsewhere must not drive the terminal. Control
# characters but tab and newline become "?", C1 ones (in UTF-8) too.
neutral()
{
	LC_ALL=C tr '\000-\010\013-\037\177' '?' |
	    LC_ALL=C sed 's/\xc2[\x80-\x9f]/?/g'
}

# problem_text FILE: the words of a problem document, or of whatever came.
problem_text()
{
	jq -r '
		def fault: "  \(.field // "") \(.detail // "")";
		(.detail // .title // "error"),
		((.errors // []) | select(length > 1)[] | fault),
		((.log // "") | split("\n") | map(select(. != "")) |
			.[-10:][] | "  \(.)")' "$1" 2>/dev/null ||
	    head -c 1000 "$1"
}
