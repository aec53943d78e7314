# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_update()
{
	cat <<'HELP'
usage: skiff update OPTION... CONTAINER...

Changes limits of containers, at once when they run, and for their next
start; and what is to happen when they have ended. Prints their names.

  -m, --memory SIZE   bytes, or with k, m, g; --memory-swap: with swap
  --memory-reservation SIZE
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

# All or nothing. What the container cannot have is asked for before its task
# is touched, and what cannot be done now is no wish for later, either.
update_container()
{
	if [ -n "$limits" ]; then
		http_try PATCH "$namespace_path/containers/$1?dry_run=true" \
		    "$wishes" || return 1
		limit_task "$1" || return 1
	fi
	http_try PATCH "$namespace_path/containers/$1" "$wishes"
}

# limit_task CONTAINER: true where there is none that runs, too.
limit_task()
{
	http_try PATCH "$namespace_path/tasks/$1" \
	    "{\"resources\": $limits}" || [ "$http_status" = 404 ] ||
	    [ "$(problem_field .state)" = stopped ]
}
