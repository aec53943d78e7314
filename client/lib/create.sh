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
		if [ "$http_status" != 404 ] || [ "$pull" != missing ] ||
		    [ "$(problem_field .object.kind)" != image ]; then
			http_fail
		fi
		echo "skiff: image $image is not here, pulling it" |
		    neutral >&2
		pull_for_container
		http POST "$namespace_path/containers" "$wishes"
	fi
	[ -z "$cidfile" ] || printf '%s\n' "$id" >"$cidfile"
}

pull_for_container()
{
	pull_image "$image" "$(pull_body "$image" "$platform" '' '')" ||
	    http_fail
	name=$(jq -r '.result.name // .result.image.name // empty' "$reply")
	[ -z "$name" ] || wishes=$(printf '%s' "$wishes" |
	    jq -c --arg name "$name" '.image = $name')
}
