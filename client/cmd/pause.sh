# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_pause()
{
	cat <<'HELP'
usage: skiff pause CONTAINER...

Freezes every process of each container; "skiff resume" lets them run on.
HELP
}

cmd_pause()
{
	names_of_containers "$@"
	each_container pause_container "$@"
}

pause_container()
{
	http_try POST "$namespace_path/tasks/$1/pause"
}
