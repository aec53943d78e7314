# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_run()
{
	cat <<'HELP'
usage: skiff run [OPTION...] IMAGE [COMMAND [ARGUMENT...]]

Runs a command, or what the image says, in a new container: shows its
output, passes Ctrl-C on (the second time as SIGKILL), and ends with its
exit status. An image that is not here is pulled first.

  -d, --detach             print the container's name, and do not wait
  --rm                     remove the container when it has ended
  --name NAME              else one is made up
  -e, --env KEY[=VALUE]    without a value: as it is here
  -w, --workdir DIR        -u, --user USER[:GROUP]
  --hostname NAME          --entrypoint PROGRAM
  -v, --volume SOURCE:TARGET[:ro]   a directory or file of the host
  --network none|host
  --memory SIZE            bytes, or with k, m, g
  --cpus N                 --pids-limit N
  --read-only              the root filesystem
  --cap-add, --cap-drop NAME
  -l, --label KEY=VALUE
  --pull missing|never

There is no input yet: the container's stdin is empty.
Exit status: that of the command; 125 when Skiff fails, 127 when the command
is not in the image.
HELP
}

# wish JQ-PROGRAM [VALUE]: adds to $wishes; the value is $v.
wish()
{
	wishes=$(printf '%s' "$wishes" | jq -c --arg v "${2-}" "$1" \
	    2>/dev/null) || usage_error "bad value: ${2-}"
}

wish_option()
{
	case $1 in
	--name) id=$2 ;;
	-e | --env)
		case $2 in
		*=*) wish '.env += [$v]' "$2" ;;
		*)
			if value=$(printenv "$2"); then
				wish '.env += [$v]' "$2=$value"
			fi
			;;
		esac
		;;
	-w | --workdir) wish '.cwd = $v' "$2" ;;
	-u | --user) wish '.user = $v' "$2" ;;
	--hostname) wish '.hostname = $v' "$2" ;;
	--entrypoint) wish '.entrypoint = [$v]' "$2" ;;
	--network | --net) wish '.network = $v' "$2" ;;
	--memory | -m) wish '.resources.memory = ($v | ascii_downcase |
		capture("^(?<n>[0-9]+)(?<u>[bkmg]?)b?$") | (.n | tonumber) *
		{"": 1, b: 1, k: 1024, m: 1048576, g: 1073741824}[.u])' "$2" ;;
	--cpus) wish '.resources.cpus = ($v | tonumber)' "$2" ;;
	--pids-limit) wish '.resources.pids = ($v | tonumber)' "$2" ;;
	--cap-add) wish '.capabilities.add += [$v]' "$2" ;;
	--cap-drop) wish '.capabilities.drop += [$v]' "$2" ;;
	-l | --label)
		wish '.labels += ($v | (index("=") // length) as $at |
		    {(.[:$at]): .[$at + 1:]})' "$2"
		;;
	-v | --volume)
		wish '.mounts += [$v | split(":") |
		    if length < 2 or length > 3 or
			(.[2] // "rw" | . != "ro" and . != "rw") then
			error("SOURCE:TARGET[:ro]")
		    else {type: "bind", source: .[0], target: .[1],
			options: ["rbind", .[2] // "rw"]} end]' "$2"
		;;
	--pull) pull=$2 ;;
	esac
}

# Sets the variables of cmd_run and leaves the rest of the arguments to it.
parse_run()
{
	while [ $# -gt 0 ]; do
		case $1 in
		-h | --help)
			help_run
			exit 0
			;;
		-d | --detach) detach=1 ;;
		--rm) remove=1 ;;
		--read-only) wish '.read_only = true' ;;
		-i | -t | -it | -ti | --interactive | --tty)
			usage_error "$1: there is no input and no terminal yet"
			;;
		--)
			n_options=$((n_options + 1))
			return
			;;
		--*=*)
			parse_long "${1%%=*}"
			wish_option "${1%%=*}" "${1#*=}"
			;;
		-*)
			parse_long "$1"
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			wish_option "$1" "$2"
			n_options=$((n_options + 1))
			shift
			;;
		*) return ;;
		esac
		n_options=$((n_options + 1))
		shift
	done
}

