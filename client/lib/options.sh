# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The options of "run", "create" and "exec": what the container shall be.
# They are collected in pairs of option and value, and wishes.jq makes a
# request of them.

help_container_options()
{
	cat <<'HELP'
  --name NAME              else one is made up
  -i, --interactive        pass stdin on     -t, --tty   give it a terminal
  -e, --env KEY[=VALUE]    without a value: as it is here
  --env-file FILE          lines of KEY[=VALUE]
  -w, --workdir DIR        -u, --user USER[:GROUP], --group-add GROUP
  -h, --hostname NAME      --entrypoint PROGRAM ("": none)
  --init                   a first process that passes signals on and reaps
  -v, --volume SOURCE:TARGET[:ro]   a directory or file of the host
  --mount type=bind|tmpfs,source=S,target=T[,readonly][,OPTION]
  --tmpfs TARGET[:OPTIONS] --shm-size SIZE
  --device PATH[:INSIDE[:rwm]]
  --pid host|container:NAME         --uts host     --userns auto|host
  --ipc host|shareable|container:NAME
  --network none|host      --dns ADDRESS, --dns-search, --dns-option
  -m, --memory SIZE        bytes, or with k, m, g; --memory-swap: with swap
  --cpus N, or --cpu-quota N --cpu-period N
  -c, --cpu-shares N       --cpuset-cpus, --cpuset-mems LIST
  --memory-reservation SIZE, --memory-swappiness N, --oom-kill-disable
  --pids-limit N           --blkio-weight N
  --ulimit NAME=SOFT[:HARD], --sysctl KEY=VALUE, --oom-score-adj N
  --read-only              the root filesystem
  --cap-add, --cap-drop NAME        --privileged
  --security-opt no-new-privileges[=false]|seccomp=unconfined|seccomp=FILE
  --restart no|on-failure[:N]|always|unless-stopped
  --stop-signal SIGNAL     --stop-timeout SECONDS
  --health-cmd COMMAND, --health-interval, --health-timeout,
  --health-start-period, --health-start-interval TIME, --health-retries N,
  --no-healthcheck
  -l, --label KEY=VALUE, --label-file FILE, --annotation KEY=VALUE
  --log-driver log|none    --log-opt max-size=SIZE|max-file=N
  --runtime NAME|PATH      --snapshotter NAME
  --pull missing|never|always   --platform OS/ARCH   -q, --quiet
  --cidfile FILE           write the container's name there
HELP
}

# option_shape OPTION: sets $option to its long name, and $shape to flag,
# value, or nothing.
option_shape()
{
	option=$1 shape=value
	case $1 in
	-i | --interactive) option=--interactive shape=flag ;;
	-t | --tty) option=--tty shape=flag ;;
	-d | --detach) option=--detach shape=flag ;;
	-q | --quiet) option=--quiet shape=flag ;;
	--rm | --sig-proxy | --read-only | --privileged | --no-healthcheck | \
	    --init | --oom-kill-disable | --disable-content-trust)
		shape=flag
		;;
	-e) option=--env ;;
	-w) option=--workdir ;;
	-u) option=--user ;;
	-h) option=--hostname ;;
	-v) option=--volume ;;
	-m) option=--memory ;;
	-c) option=--cpu-shares ;;
	-l) option=--label ;;
	--net) option=--network ;;
	--dns-opt) option=--dns-option ;;
	--name | --env | --env-file | --workdir | --user | --hostname | \
	    --entrypoint | --volume | --mount | --tmpfs | --shm-size | \
	    --device | --network | --dns | --dns-search | --dns-option | \
	    --memory | --memory-swap | --cpus | --cpu-shares | \
	    --cpuset-cpus | --cpuset-mems | --pids-limit | --blkio-weight | \
	    --ulimit | --sysctl | --oom-score-adj | --cap-add | --cap-drop | \
	    --security-opt | --restart | --stop-signal | --stop-timeout | \
	    --health-cmd | --health-interval | --health-timeout | \
	    --health-start-period | --health-start-interval | \
	    --health-retries | --label | --group-add | --pid | --ipc | \
	    --uts | --userns | --cgroupns | --cpu-period | --cpu-quota | \
	    --memory-reservation | --memory-swappiness | \
	    --label-file | --annotation | --log-driver | --log-opt | \
	    --runtime | --snapshotter | --pull | --platform | --cidfile | \
	    --detach-keys) ;;
	*) shape= ;;
	esac
}

# next_option ARGUMENT...: cuts an option off the front of $n_left arguments.
# Sets $option, $shape and $value; $n_used says how many arguments it was, and
# $rest is what remains of a cluster such as -it, to be put in front again.
next_option()
{
	n_used=1 rest='' value=''
	case $1 in
	--*=*)
		option_shape "${1%%=*}"
		value=${1#*=}
		[ "$shape" != flag ] || boolean "$option" "$value"
		;;
	-[!-]?*)
		option_shape "${1%"${1#-?}"}"
		case $shape in
		flag) rest=-${1#-?} value=1 ;;
		value) value=${1#-?} value=${value#=} ;;
		esac
		;;
	*)
		option_shape "$1"
		case $shape in
		flag) value=1 ;;
		value)
			[ "$n_left" -gt 1 ] || usage_error "$1 needs a value"
			value=$2 n_used=2
			;;
		esac
		;;
	esac
	[ -n "$shape" ] || unknown_option "$1"
}

