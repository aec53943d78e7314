#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# skiff run: output, exit status, options, signals, and nothing left.
. "$(dirname "$0")/lib.sh"
needs root runc skopeo docker-registry
start_skiffd
start_registry
ref=$(push_image busybox t/busybox:1)

output=$(skiff run --rm "$ref" echo hello 2>"$scratch/stderr")
is "an image that is not here is pulled, and run" "$output" hello
like "which is said" "$(cat "$scratch/stderr")" 'pulling it'
skiff run --rm "$ref" sh -c 'exit 7'
is "the exit status is passed on" $? 7
output=$(skiff run --rm "$ref" sh -c 'echo out; echo err >&2' 2>/dev/null)
is "stdout goes to stdout" "$output" out
output=$(skiff run --rm "$ref" sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)
is "stderr goes to stderr" "$output" err
output=$(skiff run --rm "$ref" sh -c \
    'for i in 1 2 3; do echo $i; echo $i >&2; done' 2>&1 | sort)
is "one terminal gets both" "$output" "1
1
2
2
3
3"
output=$(skiff run --rm "$ref" sh -c 'i=0
	while [ $i -lt 20000 ]; do echo line $i; i=$((i + 1)); done' | wc -l)
is "no output is lost" "$output" 20000

output=$(FROM_HERE=1 skiff run --rm -e A=b -e FROM_HERE -w /tmp -u 1000:100 \
    --hostname box "$ref" \
    sh -c 'echo $A $FROM_HERE $(pwd) $(id -u):$(id -g) $(hostname)')
is "-e, -w, -u, --hostname" "$output" "b 1 /tmp 1000:100 box"
output=$(skiff run --rm -u alice "$ref" sh -c 'id -un; id -Gn; echo $HOME')
is "a user by name, of the image" "$output" "alice
alice users
/home/alice"
mkdir "$scratch/host"
echo shared >"$scratch/host/file"
output=$(skiff run --rm -v "$scratch/host:/in:ro" "$ref" \
    sh -c 'cat /in/file; touch /in/x 2>&1')
like "a read-only volume" "$output" 'shared'
ok "nothing is written through it" test ! -e "$scratch/host/x"
skiff run --rm -v "$scratch/host:/in" "$ref" touch /in/y
ok "a volume is written through" test -e "$scratch/host/y"
output=$(skiff run --rm --network none "$ref" ls /sys/class/net)
is "--network none has the loopback interface alone" "$output" lo
ok "limits are taken" \
    skiff run --rm --memory 64m --cpus 0.5 --pids-limit 20 "$ref" true

printf '%s\n' '# names' 'X=1 2' FROM_HERE >"$scratch/env"
output=$(FROM_HERE=3 id=4 skiff run --rm --env-file "$scratch/env" -eid "$ref" \
    sh -c 'echo "$X $FROM_HERE $id"')
is "--env-file, and a name that the client uses" "$output" "1 2 3 4"
output=$(skiff run --rm -h box --tmpfs /t:size=1m --shm-size 2m \
    --mount "type=bind,source=$scratch/host,target=/in,readonly" \
    --ulimit nofile=100:200 --sysctl net.ipv4.ip_forward=1 "$ref" sh -c \
    'hostname; df -k /t /dev/shm | awk "/tmpfs/ { print \$2 }"; cat /in/file
    ulimit -n; ulimit -Hn; cat /proc/sys/net/ipv4/ip_forward')
is "-h, --tmpfs, --shm-size, --mount, --ulimit, --sysctl" "$output" "box
1024
2048
shared
100
200
1"
output=$(skiff run --rm --init --group-add users --group-add 7 -u 1000:5 \
    --tmpfs /x:exec --cpu-quota 50000 --memory-reservation 32m "$ref" sh -c \
    'echo $PPID $(id -G); grep " /x " /proc/mounts | grep -c noexec')
is "--init, --group-add, --tmpfs with exec" "$output" "1 5 7 100
0"
is "--pid, --ipc, --uts host" "$(skiff run --rm --pid host --ipc host \
    --uts host "$ref" sh -c 'for n in pid ipc uts; do
	readlink /proc/self/ns/$n; done')" "$(for n in pid ipc uts; do
	readlink /proc/self/ns/$n; done)"
chmod 711 "$scratch" # for who is nobody on the host
is "--userns auto" "$(skiff run --rm --userns=auto "$ref" sh -c \
    'stat -c %u /bin; cut -c1-10 /proc/self/uid_map')" "0
         0"
skiff run -d --name beside "$ref" sleep 600 >/dev/null
is "--pid container:NAME" "$(skiff run --rm --pid container:beside "$ref" \
    cat /proc/1/comm)" sleep
output=$(skiff run --rm --pid container:none "$ref" true 2>&1)
is "of one that does not run: status 125" $? 125
like "which is said" "$output" 'container none cannot be joined: it has no task'
ok "rm -f" skiff rm -fv beside
skiff run -d --name beside --ipc shareable "$ref" sleep 600 >/dev/null
is "--ipc container:NAME" "$(skiff run --rm --ipc container:beside "$ref" \
    sh -c 'echo shared >/dev/shm/x' && skiff exec beside cat /dev/shm/x)" shared
ok "rm -f" skiff rm -f beside
is "a path that is not plain" "$(cd "$scratch/host" && skiff run --rm \
    -v ../host/.:/in:ro,z "$ref" cat /in/file)" shared
output=$(skiff run --rm -v /no/such:/in "$ref" true 2>&1)
like "what is not there is told, with what to do" "$output" \
    "Try: mkdir -p '/no/such'"
output=$(skiff run --rm --entrypoint echo "$ref" a b)
is "--entrypoint" "$output" "a b"
is "output that is not kept" "$(skiff run -d --log-driver none --name mute \
    --log-opt max-size=1m "$ref" echo x && skiff wait mute)" "mute
0"
ok "rm" skiff rm mute
ok "-d with --rm" skiff run -d --rm --name brief "$ref" true
ok "goes away by itself" until_true 30 \
    sh -c "! '$SKIFF_SRC/client/skiff' inspect brief"
for bad in "--memory x" "--memory" "-v a:b" "--ulimit x" "--cpus x" \
    "--rm=perhaps" "--pull sometimes" "--mount type=bind" \
    "--security-opt seccomp=/none" "--env-file /none" \
    "--log-driver none" "--log-driver syslog" "--log-opt x=y" \
    "--cpu-period 9" "--group-add nosuch" "--userns auto --network host" "--mount source=/a,target=/b"; do
	# shellcheck disable=SC2086 # words
	output=$(skiff run $bad "$ref" 2>&1)
	is "$bad: status 125" $? 125
done

for bad in -p=80:80 -P --publish=80 --link=a --add-host=a:b --gpus=all \
    --volumes-from=a --cgroup-parent=/a --network=bridge -vname:/x -v=/x \
    --mount=type=volume,target=/x --userns=private \
    --attach=stdout; do
	output=$(skiff run "$bad" "$ref" true 2>&1)
	is "$bad: status 125" $? 125
	unlike "$bad: not an unknown option, but why not" "$output" unknown
done
like "an option that nobody knows" "$(skiff run --nonsense=1 "$ref" 2>&1)" \
    'unknown option --nonsense=1'

is "-i passes stdin on" "$(echo hi | skiff run -i --rm "$ref" cat)" hi
output=$(skiff run --rm "$ref" sh -c 'cat; echo end' <"$scratch/host/file")
is "without it there is none" "$output" end
dd if=/dev/urandom of="$scratch/data" bs=1M count=8 2>/dev/null
skiff run -i --rm "$ref" cat <"$scratch/data" >"$scratch/back"
is "the status of what was fed" $? 0
ok "megabytes go through it untouched" cmp "$scratch/data" "$scratch/back"
skiff run -i --rm "$ref" sh -c 'tee /dev/stderr' <"$scratch/data" \
    >"$scratch/back" 2>"$scratch/back2"
ok "to stdout" cmp "$scratch/data" "$scratch/back"
ok "and to stderr" cmp "$scratch/data" "$scratch/back2"
mkfifo "$scratch/open"
exec 8<>"$scratch/open"
skiff run -i --rm "$ref" sh -c 'exit 6' <"$scratch/open"
is "an input that does not end is no reason to stay" $? 6
exec 8>&-
is "an input that is not read to its end" \
    "$(yes | skiff run -i --rm "$ref" head -n 1)" y

id=$(skiff run -d --rm "$ref" sleep 1000)
is "who reads the id of -d --rm has it while it runs" "$(skiff ps -q)" "$id"
ok "kill" skiff kill "$id"
ok "of that nothing stays" until_true 30 \
    sh -c "! '$SKIFF_SRC/client/skiff' ps -aq | grep -q ."

# shellcheck disable=SC2317 # until_true calls it
says()
{
	skiff logs "$1" 2>&1 | grep -q "$2"
}

# Two pipes: what lies in both at the same time has no order.
skiff run -d --name turns "$ref" sh -c 'mkfifo /go; echo 1; read x </go
    echo 2 >&2; read x </go; echo 3; sleep 1000' >/dev/null
for n in 1 2 3; do
	until_true 30 says turns "$n"
	[ $n = 3 ] || skiff exec turns sh -c 'echo >/go'
done
is "what is written to one place is shown in its order" \
    "$(skiff logs turns 2>&1 | tr -d '\n')" 123
ok "rm" skiff rm -f turns

skiff run -d --name long "$ref" sh -c "while sleep 0.05; do echo x; done" \
    >/dev/null
for way in "logs -f long" "attach long" "run --rm --name unread $ref yes"; do
	# shellcheck disable=SC2086 # several words
	set -- $way
	{
		skiff "$@" 2>"$scratch/err"
		echo "status $?" >"$scratch/status"
	} | head -n 1 >/dev/null
	is "$1: it ends when nobody reads it, and says nothing" \
	    "$(cat "$scratch/status" "$scratch/err")" "status 141"
	[ "$1" != run ] || skiff kill unread >/dev/null
	[ "$1" != run ] || set -- run --rm "$ref" yes
	output=$(skiff "$@" 2>&1 >/dev/full)
	is "$1: it ends when the disk is full, and says so" "$? $output" \
	    "1 skiff: the output cannot be written"
done
skiff kill "$(skiff ps -lq)" >/dev/null
ok "what it was attached to runs on" skiff rm -f long

output=$(skiff run --rm "$ref" /no/such/program 2>&1)
is "a program that is not there: status 127" $? 127
like "runc's words" "$output" '^skiff: .*/no/such/program'
output=$(skiff run --rm "$registry/t/none:1" true 2>&1)
is "an image that is not there: status 125" $? 125
output=$(skiff run --pull never --rm "$registry/t/none:1" true 2>&1)
is "with --pull never too" $? 125
skiff run -x "$ref" 2>/dev/null
is "a bad option: status 125" $? 125
is "nothing is left" "$(skiff ps -aq)" ""

/usr/bin/python3 - "$SKIFF_SRC/client/skiff" "$ref" <<'PY' >"$scratch/signals"
import os, signal, subprocess, sys
skiff, ref = sys.argv[1:]
def run(script, signals):
    p = subprocess.Popen([skiff, "run", "--rm", ref, "sh", "-c", script],
                         stdout=subprocess.PIPE, text=True,
                         start_new_session=True)
    assert p.stdout.readline() == "ready\n"
    for i, s in enumerate(signals):
        os.killpg(p.pid, s)
        if i + 1 < len(signals):
            assert p.stdout.readline() == "caught\n"
    return p.wait(30)
loop = "echo ready; while :; do sleep 0.1; done"
print(run('trap "exit 9" INT; ' + loop, [signal.SIGINT]))
print(run('trap "echo caught" INT; ' + loop, [signal.SIGINT, signal.SIGINT]))
print([run('trap "exit %d" %s; ' % (s, s.name[3:]) + loop, [s]) == s
       for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
                 signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)])
