# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_update()
{
	cat <<'HELP'
usage: skiff update OPTION... CONTAINER...

Changes limits of containers, at once when they run, and for their next
start; and what is to happen when they have ended. Prints their names.

  -m, --memory SIZE   bytes, or with k, m, g; --memory-swap: with swap
  --cpus N, or --cpu-quota N --cpu-period N
  -c, --cpu-shares N  --blkio-weight N
  --cpuset-cpus LIST, --cpuset-mems LIST
  --pids-limit N      -1: no limit
  --restart no|on-failure[:N]|always|unless-stopped
HELP
}

cmd_update()
{
	. "$SKIFF_CLIENT/lib/options.sh"
	container_options container "$@"
	# What follows the first name are names, too.
	printf '%s' "$wishes" | jq -r '.args // [] | .[]' >"$tmp/names"
	set -- "$first"
	while IFS= read -r name; do
		set -- "$@" "$name"
	done <"$tmp/names"
	wishes=$(printf '%s' "$wishes" | jq -c 'del(.args)')
	limits=$(printf '%s' "$wishes" | jq -c '.resources // empty')
	[ "$wishes" != '{}' ] || usage_error "what is to change?"
	each_container update_container "$@"
}

# The task first: what cannot be done now is no wish for later, either.
update_container()
{
	if [ -n "$limits" ] &&
	    ! http_try PATCH "$namespace_path/tasks/$1" \
		"{\"resources\": $limits}"; then
		[ "$http_status" = 404 ] || return 1
	fi
	http_try PATCH "$namespace_path/containers/$1" "$wishes"
}
