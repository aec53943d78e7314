#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# skiff exec: another process in a container that runs.
. "$(dirname "$0")/lib.sh"
needs root runc skopeo docker-registry
start_skiffd
start_registry
ref=$(push_image busybox t/busybox:1)
skiff pull -q "$ref" >/dev/null
skiff run -d --name box -e OF=it "$ref" sleep 600 >/dev/null

is "its output" "$(skiff exec box echo hello)" hello
skiff exec box sh -c 'exit 7'
is "its exit status" $? 7
output=$(skiff exec box sh -c 'echo out; echo err >&2' 2>/dev/null)
is "stdout goes to stdout" "$output" out
output=$(FROM_HERE=1 skiff exec -w /tmp -u 1000:100 -e A=b -eFROM_HERE box \
    sh -c 'echo $OF $A $FROM_HERE $(pwd) $(id -u):$(id -g)')
is "-e, -w, -u, and the container's environment" "$output" \
    "it b 1 /tmp 1000:100"
is "--privileged" "$(skiff exec --privileged box \
    grep -c "CapEff:.$(sed -n 's/^CapEff:\t//p' /proc/self/status)" \
    /proc/self/status)" 1
is "-i passes stdin on" "$(echo hi | skiff exec -i box cat)" hi
dd if=/dev/urandom of="$scratch/data" bs=1M count=4 2>/dev/null
skiff exec -i box cat <"$scratch/data" >"$scratch/back"
ok "megabytes go through it untouched" cmp "$scratch/data" "$scratch/back"
skiff exec box sh -c 'kill -9 $$'
is "a signal that ends it" $? 137
output=$(skiff exec box /no/such/program 2>&1)
is "a program that is not there: status 127" $? 127
like "which is said" "$output" '^skiff: .*/no/such/program'
is "once" "$(printf '%s\n' "$output" | wc -l)" 1
output=$(skiff exec box /etc 2>&1)
is "what is no program: status 126" $? 126
output=$(skiff exec none true 2>&1)
is "no such container: status 1" $? 1
skiff exec -x box true 2>/dev/null
is "a bad option: status 2" $? 2
is "-d does not wait" "$(skiff exec -d box sh -c 'echo x >/tmp/made')" ""
ok "but it is done" until_true 30 \
    "$SKIFF_SRC/client/skiff" exec box test -e /tmp/made
ok "no exec is left" until_true 30 sh -c "
    '$SKIFF_SRC/client/skiff' inspect -f '.task.execs | length' box | grep -x 0"
"$SKIFF_SRC/client/skiff" exec box sh -c 'trap "exit 9" TERM; echo ready >/tmp/ready
	while :; do sleep 0.1; done' &
client=$!
until_true 30 "$SKIFF_SRC/client/skiff" exec box test -e /tmp/ready
kill -TERM $client
wait $client
is "signals are passed on" $? 9
skiff pause box >/dev/null
like "of one that is paused it says what to do" "$(skiff exec box true 2>&1)" \
    'Try: skiff resume box'
is "rm -f" "$(skiff rm -f box)" box
finish
