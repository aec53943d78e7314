# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The options of "stop" and "restart".

# stop_options ARGUMENT...: sets $body, and $n_options, how many arguments
# are in front of the containers.
stop_options()
{
	timeout='' signal='' n_options=0
	while [ $# -gt 0 ]; do
		case $1 in
		-t | --time | --timeout | -s | --signal)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			case $1 in
			-t | --time*) timeout=$2 ;;
			*) signal=$2 ;;
			esac
			n_options=$((n_options + 1))
			shift
			;;
		--time=* | --timeout=*) timeout=${1#*=} ;;
		--signal=*) signal=${1#*=} ;;
		-*) usage_error "unknown option $1" ;;
		*) break ;;
		esac
		n_options=$((n_options + 1))
		shift
	done
	[ $# -gt 0 ] || usage_error "which containers?"
	body=$(jq -nc --arg signal "$signal" --arg timeout "$timeout" '{}
		+ if $signal == "" then {} else {signal: $signal} end
		+ if $timeout == "" then {}
		  else {timeout: ($timeout | tonumber? // $timeout)} end')
}
