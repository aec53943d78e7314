# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_restore()
{
	cat <<'HELP'
usage: skiff restore CONTAINER IMAGE

Runs a container on from a checkpoint of it, or of one like it (the same
image and options), and prints its name. It must not run.
HELP
}

cmd_restore()
{
	names_of_containers "$@"
	[ $# = 2 ] || usage_error "a container and a checkpoint, please"
	task=$namespace_path/tasks/$(uri "$1")
	# What has ended makes room.
	[ "$(task_state "$(uri "$1")")" != stopped ] || http DELETE "$task"
	http POST "$namespace_path/tasks" \
	    "$(jq -nc --arg id "$1" --arg image "$2" \
		'{container: $id, checkpoint: $image}')"
	printf '%s\n' "$1" | neutral
}
