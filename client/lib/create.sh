# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Making containers, for "run" and "create".

# container_wishes ARGUMENT...: options, image, command. Sets $wishes, $id
# and $encoded_id besides what container_options() sets.
container_wishes()
{
	. "$SKIFF_CLIENT/lib/options.sh"
	. "$SKIFF_CLIENT/lib/operation.sh"
	container_options image "$@"
	image=$first
	encoded_id=$(uri "$id")
	[ -z "$cidfile" ] || [ ! -e "$cidfile" ] ||
	    die "$cidfile is there already; another container's?"
}

create_container()
{
	[ "$pull" != always ] || pull_for_container
	if ! http_try POST "$namespace_path/containers" "$wishes"; then
		if [ "$pull" != missing ] || ! is_image_missing; then
			http_fail
		fi
		echo "skiff: image $image is not here, pulling it" |
		    neutral >&2
		pull_for_container
		http POST "$namespace_path/containers" "$wishes"
	fi
	[ -z "$cidfile" ] || printf '%s\n' "$id" >"$cidfile"
}

# Or what the image is made of, on the platform that was asked for.
is_image_missing()
{
	[ "$http_status" = 404 ] || return 1
	case $(problem_field .object.kind) in
	image | content) ;;
	*) return 1 ;;
	esac
}

pull_for_container()
{
	pull_image "$image" "$(pull_body "$image" "$platform" '' '')" ||
	    http_fail
	name=$(jq -r '.result.name // .result.image.name // empty' "$reply")
	[ -z "$name" ] || wishes=$(printf '%s' "$wishes" |
	    jq -c --arg name "$name" '.image = $name')
}
