# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_pull()
{
	cat <<'HELP'
usage: skiff pull [OPTION...] REFERENCE

Gets an image from its registry, unpacks it, and prints its name. What is
here already is not fetched again.

  --name NAME            keep it under this name
  --platform OS/ARCH     of an image for several platforms
  -u, --user USER:PASSWORD   for the registry; "-u -" reads a line of stdin
  -q, --quiet            no progress
HELP
}

cmd_pull()
{
	. "$SKIFF_CLIENT/lib/operation.sh"
	name='' platform='' user='' quiet='' ref=''
	while [ $# -gt 0 ]; do
		case $1 in
		--name | --platform | -u | --user)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			case $1 in
			--name) name=$2 ;;
			--platform) platform=$2 ;;
			*) user=$2 ;;
			esac
			shift
			;;
		--name=*) name=${1#*=} ;;
		--platform=*) platform=${1#*=} ;;
		--user=*) user=${1#*=} ;;
		-q | --quiet) quiet=1 ;;
		--json) want_json=1 ;;
		--disable-content-trust) ;; # as docker's own default
		-a | --all-tags) usage_error "$1: tags are pulled one by one" ;;
		-*) usage_error "unknown option $1" ;;
		*)
			[ -z "$ref" ] || usage_error "one reference, please"
			ref=$1
			;;
		esac
		shift
	done
	[ -n "$ref" ] || usage_error "which image?"
	[ "$user" != - ] || IFS= read -r user
	pull_image "$ref" "$(pull_body "$ref" "$platform" "$user" "$name")" ||
	    http_fail
	if [ -n "$want_json" ]; then
		jq . "$reply"
	else
		jq -r --arg ref "$ref" '.result.name // .result.image.name //
		    .ref // $ref' "$reply" | neutral
	fi
}
