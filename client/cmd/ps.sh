# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_ps()
{
	cat <<'HELP'
usage: skiff ps [OPTION...]

Lists the containers that run.

  -a, --all            all of them
  -n, --last N         the N that were made last, whatever their state
  -l, --latest         the last one
  -f, --filter KEY=VALUE   those whose name, id, image (ancestor), status,
                       health, exited status or label it is; of one key any
                       of its values, of several keys all
  -q, --quiet          their names only
  --no-trunc           whole commands
  --format FILTER      what a jq filter makes of each, such as .task.pid; json
  --json               the API's JSON
HELP
}

cmd_ps()
{
	all=false quiet='' last=null filters='' format='' width=30
	while [ $# -gt 0 ]; do
		case $1 in
		-a | --all) all=true ;;
		-q | --quiet) quiet=1 ;;
		-l | --latest) last=1 ;;
		--no-trunc) width=1000000 ;;
		--json) want_json=1 ;;
		-n | --last | -f | --filter | --format)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			ps_value "$1" "$2"
			shift
			;;
		--last=* | --filter=* | --format=*)
			ps_value "${1%%=*}" "${1#*=}"
			;;
		-s | --size) usage_error "$1: sizes are not known here" ;;
		-*) usage_error "unknown option $1" ;;
		*) usage_error "unknown argument $1" ;;
		esac
		shift
	done
	ps_items
	if [ -n "$want_json" ]; then
		items_json
	elif [ -n "$format" ]; then
		items_filtered "$format" "$tmp/items"
	elif [ -n "$quiet" ]; then
		jq -r .id "$tmp/items" | neutral
	else
		ps_table
	fi
}

# ps_value OPTION VALUE
ps_value()
{
	case $1 in
	-f | --filter)
		case $2 in
		name=* | id=* | image=* | ancestor=* | status=* | health=* | \
		    exited=* | label=*) ;;
		*)
			usage_error "--filter is name=, id=, image=, status=," \
			    "health=, exited= or label=, not $2"
			;;
		esac
		filters=$filters${filters:+,}$(json_text "$2")
		;;
	--format) format=$2 ;;
	*)
		case $2 in
		'' | *[!0-9]*) usage_error "$1 is a number, not $2" ;;
		esac
		last=$2
		;;
	esac
}

# Containers with their tasks, in $tmp/items. A wish for some state, or for
# the last ones, is one for those that do not run, too.
ps_items()
{
	http_list "$namespace_path/tasks"
	mv "$tmp/items" "$tmp/tasks"
	http_list "$namespace_path/containers"
	jq -c -n --slurpfile tasks "$tmp/tasks" --argjson all "$all" \
	    --argjson last "$last" --argjson filters "[$filters]" '
		def state: if .task then
			if .task.state == "stopped" then "exited"
			else .task.state end
			else "created" end;
		def has($key; $value):
			if $key == "name" then .id | contains($value)
			elif $key == "id" then .id | startswith($value)
			elif $key == "image" or $key == "ancestor" then
				.image == $value
			elif $key == "status" then state == $value or
				.task.state == $value
			elif $key == "health" then
				(.task.health.status // "none") == $value
			elif $key == "exited" then state == "exited" and
				(.task.exit_status | tostring) == $value
			else ($value | split("=")) as $pair | (.labels // {})
				| has($pair[0]) and ($pair[1:] == [] or
				.[$pair[0]] == ($pair[1:] | join("=")))
			end;
		($filters | map(split("=") | {key: .[0],
			value: (.[1:] | join("="))}) | group_by(.key)) as $wanted |
		($all or $last != null or ($wanted | flatten | any(
			.key == "status" or .key == "exited"))) as $all |
		($tasks | map({key: .id, value: .}) | from_entries) as $task |
		[inputs | .task = $task[.id] |
			if .task == null then del(.task) else . end |
			select($all or (.task.state // "stopped" | . != "stopped"))
			| select(. as $one | $wanted | all(any(.key as $key |
				.value as $value | $one | has($key; $value))))] |
		if $last then sort_by(.created_at) | .[-$last:] | reverse
		else . end | .[]' "$tmp/items" >"$tmp/shown" ||
	    die "the list of containers cannot be read"
	mv "$tmp/shown" "$tmp/items"
}

ps_table()
{
	jq -r --argjson width "$width" "$jq_library"'[.id, (.image | text),
	    ((.args // .spec.process.args // []) | join(" ") |
		if length > $width then .[0:$width - 3] + "..." else . end | text),
	    (.created_at | age),
	    (.task.state // "no task") + (.task.health.status |
		if . then " (\(.))" else "" end),
	    (if .task.state == "stopped" then .task.exit_status
		else null end | text),
	    (if .task.state == "stopped" then null
		else .task.pid end | text)] |
	    @tsv' "$tmp/items" |
	    table CONTAINER IMAGE COMMAND AGE STATE EXIT PID
}
