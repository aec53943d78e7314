#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Nothing that a daemon or a registry says drives the terminal, and the
# client says in the daemon's words what went wrong. The daemon here is
# canned: a real one does not say such things.
. "$(dirname "$0")/lib.sh"

cat >"$scratch/answers" <<'E2'
{
"GET /v1/namespaces": [200, {"items": [
	{"name": "a", "labels": {"k": "\u001b[31mred\u009b31m\u0007"}},
	{"name": "b\tc\nd"}]}],
"DELETE /v1/namespaces/a": [409, {"code": "failed_precondition",
	"detail": "namespace a must be empty: 1 \u001b[2Jimage"}],
"DELETE /v1/namespaces/b": [204, ""],
"POST /v1/namespaces": [400, {"detail": "2 faults",
	"errors": [{"field": "/name", "detail": "bad"},
		{"field": "/labels", "detail": "odd"}]}],
"GET /v1/namespaces/default/events?after=0&follow=false": [200,
	"data: {\"topic\":\"/x\",\"timestamp\":\"T\",\"event\":{\"name\":\"\\u001b[1m\"}}\n\n",
	"text/event-stream"],
"POST /v1/namespaces/default/images/pull": [202,
	"data: {\"state\":\"running\",\"progress\":[{\"kind\":\"\\u001b]0;t\\u0007\",\"digest\":\"sha256:a\",\"state\":\"done\"}]}\n\ndata: {\"state\":\"failed\",\"error\":{\"detail\":\"no \\u001b[5mblink\"}}\n\n",
	"text/event-stream"],
"GET /v1/version": [200, "no JSON \u001b[1m", "text/html"],
"*": [503, "<html>\u001b[1m", "text/html"]
}
E2
"$here/../stubs/canned_daemon.py" "$scratch/canned" "$scratch/answers" \
    >"$scratch/requests" 2>&1 &
canned=$!
# Not skiffd, but ended like it.
skiffd_pid=$canned
until_true 20 grep -q ready "$scratch/requests"
export SKIFF_HOST="unix:$scratch/canned"

escape=$(printf '[\033\007\302]')
both()
{
	"$@" 2>&1
}

text=$(both skiff namespaces ls)
unlike "a table is without escapes" "$text" "$escape"
like "one line for a name with a line break" "$text" '^b.*c.*d +-$'

text=$(both skiff namespaces rm a b)
status=$?
is "one failure fails the command" "$status" 1
unlike "an error is without escapes" "$text" "$escape"
like "an error is the daemon's words" "$text" \
    '^skiff: namespace a must be empty: 1 .*image$'
like "what was removed is printed" "$text" '^b$'

text=$(both skiff namespaces create x)
like "all faults of a body are told" "$text" '^ +/name bad$'
like "the second one, too" "$text" '^ +/labels odd$'
unlike "events are without escapes" \
    "$(both skiff events --no-follow)" "$escape"
text=$(both skiff pull x)
is "a failed pull fails" $? 1
unlike "progress is without escapes" "$text" "$escape"
like "the failed pull says why" "$text" '^skiff: no .*blink$'
text=$(both skiff ps)
is "an answer that is no JSON fails" $? 1
unlike "and is shown without escapes" "$text" "$escape"

text=$(SKIFF_HOST=unix:///nowhere/sock both skiff version)
is "no daemon: status 1" $? 1
like "no daemon: which socket" "$text" 'no answer from unix:///nowhere/sock'
text=$(SKIFF_HOST=ftp://x both skiff version)
is "a bad SKIFF_HOST: status 1" $? 1
both skiff nonsense >/dev/null
is "an unknown verb: status 2" $? 2
both skiff run >/dev/null
is "run's own failure: status 125" $? 125
for verb in pull images run ps logs kill rm events namespaces version; do
	like "$verb --help" "$(both skiff $verb --help)" "^usage: skiff $verb"
done
if command -v dash >/dev/null; then
	like "it runs with dash" \
	    "$(dash "$SKIFF_SRC/client/skiff" namespaces ls)" '^NAME +LABELS$'
fi
finish