# unknown_option ARGUMENT: one that docker has is told why.
unknown_option()
{
	. "$SKIFF_CLIENT/lib/refused.sh"
	case $1 in
	-[!-]*) refuse_option "${1%"${1#-?}"}" ;;
	*) refuse_option "${1%%=*}" ;;
	esac
	usage_error "unknown option $1"
}

# boolean OPTION TEXT: sets $value to 1 or nothing.
boolean()
{
	case $2 in
	true | 1) value=1 ;;
	false | 0) value= ;;
	*) usage_error "$1 is true or false, not $2" ;;
	esac
}

# container_options OPERAND ARGUMENT...: options, one operand of that name,
# and a command. Sets $first to the operand, $wishes to the rest, and the
# variables of what is the client's own business.
container_options()
{
	detach='' remove='' id='' pull=missing quiet='' platform='' cidfile=''
	interactive='' terminal='' sig_proxy=1 detach_keys=ctrl-p,ctrl-q
	operand=$1
	shift
	# What has been looked at moves behind the rest, as pairs.
	n_left=$#
	while [ "$n_left" -gt 0 ]; do
		case $1 in
		--help)
			"help_$verb"
			exit 0
			;;
		--)
			shift
			n_left=$((n_left - 1))
			break
			;;
		-?*) ;;
		*) break ;;
		esac
		next_option "$@"
		[ "$verb" != exec ] || exec_option ||
		    usage_error "unknown option $1"
		[ "$verb" != update ] || update_option ||
		    usage_error "$1: only a new container can have it"
		shift "$n_used"
		n_left=$((n_left - n_used))
		if [ -n "$rest" ]; then
			set -- "$rest" "$@"
			n_left=$((n_left + 1))
		fi
		case $option in
		--security-opt)
			set -- "$@" "$option" "$(security_value "$value")"
			;;
		--env-file | --label-file)
			file_lines "$value"
			while IFS= read -r line || [ -n "$line" ]; do
				set -- "$@" "${option%-file}" "$line"
			done <"$tmp/lines"
			;;
		*) client_option || set -- "$@" "$option" "$value" ;;
		esac
	done
	[ "$n_left" -gt 0 ] || usage_error "which $operand?"
	first=$1
	shift
	n_left=$((n_left - 1))
	while [ "$n_left" -gt 0 ]; do
		set -- "$@" --argument "$1"
		shift
		n_left=$((n_left - 1))
	done
	if [ "$operand" = image ]; then
		[ -n "$id" ] ||
		    id=$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
		set -- "$@" --name "$id" --image "$first"
	fi
	make_wishes "$@"
}

# exec_option: whether $option is one of "exec", too.
exec_option()
{
	case $option in
	--detach | --interactive | --tty | --env | --env-file | --workdir | \
	    --user | --privileged | --detach-keys | --sig-proxy) ;;
	*) return 1 ;;
	esac
}

# update_option: whether $option is one that may change, too.
update_option()
{
	case $option in
	--memory | --memory-swap | --memory-reservation | --cpus | \
	    --cpu-shares | --cpuset-cpus | --cpuset-mems | --pids-limit | \
	    --blkio-weight | --cpu-period | --cpu-quota | --restart) ;;
	*) return 1 ;;
	esac
}

# security_value TEXT: the profile itself in place of its file.
security_value()
{
	case $1 in
	seccomp=unconfined | seccomp=default) ;;
	seccomp=*)
		printf seccomp=
		cat "${1#*=}" 2>/dev/null || echo "unreadable"
		return
		;;
	esac
	printf '%s' "$1"
}

# file_lines FILE: what says something, in $tmp/lines.
file_lines()
{
	sed -e 's/^[[:space:]]*//' -e '/^#/d' -e '/^$/d' 2>"$tmp/why" <"$1" \
	    >"$tmp/lines" || usage_error "cannot read $1"
}

# client_option: false unless $option is one that the daemon knows nothing of.
client_option()
{
	case $option in
	--detach) detach=$value ;;
	--rm) remove=$value ;;
	--interactive)
		interactive=$value
		return 1
		;;
	--tty)
		terminal=$value
		return 1
		;;
	--sig-proxy) sig_proxy=$value ;;
	--detach-keys) detach_keys=$value ;;
	--quiet) quiet=$value ;;
	--cidfile) cidfile=$value ;;
	--disable-content-trust) ;; # as docker's own default
	--platform)
		platform=$value
		return 1
		;;
	--name) id=$value ;;
	--pull)
		case $value in
		missing | never | always) pull=$value ;;
		*) usage_error "--pull is missing, never or always" ;;
		esac
		;;
	*) return 1 ;;
	esac
}

# make_wishes [OPTION VALUE]...: sets $wishes. The environment is the one
# that the client was started with, whatever its own variables are.
make_wishes()
{
	cat /proc/$$/environ >"$tmp/environ" 2>/dev/null || env -0 >"$tmp/environ"
	wishes=$(jq -nc --rawfile environ "$tmp/environ" --arg pwd "$PWD" \
	    -f "$SKIFF_CLIENT/lib/wishes.jq" --args -- "$@" 2>"$tmp/why") ||
	    usage_error "$(cat "$tmp/why")"
}
