# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_version()
{
	cat <<'HELP'
usage: skiff version [--json]

Versions of this client and of the daemon.
HELP
}

cmd_version()
{
	[ "${1-}" != --json ] || want_json=1
	http GET /v1/version
	if [ -n "$want_json" ]; then
		jq --arg client "$SKIFF_VERSION" '{client: {version: $client},
		    daemon: .}' "$reply"
	else
		echo "client  $SKIFF_VERSION"
		jq -r '"daemon  \(.version)\(if .revision then
		    " (\(.revision))" else "" end)"' "$reply" | neutral
	fi
}