PY
is "Ctrl-C arrives as SIGINT, the second as SIGKILL; others as such" \
    "$(cat "$scratch/signals")" "9
137
[True, True, True, True, True, True]"
is "nothing is left of them" "$(skiff ps -aq)" ""

# The parts of the client that count, around a program that never ends.
cat >"$scratch/ends" <<'SH'
. "$1/client/lib/ends.sh"
. "$1/client/lib/http.sh"
tmp=$2
trap : TERM
http_exec()
{
	exec sleep 100000 >/dev/null 2>&1
}
n=0
while [ $((n += 1)) -le 100 ]; do
	rm -f "$tmp/ending"
	http_begin
	echo "$!" >"$tmp/child"
	true >"$tmp/ending"
	kill -TERM "$!" 2>/dev/null
	wait "$!"
	echo $?
done
SH
mkdir "$scratch/ends.tmp"
is "what is told to end when it has hardly begun does so" \
    "$(timeout -s KILL 60 sh "$scratch/ends" "$SKIFF_SRC" "$scratch/ends.tmp" \
	2>/dev/null | sort -u)" 143
kill -9 "$(cat "$scratch/ends.tmp/child")" 2>/dev/null

is "-d prints the name" "$(skiff run -d --name bg "$ref" \
    sh -c 'echo one; echo two; exec sleep 600')" bg
