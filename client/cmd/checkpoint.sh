# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh

help_checkpoint()
{
	cat <<'HELP'
usage: skiff checkpoint [OPTION...] CONTAINER [NAME]

Keeps the processes of a container that runs, their memory and their files,
as an image, and prints its name: one made up unless NAME says. They go on
meanwhile. "skiff restore" runs on from it.

  --exit               end the container when the image is there
  --parent IMAGE       keep only what changed since that checkpoint
  --image-path DIR     in a new directory of the host; no image is made
  --tcp-established, --ext-unix-sk, --shell-job, --file-locks
                       what criu refuses otherwise
  --empty-ns network   leave out what its network is made of
  --manage-cgroups-mode soft|full|strict|ignore
                       how cgroups are put back
  --json               the operation
HELP
}

cmd_checkpoint()
{
	set_options='{}'
	while [ $# -gt 0 ]; do
		case $1 in
		--json) want_json=1 ;;
		--exit) checkpoint_option exit true ;;
		--leave-running) checkpoint_option exit false ;;
		--tcp-established) checkpoint_option tcp_established true ;;
		--ext-unix-sk) checkpoint_option external_unix_sockets true ;;
		--shell-job) checkpoint_option shell_job true ;;
		--file-locks) checkpoint_option file_locks true ;;
		--parent | --image-path | --empty-ns | --manage-cgroups-mode)
			[ $# -gt 1 ] || usage_error "$1 needs a value"
			checkpoint_value "$1" "$2"
			shift
			;;
		--parent=* | --image-path=* | --empty-ns=* | \
		    --manage-cgroups-mode=*)
			checkpoint_value "${1%%=*}" "${1#*=}"
			;;
		-*) usage_error "unknown option $1" ;;
		*) break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || usage_error "which container?"
	[ $# -lt 3 ] || usage_error "one container, please"
	[ $# = 1 ] || checkpoint_option name "$(json_text "$2")"
	http POST "$namespace_path/tasks/$(uri "$1")/checkpoint?wait=true" \
	    "$set_options"
	if [ -n "$want_json" ]; then
		jq . "$reply"
	else
		jq -r '.result | .image // .image_path' "$reply" | neutral
	fi
}

# checkpoint_option KEY JSON
checkpoint_option()
{
	set_options=$(jq -nc --argjson options "$set_options" --arg key "$1" \
	    --argjson value "$2" '$options + {($key): $value}')
}

checkpoint_value()
{
	case $1 in
	--parent) checkpoint_option parent "$(json_text "$2")" ;;
	--empty-ns) checkpoint_option empty_namespaces "[$(json_text "$2")]" ;;
	--manage-cgroups-mode)
		checkpoint_option cgroups_mode "$(json_text "$2")"
		;;
	*)
		case $2 in
		/*) ;;
		*) usage_error "--image-path is an absolute path" ;;
		esac
		checkpoint_option image_path "$(json_text "$2")"
		;;
	esac
}
