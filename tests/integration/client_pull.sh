#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The client pulls, lists and removes images.
. "$(dirname "$0")/lib.sh"
needs root runc skopeo docker-registry
start_skiffd
start_registry
ref=$(push_image busybox t/busybox:1)
many=$(push_image layered_image t/layered:1)

output=$(skiff pull "$ref" 2>"$scratch/progress")
is "pull succeeds" $? 0
is "pull prints the name" "$output" "$ref"
progress=$(cat "$scratch/progress")
like "a line for the manifest" "$progress" '^manifest +sha256:[0-9a-f]+ +done'
like "a line for the layer" "$progress" '^layer +sha256:[0-9a-f]+ +done'
unlike "plain lines where there is no terminal" "$progress" "$(printf '\033')"

output=$(skiff pull -q "$many" 2>&1)
is "pull -q says only the name" "$output" "$many"
output=$(TERM=xterm script -qec "$SKIFF_SRC/client/skiff pull $many" \
    /dev/null </dev/null 2>&1)
like "on a terminal lines are drawn again" "$output" \
    "$(printf '\033')\\[J.*sha256:"

list=$(skiff images ls)
like "images ls has its heading" "$list" '^REF +TYPE +DIGEST +SIZE$'
like "and a line for an image" "$list" \
    "^$ref +application/vnd.oci.image.manifest.v1.json +sha256:[0-9a-f]{64} +[0-9.]+ [kM]B\$"
ok "--json is JSON" sh -c \
    "'$SKIFF_SRC/client/skiff' images ls --json | jq -e 'length == 2'"
is "another namespace has none" "$(skiff -n other images ls | wc -l)" 1
is "images rm prints what it removed" "$(skiff images rm "$ref")" "$ref"
unlike "and it is gone" "$(skiff images ls)" "$ref"
output=$(skiff images rm "$ref" 2>&1)
is "removing it again fails" $? 1
like "in the daemon's words" "$output" "^skiff: .*$ref.*not found|^skiff: .*not.*$ref"

output=$(skiff pull "$registry/t/nothing:1" 2>&1)
is "an image that is not there: status 1" $? 1
like "and the reason" "$output" 'skiff: .*nothing'
output=$(skiff pull 'bad reference!' 2>&1)
is "a bad reference: status 1" $? 1
finish