like "ps shows it" "$(skiff ps)" '^bg +.*running'
output=$(skiff run --name bg "$ref" true 2>&1)
is "the same name again: status 125" $? 125
like "which exists" "$output" 'bg.*exist'
like "and still runs" "$(skiff ps)" '^bg +.*running'
until_true 20 sh -c "'$SKIFF_SRC/client/skiff' logs bg | grep -q two"
is "logs" "$(skiff logs bg)" "one
two"
is "logs --tail" "$(skiff logs --tail 1 bg)" two
like "logs -t" "$(skiff logs -t --tail 1 bg)" \
    '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z two$'
is "logs -tn1" "$(skiff logs -tn1 bg | cut -d' ' -f2)" two
is "logs --tail all" "$(skiff logs --tail=all bg | wc -l)" 2
is "logs --since a moment" "$(skiff logs --since 1h bg | wc -l)" 2
is "since a second of the clock" \
    "$(skiff logs --since 1700000000 --until "$(($(date +%s) + 1))" bg | wc -l)" 2
is "since a day" "$(skiff logs --since 2024-02-29 bg | wc -l)" 2
output=$(skiff logs --since yesterday bg 2>&1)
is "since what is no time: status 1" $? 1
like "which is said" "$output" '^skiff: .*since'
output=$(skiff rm bg 2>&1)
is "rm of one that runs fails" $? 1
is "kill prints the name" "$(skiff kill bg)" bg
is "logs -f ends with the container" "$(skiff logs -f bg | tail -n 1)" two
until_true 20 sh -c "'$SKIFF_SRC/client/skiff' ps -a | grep -q 'bg.*stopped'"
like "ps -a shows how it ended" "$(skiff ps -a)" '^bg +.*stopped +137'
is "rm prints the name" "$(skiff rm bg)" bg
output=$(skiff logs bg 2>&1)
is "logs of none: status 1" $? 1
ok "rm -f of one that runs" sh -c \
    "'$SKIFF_SRC/client/skiff' run -d --name f '$ref' sleep 600 &&
    '$SKIFF_SRC/client/skiff' rm -f f"
is "all are gone" "$(skiff ps -aq)" ""
finish
