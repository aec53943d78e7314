# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_restore()
{
	cat <<'HELP'
usage: skiff restore CHECKPOINT [CONTAINER]

Runs a container on from a checkpoint, the image that "skiff checkpoint"
made, and prints its name: the one that was checkpointed unless CONTAINER
says another. One that is not there is made as that was. One that is there
must fit (the same image and options), and must not run.
HELP
}

cmd_restore()
{
	names_of_containers "$@"
	[ $# -lt 3 ] || usage_error "a checkpoint and a container, please"
	checkpoint=$1 id=${2-}
	if [ -z "$id" ] ||
	    ! http_try GET "$namespace_path/containers/$(uri "$id")"; then
		restore_new && return
	fi
	task=$namespace_path/tasks/$(uri "$id")
	# What has ended makes room.
	state=$(task_state "$(uri "$id")") || exit
	[ "$state" != stopped ] || http DELETE "$task"
	http POST "$namespace_path/tasks" \
	    "$(jq -nc --arg id "$id" --arg image "$checkpoint" \
		'{container: $id, checkpoint: $image}')"
	printf '%s\n' "$id" | neutral
}

# restore_new: container and task, or nothing. False, with the name in $id,
# when the container is there already.
restore_new()
{
	if http_try POST "$namespace_path/containers?start=true" \
	    "$(jq -nc --arg id "$id" --arg image "$checkpoint" \
		'{checkpoint: $image} +
		if $id == "" then {} else {id: $id} end')"; then
		jq -r .id "$reply" | neutral
		return
	fi
	[ "$(problem_field '"\(.code) \(.object.kind)"')" = \
	    "already_exists container" ] || http_fail
	id=$(problem_field .object.id)
	return 1
}
