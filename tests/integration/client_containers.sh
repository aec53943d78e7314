#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the client does with containers that are there: from create to rm.
. "$(dirname "$0")/lib.sh"
needs root runc skopeo docker-registry
start_skiffd
start_registry
ref=$(push_image busybox t/busybox:1)

is "create pulls, and prints the name" \
    "$(skiff create --name box -l a=b --memory 64m "$ref" \
	sh -c 'trap "exit 3" TERM; echo up; while :; do sleep 0.1; done' \
	2>/dev/null)" box
like "ps -a shows it" "$(skiff ps -a)" '^box .*no task'
is "ps does not" "$(skiff ps -q)" ""
is "but when its state is asked for" "$(skiff ps -qf status=created)" box
is "or the last one" "$(skiff ps -ql)" box
output=$(skiff create --name box "$ref" 2>&1)
is "the same name again: status 1" $? 1
like "with what to do" "$output" 'Try: skiff rm box, or another --name'
like "logs of one that never ran" "$(skiff logs box 2>&1)" \
    'Try: skiff start box'
is "stop of one that never ran" "$(skiff stop box)" box
is "label without more shows the labels" "$(skiff label box)" "a=b"
ok "label sets and removes" skiff label box c=d=e a=
is "which is seen" "$(skiff label box)" "c=d=e"
is "start prints the name" "$(skiff start box)" box
until_true 30 sh -c "'$SKIFF_SRC/client/skiff' logs box | grep -q up"
skiff create --name other -l a=c "$ref" true >/dev/null
is "ps -n1" "$(skiff ps -qn1)" other
is "ps -f label=KEY=VALUE" "$(skiff ps -aqf label=c)$(skiff ps -aqf label=a=c)" \
    boxother
is "ps -f: of one key any, of several all" "$(skiff ps -aq -f name=box \
    -f name=other -f status=running)" box
is "ps --format" "$(skiff ps -a --format '.id + "!"')" "box!
other!"
output=$(skiff ps --format '{{.ID}}' 2>&1)
is "a template: status 2" $? 2
like "which is no jq filter" "$output" 'jq filter'
output=$(skiff ps -f ours=x 2>&1)
is "ps by what there is not: status 2" $? 2
is "rm -v" "$(skiff rm -v other)" other
is "start of one that runs is no fault" "$(skiff start box)" box
like "inspect has container and task" "$(skiff inspect box |
    jq -c '.[0] | [.id, .task.state, .resources.memory]')" \
    '\["box","running",67108864\]'
is "inspect --type" "$(skiff inspect --type container -f .id box;
    skiff inspect --type image box 2>/dev/null | jq length)" "box
0"
is "images -q" "$(skiff images -q)" "$ref"
is "images --format" "$(skiff images --format .name)" "$ref"
is "inspect takes an image" \
    "$(skiff inspect -f .name "$ref")" "$ref"
output=$(skiff inspect none box 2>&1 >"$scratch/found")
is "inspect of what is not there: status 1" $? 1
like "which is said" "$output" '^skiff: .*none'
is "the others are printed" "$(jq -r '.[].id' "$scratch/found")" box
like "top" "$(skiff top box)" '^0 +[0-9]+ +[0-9]+ +sh +sh -c trap'
is "pause" "$(skiff pause box)" box
is "it is paused" "$(skiff inspect -f .task.state box)" paused
output=$(skiff pause box 2>&1)
is "pause of one that is: status 1" $? 1
is "resume" "$(skiff resume box)" box
is "it runs" "$(skiff inspect -f .task.state box)" running
output=$(skiff wait --timeout 10ms box 2>&1)
is "wait --timeout: status 1" $? 1
# shellcheck disable=SC2317 # until_true calls it
no_request()
{
	! pgrep -f "curl.*$socket"
}

for long in "wait box" "logs -f box" events; do
	# shellcheck disable=SC2086 # words
	"$SKIFF_SRC/client/skiff" $long >/dev/null &
	client=$!
	until_true 30 pgrep -f "curl.*$socket"
	kill -TERM $client
	wait $client
	is "$long: ends on SIGTERM" $? 143
	ok "with its request" until_true 30 no_request
done
skiff wait box >"$scratch/waited" &
waiter=$!
is "stop" "$(skiff stop box)" box
wait "$waiter"
is "wait prints the exit status" "$(cat "$scratch/waited")" 3
is "it is stopped" "$(skiff inspect -f .task.state box)" stopped
is "start of one that has ended" "$(skiff start box)" box
is "it runs again" "$(skiff inspect -f .task.state box)" running
until_true 30 sh -c "'$SKIFF_SRC/client/skiff' logs box | grep -c up | grep 2"
is "restart" "$(skiff restart -t 0 box)" box
is "it was restarted" "$(skiff inspect -f .task.restart_count box)" 2
# Of its first second there is no share of a processor.
until_true 30 sh -c "'$SKIFF_SRC/client/skiff' stats --no-stream box |
    grep -q '^box *[0-9.]*% '"
like "stats" "$(skiff stats --no-stream box)" \
    '^box +[0-9.]+% +[0-9.]+ .?B +67.1 MB +[0-9.]+% +[0-9]+ '
is "update" "$(skiff update --memory 96m --pids-limit 50 --cpus 0.5 \
    --restart on-failure:3 box)" box
