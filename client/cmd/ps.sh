# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_ps()
{
	cat <<'HELP'
usage: skiff ps [-a] [-q] [--json]

Lists the containers that run, or all with -a; -q prints their names only.
HELP
}

cmd_ps()
{
	all=false quiet=
	for argument in "$@"; do
		case $argument in
		-a | --all) all=true ;;
		-q | --quiet) quiet=1 ;;
		-aq | -qa) all=true quiet=1 ;;
		--json) want_json=1 ;;
		*) usage_error "unknown argument $argument" ;;
		esac
	done
	http_list "$namespace_path/tasks"
	mv "$tmp/items" "$tmp/tasks"
	http_list "$namespace_path/containers"
	jq -c -n --slurpfile tasks "$tmp/tasks" --argjson all "$all" '
		($tasks | map({key: .id, value: .}) | from_entries) as $task |
		inputs | .task = $task[.id] |
		select($all or (.task.state // "stopped" | . != "stopped")) |
		if .task == null then del(.task) else . end' \
	    "$tmp/items" >"$tmp/shown"
	mv "$tmp/shown" "$tmp/items"
	if [ -n "$want_json" ]; then
		items_json
	elif [ -n "$quiet" ]; then
		jq -r .id "$tmp/items" | neutral
	else
		jq -r "$jq_library"'[.id, (.image | text),
		    ((.args // .spec.process.args // []) | join(" ") |
			if length > 30 then .[0:29] + "…" else . end | text),
		    (.created_at | age),
		    (.task.state // "no task") + (.task.health.status |
			if . then " (\(.))" else "" end),
		    (if .task.state == "stopped" then .task.exit_status
			else null end | text),
		    (if .task.state == "stopped" then null
			else .task.pid end | text)] |
		    @tsv' "$tmp/items" |
		    table CONTAINER IMAGE COMMAND AGE STATE EXIT PID
	fi
}
