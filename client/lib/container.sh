# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What several verbs do with a container.

# remove_container ENCODED-ID FORCE: a task that has ended goes first; one
# that runs only with force. False with the problem in $reply.
remove_container()
{
	if [ -n "$2" ]; then
		http_try DELETE "$namespace_path/containers/$1?force=true"
		return
	fi
	if http_try GET "$namespace_path/tasks/$1" &&
	    [ "$(jq -r .state "$reply")" = stopped ]; then
		http_try DELETE "$namespace_path/tasks/$1" || return 1
	fi
	http_try DELETE "$namespace_path/containers/$1"
}

# follow_output ENCODED-ID QUERY: the output of a task on stdout and stderr,
# each to its own, or in one piece and so in order where both are the same.
follow_output()
{
	if [ "$(readlink /proc/self/fd/1 2>/dev/null)" = \
	    "$(readlink /proc/self/fd/2 2>/dev/null)" ]; then
		output_stream "$1" "$2"
		return
	fi
	output_stream "$1" "stream=stderr&$2" >&2 &
	stderr_pid=$!
	stream_status=0
	output_stream "$1" "stream=stdout&$2" || stream_status=$?
	wait "$stderr_pid" || stream_status=$?
	return $stream_status
}

output_stream()
{
	http_curl "$namespace_path/tasks/$1/logs?$2" -N -f \
	    -H 'Accept: text/plain'
}