is "the limits hold at once" "$(skiff inspect -f '.task.resources |
    [.memory, .pids, .cpus] | map(tostring) | join(" ")' box)" \
    "100663296 50 0.5"
is "and for later" "$(skiff inspect -f '[.resources.memory, .resources.pids,
    .restart_policy] | map(tostring) | join(" ")' box)" \
    "100663296 50 on-failure:3"
output=$(skiff update --memory 96m --pids-limit 40 --restart odd box 2>&1)
is "update to a policy that there is not: status 1" $? 1
is "and no limit is changed before" "$(skiff inspect -f '.task.resources.pids' \
    box)" 50
output=$(skiff update --blkio-weight 300 box 2>&1)
like "update --blkio-weight, where the host has one" "$output" \
    '^box$|^skiff: .*this host cannot limit the weight'
is "holds at once, and for later, or neither" "$(skiff inspect -f '
    [.task.resources.blkio_weight, .resources.blkio_weight] |
    map(. == 300) | unique | length' box)" 1
output=$(skiff update --memory 1 box 2>&1)
is "update to what cannot be: status 1" $? 1
like "update of what is for life" "$(skiff update --init box 2>&1)" \
    '^skiff: --init: only a new container can have it'
output=$(skiff update box 2>&1)
is "update to nothing: status 2" $? 2
is "stats --format" "$(skiff stats --no-stream --format .id)" box
is "stats --json" "$(skiff stats --no-stream --json | jq -r .id)" box
skiff stats box >"$scratch/stats" &
stats=$!
until_true 30 grep -q box "$scratch/stats"
like "checkpoint --empty-ns" "$(skiff checkpoint --empty-ns pid box 2>&1)" \
    'only "network" can be left out'
like "checkpoint --manage-cgroups-mode" \
    "$(skiff checkpoint --manage-cgroups-mode odd box 2>&1)" \
    'must be soft, full, strict or ignore'
is "rm -f" "$(skiff rm -f box)" box
wait "$stats"
is "stats goes on until it has ended" $? 0

skiff run -d --name deaf "$ref" sh -c \
    'trap "" TERM; echo up; while :; do sleep 0.1; done' >/dev/null
until_true 30 sh -c "'$SKIFF_SRC/client/skiff' logs deaf | grep -q up"
is "stop -t ends the deaf" "$(skiff stop -t 0 deaf)" deaf
is "by SIGKILL" "$(skiff wait deaf)" 137
output=$(skiff stop none deaf 2>&1 >/dev/null)
is "stop of one that is not there: status 1" $? 1
like "exec in one that has ended says what to do" \
    "$(skiff exec deaf true 2>&1)" 'Try: skiff start deaf'
is "update of one that has ended" "$(skiff update --pids-limit 30 deaf)" deaf
is "is for its next start" "$(skiff inspect -f .resources.pids deaf)" 30
is "rm of several" "$(skiff rm deaf)" deaf

skiff run -d --name well --health-cmd true --health-interval 1s "$ref" \
    sleep 600 >/dev/null
ok "ps shows what health probes find" until_true 30 sh -c \
    "'$SKIFF_SRC/client/skiff' ps | grep 'running (healthy)'"
ok "rm -f" skiff rm -f well

skiff create -i --name cat "$ref" sh -c 'cat; exit 4' >/dev/null
output=$(echo one | skiff start -ai cat)
is "start -ai passes on input, output and status" "$output $?" "one 4"
output=$(echo two | skiff start -ai cat)
is "of each run its own" "$output $?" "two 4"
is "start" "$(skiff start cat)" cat
output=$(echo three | skiff attach cat)
is "attach" "$output $?" "three 4"
is "logs has them all" "$(skiff logs cat)" "one
two
three"
output=$(skiff attach cat 2>&1)
is "attach to what has ended: status 1" $? 1
ok "rm" skiff rm cat

skiff create --name old "$ref" true >/dev/null
is "rename prints the new name" "$(skiff rename old new)" new
is "which it has" "$(skiff ps -aq)" new
ok "rm" skiff rm new
skiff run -d --name old "$ref" sh -c 'echo said; exec sleep 1000' >/dev/null
like "not while it runs" "$(skiff rename old new 2>&1)" 'Try: skiff stop old'
ok "stop" skiff stop -t 0 old
is "stopped it is renamed" "$(skiff rename old new)" new
is "with what it wrote" "$(skiff logs new) $(skiff wait new)" "said 137"
ok "start" skiff start new
ok "rm" skiff rm -f new

is "a daemon that does not answer is told of once" \
    "$(skiff -H unix:///no/such rm box 2>&1 | wc -l)" 1
like "help VERB" "$(skiff help run)" '^usage: skiff run'
is "container VERB" "$(skiff container ls -aq)" "$(skiff ps -aq)"
like "what docker has beside these" "$(skiff cp a:/b c 2>&1)" 'not there yet'
output=$(skiff frobnicate 2>&1)
is "what nobody has: status 2" $? 2
for verb in create start stop kill rm ps exec attach logs wait pause resume \
    top stats inspect update restart checkpoint restore rename label run \
    pull images events namespaces version; do
	like "help of $verb" "$(skiff "$verb" --help)" "^usage: skiff $verb"
done
finish
