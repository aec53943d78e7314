# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Where the client's own output goes.

# is_one_output: stdout and stderr are the same file, so that what a container
# writes to either is shown in its order. $$, since readlink's own are others.
is_one_output()
{
	[ "$(readlink "/proc/$$/fd/1")" = "$(readlink "/proc/$$/fd/2")" ]
}

# unwritten: sets $left to what the client ends with when curl could not write
# (23): into a pipe that nobody reads, as SIGPIPE would end it; curl ignores
# that signal.
unwritten()
{
	left=141
	[ -p "/proc/$$/fd/1" ] || {
		left=1
		echo "skiff: the output cannot be written" >&2
	}
}
