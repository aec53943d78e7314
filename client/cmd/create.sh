# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_create()
{
	. "$SKIFF_CLIENT/lib/options.sh"
	cat <<'HELP'
usage: skiff create [OPTION...] IMAGE [COMMAND [ARGUMENT...]]

Makes a container for "skiff start", and prints its name. An image that is
not here is pulled first.

HELP
	help_container_options
}

cmd_create()
{
	. "$SKIFF_CLIENT/lib/create.sh"
	container_wishes "$@"
	[ -z "$detach$remove" ] || usage_error "-d and --rm belong to run"
	create_container
	printf '%s\n' "$id" | neutral
}
