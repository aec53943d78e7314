# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_images()
{
	cat <<'HELP'
usage: skiff images [ls] [-q] [--format FILTER] [--json]
       skiff images rm NAME...

Lists the images of the namespace, with -q their names only, or removes
names and prints them. --format shows what a jq filter makes of each, such as
.name
HELP
}

cmd_images()
{
	action="ls"
	case ${1-} in
	ls | rm)
		action=$1
		shift
		;;
	list)
		shift
		;;
	remove | delete)
		action="rm"
		shift
		;;
	esac
	"images_$action" "$@"
}

images_ls()
{
	quiet='' format=''
	while [ $# -gt 0 ]; do
		case $1 in
		--json) want_json=1 ;;
		-q | --quiet) quiet=1 ;;
		-a | --all | --digests | --no-trunc) ;; # always
		--format)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			format=$2
			shift
			;;
		--format=*) format=${1#*=} ;;
		-f | --filter | --filter=*)
			usage_error "$1: --format can select, such as" \
			    "'select(.name | test(\"busybox\")) | .name'"
			;;
		*) usage_error "unknown argument $1" ;;
		esac
		shift
	done
	http_list "$namespace_path/images"
	if [ -n "$want_json" ]; then
		items_json
		return
	elif [ -n "$format" ]; then
		items_filtered "$format" "$tmp/items"
		return
	elif [ -n "$quiet" ]; then
		jq -r .name "$tmp/items" | neutral
		return
	fi
	while IFS= read -r item; do
		size=$(image_size "$(printf '%s' "$item" |
		    jq -r '.target.digest | @uri')")
		printf '%s' "$item" | jq -r --argjson size "${size:-null}" \
		    "$jq_library"'[.name, .target.media_type, .target.digest,
			($size // .target.size | bytes)] | @tsv'
	done <"$tmp/items" | table REF TYPE DIGEST SIZE
}

# image_size DIGEST: bytes of the manifest, its config and layers; of an
# index, those of the manifests that are here. Nothing when none is.
image_size()
{
	http_try GET "$namespace_path/content/$1" || return 0
	if jq -e .layers "$reply" >/dev/null 2>&1; then
		jq --argjson own "$(wc -c <"$reply")" \
		    '[$own, .config.size, .layers[].size] | add' "$reply"
		return
	fi
	size=''
	for digest in $(jq -r '.manifests[]?.digest | @uri' "$reply"); do
		more=$(image_size "$digest")
		[ -z "$more" ] || size=$((${size:-0} + more))
	done
	echo "$size"
}

images_rm()
{
	[ $# -gt 0 ] || usage_error "which images?"
	failed=0
	for name in "$@"; do
		case $name in -*) usage_error "unknown option $name" ;; esac
		if http_try DELETE "$namespace_path/images/$(uri "$name")"; then
			printf '%s\n' "$name" | neutral
		else
			(http_fail) || failed=1
		fi
	done
	return $failed
}
