# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What may stand at the end of a command line, for the completions of the
# shells: "skiff __complete WORD...", the last word being the one that is
# typed. Prints candidates, a line each; nothing where any file may stand.

complete_line()
{
	# Options of skiff itself, then the verb.
	while [ $# -gt 1 ]; do
		case $1 in
		-H | --host)
			SKIFF_HOST=$2
			shift
			;;
		-n | --namespace)
			SKIFF_NAMESPACE=$2
			shift
			;;
		-*) ;;
		*) break ;;
		esac
		[ $# -gt 1 ] || return 0
		shift
	done
	if [ $# = 1 ]; then
		usage | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p'
		printf '%s\n' --host --namespace --json --help --version
		return
	fi
	verb=$1
	shift
	case $verb in
	image) verb=images ;;
	rmi) verb=images n_operands=1 ;;
	namespace | ns) verb=namespaces ;;
	unpause) verb=resume ;;
	esac
	[ -e "$SKIFF_CLIENT/cmd/$verb.sh" ] || return 0
	complete_verb "$@"
}

# complete_verb WORD...: what has been typed behind $verb.
complete_verb()
{
	: "${n_operands=0}"
	first='' awaited=''
	while [ $# -gt 1 ]; do
		if [ -n "$awaited" ]; then
			awaited=
		elif [ "$verb:$n_operands" = exec:1 ] ||
		    [ "$verb:$n_operands" = run:1 ] ||
		    [ "$verb:$n_operands" = create:1 ]; then
			return 0 # a command, and its own arguments
		else
			case $1 in
			-*) ! complete_takes_value "$1" || awaited=$1 ;;
			*)
				[ -n "$first" ] || first=$1
				n_operands=$((n_operands + 1))
				;;
			esac
		fi
		shift
	done
	if [ -n "$awaited" ]; then
		complete_value
		return
	fi
	case $1 in
	--*=*)
		awaited=${1%%=*}
		complete_value | sed "s/^/$awaited=/"
		;;
	-*)
		. "$SKIFF_CLIENT/cmd/$verb.sh"
		"help_$verb" | grep -oE -- '(^|[ ,[|])--?[a-z][a-z-]*' |
		    tr -d ' ,[|' | sort -u
		;;
	*) complete_operand ;;
	esac
}

# complete_takes_value OPTION: whether the next word is its value.
complete_takes_value()
{
	case $1 in
	*=*) return 1 ;;
	esac
	case $verb in
	run | create | exec | update)
		. "$SKIFF_CLIENT/lib/options.sh"
		option_shape "$1"
		[ "$shape" = value ]
		;;
	*)
		case $verb:$1 in
		*:--tail | *:--since | *:--until | *:--filter | *:--format | \
		    *:--last | *:--time | *:--timeout | *:--signal | \
		    *:--detach-keys | *:--type | *:--name | *:--platform | \
		    *:--user | *:--parent | *:--image-path | *:--after | \
		    *:--empty-ns | *:--manage-cgroups-mode | \
		    logs:-n | ps:-[fn] | inspect:-f | pull:-u | \
		    stop:-[ts] | restart:-[ts] | kill:-s) ;;
		*) return 1 ;;
		esac
		;;
	esac
}

complete_value()
{
	case $verb:$awaited in
	*:--network | *:--net) printf '%s\n' none host ;;
	*:--pid)
		echo host
		complete_containers | sed 's/^/container:/'
		;;
	*:--ipc)
		printf '%s\n' host private shareable
		complete_containers | sed 's/^/container:/'
		;;
	*:--uts) printf '%s\n' host private ;;
	*:--userns) printf '%s\n' auto host ;;
	*:--restart)
		printf '%s\n' no on-failure always unless-stopped
		;;
	*:--pull) printf '%s\n' missing never always ;;
	*:--log-driver) printf '%s\n' log none ;;
	*:--runtime) printf '%s\n' runc crun ;;
	*:--type) printf '%s\n' container image ;;
	*:--parent) complete_images ;;
	*:--empty-ns) echo network ;;
	*:--manage-cgroups-mode) printf '%s\n' soft full strict ignore ;;
	ps:-f | ps:--filter)
		printf '%s=\n' name id image status health exited label
		;;
	*:--signal | *:-s | *:--stop-signal)
		printf '%s\n' HUP INT QUIT KILL USR1 USR2 TERM CONT STOP
		;;
	esac
}

complete_operand()
{
	case $verb:$n_operands in
	run:0 | create:0 | restore:0) complete_images ;;
	restore:1) complete_containers --all ;;
	exec:0 | attach:0 | top:0 | checkpoint:0) complete_containers ;;
	stop:* | kill:* | pause:* | resume:* | stats:*) complete_containers ;;
	label:0 | rename:0 | logs:0) complete_containers --all ;;
	start:* | restart:* | rm:* | wait:* | update:*) complete_containers --all ;;
	inspect:*)
		complete_containers --all
		complete_images
		;;
	images:0) printf '%s\n' ls rm ;;
	images:*) [ "$first" = ls ] || complete_images ;;
	namespaces:0) printf '%s\n' ls create label rm ;;
	namespaces:*)
		complete_list "/v1/namespaces" .name
		;;
	esac
}

complete_containers()
{
	(
		. "$SKIFF_CLIENT/cmd/ps.sh"
		cmd_ps --quiet "$@"
	)
}

complete_images()
{
	complete_list "$namespace_path/images" .name
}

complete_list()
{
	(
		http_list "$1"
		jq -r "$2" "$tmp/items" | neutral
	)
}