parse_long()
{
	case $1 in
	--name | -e | --env | -w | --workdir | -u | --user | --hostname | \
	    --entrypoint | --network | --net | --memory | -m | --cpus | \
	    --pids-limit | --cap-add | --cap-drop | -l | --label | -v | \
	    --volume | --pull) ;;
	*) usage_error "unknown option $1" ;;
	esac
}

cmd_run()
{
	. "$SKIFF_CLIENT/lib/operation.sh"
	failure_status=125
	wishes='{}' detach='' remove='' id='' pull=missing n_options=0
	parse_run "$@"
	shift "$n_options"
	[ $# -gt 0 ] || usage_error "which image?"
	image=$1
	shift
	[ -z "$detach" ] || [ -z "$remove" ] ||
	    usage_error "--rm with -d: nobody would be there to remove it"
	[ -n "$id" ] ||
	    id=$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
	wish '.image = $v' "$image"
	wish '.id = $v' "$id"
	[ $# = 0 ] || wishes=$(jq -nc --argjson w "$wishes" \
	    '$w + {args: $ARGS.positional}' --args -- "$@")
	encoded_id=$(uri "$id")
	create_container
	start_task
	if [ -n "$detach" ]; then
		printf '%s\n' "$id"
		return 0
	fi
	run_to_end
}

create_container()
{
	! http_try POST "$namespace_path/containers" "$wishes" || return 0
	if [ "$http_status" != 404 ] || [ "$pull" = never ] ||
	    [ "$(problem_field .object.kind)" != image ]; then
		http_fail
	fi
	echo "skiff: image $image is not here, pulling it" | neutral >&2
	pull_image "$image" "$(pull_body "$image" '' '' '')" || http_fail
	name=$(jq -r '.result.name // .result.image.name // empty' "$reply")
	[ -z "$name" ] || wish '.image = $v' "$name"
	http POST "$namespace_path/containers" "$wishes"
}

# All or nothing: what cannot be started does not stay.
start_task()
{
	if http_try POST "$namespace_path/tasks" \
	    "$(jq -nc --arg id "$id" '{container: $id}')" &&
	    http_try POST "$namespace_path/tasks/$encoded_id/start"; then
		return
	fi
	cp "$reply" "$tmp/problem"
	[ "$(problem_field .reason)" != executable_not_found ] ||
	    failure_status=127
	remove_container "$encoded_id" 1 || :
	cp "$tmp/problem" "$reply"
	http_fail
}

# In the background, where the next Ctrl-C does not hit curl itself.
send_signal()
{
	http_curl "$namespace_path/tasks/$encoded_id/kill" -X POST \
	    -H 'Content-Type: application/json' -d "{\"signal\":\"$1\"}" \
	    -o /dev/null 2>/dev/null &
}

on_interrupt()
{
	n_interrupts=$((n_interrupts + 1))
	if [ "$n_interrupts" = 1 ]; then
		send_signal SIGINT
	else
		send_signal SIGKILL
	fi
}

# wait_for PID: a trapped signal ends "wait", but not the process.
wait_for()
{
	while kill -0 "$1" 2>/dev/null; do
		wait "$1" || :
	done
}

run_to_end()
{
	n_interrupts=0
	trap on_interrupt INT
	trap 'send_signal SIGTERM' TERM
	trap 'send_signal SIGHUP' HUP
	# In the background, where a shell ignores the terminal's Ctrl-C.
	follow_output "$encoded_id" follow=true &
	wait_for $!
	http_curl "$namespace_path/tasks/$encoded_id/wait" --retry 5 \
	    --retry-connrefused -o "$tmp/end" 2>"$tmp/curl" &
	wait_for $!
	trap '' INT TERM HUP
	status=$(jq -r '.exit_status // empty' "$tmp/end" 2>/dev/null) || status=
	if [ -z "$status" ]; then
		cp "$tmp/end" "$reply" 2>/dev/null || http_unreachable
		http_fail
	fi
	if [ -n "$remove" ]; then
		remove_container "$encoded_id" '' || http_fail
	fi
	return "$status"
}
