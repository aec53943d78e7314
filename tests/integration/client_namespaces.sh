#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The client makes, lists, labels and removes namespaces, and shows events.
. "$(dirname "$0")/lib.sh"
needs root
start_skiffd

is "create prints the name" "$(skiff namespaces create foo key=value a=b)" foo
like "ls has a heading" "$(skiff namespaces ls)" '^NAME +LABELS$'
like "and the labels" "$(skiff namespaces ls)" '^foo +a=b,key=value$|^foo +key=value,a=b$'
output=$(skiff namespaces create foo 2>&1)
is "again: status 1" $? 1
like "since it exists" "$output" '^skiff: .*foo.*exist'
ok "label" skiff namespaces label foo key= c=d
like "an empty value removes" "$(skiff namespaces ls)" '^foo +a=b,c=d$|^foo +c=d,a=b$'
is "--json" "$(skiff namespaces ls --json | jq -c 'map(.name)')" '["foo"]'
output=$(skiff namespaces create 'bad/name' 2>&1)
is "a bad name: status 1" $? 1
output=$(skiff namespaces rm nowhere 2>&1)
is "removing none: status 1" $? 1
is "rm prints the name" "$(skiff namespaces rm foo)" foo
is "and it is gone" "$(skiff namespaces ls | wc -l)" 1

output=$(skiff events -a --after 0 --no-follow)
like "events: create" "$output" ' /namespaces/create .*name=foo'
like "events: delete" "$output" ' /namespaces/delete .*name=foo'
is "events --json: one a line" "$(skiff events -a --after 0 --no-follow --json |
    jq -r .topic | tail -n 1)" /namespaces/delete
skiff events -a >"$scratch/live" 2>&1 &
follower=$!
until_true 10 sh -c "'$SKIFF_SRC/client/skiff' namespaces create n >/dev/null
    '$SKIFF_SRC/client/skiff' namespaces rm n >/dev/null
    grep -q '/namespaces/create' '$scratch/live'"
is "events follow what happens" $? 0
kill "$follower" 2>/dev/null
like "version" "$(skiff version)" '^daemon +0'
finish
