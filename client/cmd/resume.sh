# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_resume()
{
	cat <<'HELP'
usage: skiff resume CONTAINER...

Lets containers run on that "skiff pause" froze.
HELP
}

cmd_resume()
{
	names_of_containers "$@"
	each_container resume_container "$@"
}

resume_container()
{
	http_try POST "$namespace_path/tasks/$1/resume"
}
