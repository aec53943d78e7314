#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Completion of the client's command line, by a bash and a zsh at a
terminal."""
import functools

from skifftest import *
from lib_pty import Terminal

needs("root", "runc", "skopeo", "docker-registry", "curl", "jq", "bash")

SKIFF = os.path.join(SRC, "client", "skiff")
SHELLS = {
    # Ctrl-T shows the line as it is by then.
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             "source %s/skiff.bash; bind 'set enable-bracketed-paste off'; "
             "bind -x '\"\\C-t\": echo \"<$READLINE_LINE>\"'"),
    "zsh": (["zsh", "-f", "-i"],
            "fpath=(%s $fpath); autoload -U compinit; compinit -u -D; "
            "unset zle_bracketed_paste; show() print -r -- \"<$BUFFER>\"; "
            "zle -N show; bindkey '^T' show; bindkey '^U' kill-buffer"),
}


@functools.lru_cache()
def reference():
    ref = the_registry().push(busybox(), "t/busybox:1")
    the_daemon().pull(ref)
    return ref


def environment():
    path = scratch("bin")
    if not os.path.exists(path):
        os.mkdir(path)
        os.symlink(SKIFF, path + "/skiff")
    return dict(os.environ, SKIFF_HOST="unix://" + the_daemon().socket,
                PATH=path + ":" + os.environ["PATH"], TERM="dumb",
                HISTFILE="", INPUTRC="/dev/null")


def lines():
    """What is typed, and what becomes of it."""
    yield "skiff ru", "skiff run "
    yield "skiff -n default resu", "skiff -n default resume "
    yield "skiff --vers", "skiff --version "
    yield "skiff run --priv", "skiff run --privileged "
    yield "skiff run --group-", "skiff run --group-add "
    yield "skiff create --network h", "skiff create --network host "
    yield "skiff create --network=h", "skiff create --network=host "
    yield "skiff run --pid container:al", "skiff run --pid container:alone "
    for verb in "run", "run -it --name x", "create", "restore", "rmi":
        yield "skiff %s %s" % (verb, reference()[:-4]), \
            "skiff %s %s " % (verb, reference())
    yield "skiff exec -it al", "skiff exec -it alone "
    yield "skiff logs -n 5 al", "skiff logs -n 5 alone "
    yield "skiff rm alone la", "skiff rm alone later "
    # One that does not run cannot be stopped.
    yield "skiff stop la", "skiff stop la"
    yield "skiff images r", "skiff images rm "
    yield "skiff namespaces cr", "skiff namespaces create "
    yield "skiff namespaces rm def", "skiff namespaces rm default "
    yield "skiff ps -f anc", "skiff ps -f anc"
    yield "skiff ps -f stat", "skiff ps -f status="
    yield "skiff kill -s US", "skiff kill -s USR"
    # Names are text, whatever is in them.
    yield "skiff images rm odd", "skiff images rm odd\\$\\(touch\\$IFS@made\\) "
    # A command of the container, and a path, are the shell's to know.
    yield "skiff exec alone /etc/passw", "skiff exec alone /etc/passwd"
    yield "skiff run -v /etc/passw", "skiff run -v /etc/passwd"


def completes(shell):
    if not shutil.which(shell):
        raise Skip("no " + shell)
    s = the_daemon()
    s.run("alone", reference(), ["sleep", "1000"])
    s.post("/v1/namespaces/default/containers",
           {"id": "later", "image": reference()}, expect=201)
    target = s.get("/v1/namespaces/default/images").json["items"][0]["target"]
    s.post("/v1/namespaces/default/images",
           {"name": "odd$(touch$IFS@made)", "target": target}, expect=None)
    argv, setup = SHELLS[shell]
    try:
        with Terminal(argv, env=environment(), rows=50, columns=200,
                      cwd=scratch()) as t:
            t.type(setup % os.path.join(SRC, "client", "completion") +
                   "; PS1=go''od:\r")
            t.expect("good:")
            for typed, wanted in lines():
                t.type(typed + "\t\x14\x15")
                got = t.expect(r"<[^<>\r\n]*>").decode()
                got = got[got.rindex("<") + 1:-1]
                equal(got.rstrip(), wanted.rstrip(), shell, typed)
            t.type("exit\r")
            t.wait()
        check(not os.path.exists(scratch("@made")) and
              not os.path.exists(scratch("made")))
    finally:
        for id in "alone", "later":
            s.delete("/v1/namespaces/default/containers/%s?force=true" % id)


@test
def bash_completes():
    completes("bash")


@test
def zsh_completes():
    completes("zsh")


@test
def without_a_daemon_there_are_still_verbs_and_options():
    def candidates(*words):
        return subprocess.run(
            [SKIFF, "__complete", *words], capture_output=True, text=True,
            env=dict(environment(), SKIFF_HOST="unix:///no/such")).stdout

    check("restore\n" in candidates(""))
    check("--restart\n" in candidates("update", "-"))
    equal(candidates("rm", ""), "")
    equal(candidates("nonsense", ""), "")
    for verb in candidates("").split():
        if not verb.startswith("-"):
            check("-" in candidates(verb, "-") or
                  verb in ("pause", "resume", "rename", "label", "version",
                           "restore"), verb)


main()
