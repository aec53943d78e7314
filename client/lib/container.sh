# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What several verbs do with containers.

# names_of_containers ARGUMENT...: for verbs without options of their own.
names_of_containers()
{
	for argument in "$@"; do
		case $argument in
		-*) usage_error "unknown option $argument" ;;
		esac
	done
	[ $# -gt 0 ] || usage_error "which containers?"
}

# each_container FUNCTION CONTAINER...: calls it with the name as a part of
# a path; prints the names of those it worked for. False, and the problems
# on stderr, when there was one that it did not work for.
each_container()
{
	act=$1 failed=0
	shift
	for id in "$@"; do
		if "$act" "$(uri "$id")"; then
			printf '%s\n' "$id" | neutral
		else
			(http_fail) || failed=1
		fi
	done
	return $failed
}

# task_state ENCODED-ID: prints it; nothing when there is no task.
task_state()
{
	! http_try GET "$namespace_path/tasks/$1" || jq -r .state "$reply"
}

# remove_container ENCODED-ID FORCE: a task that has ended goes first; one
# that runs only with force. False with the problem in $reply.
remove_container()
{
	if [ -n "$2" ]; then
		http_try DELETE "$namespace_path/containers/$1?force=true"
		return
	fi
	# A daemon that does not answer is told of once.
	state=$(task_state "$1") || exit
	if [ "$state" = stopped ]; then
		http_try DELETE "$namespace_path/tasks/$1" || return 1
	fi
	http_try DELETE "$namespace_path/containers/$1"
}


# ready_container ENCODED-ID: sees to it that container $id has a task; sets
# $step to what starts it: start, restart, or none. The task is in $reply;
# false with the problem there.
ready_container()
{
	step=start
	if http_try GET "$namespace_path/tasks/$1"; then
		case $(jq -r .state "$reply") in
		created) ;;
		stopped) step=restart ;;
		*) step=none ;;
		esac
		return
	fi
	[ "$http_status" = 404 ] && http_try POST "$namespace_path/tasks" \
	    "{\"container\": $(json_text "$id")}"
}
