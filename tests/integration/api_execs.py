#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""More processes in a container: registered, started, ended, deleted."""
import base64
import glob
import hashlib
import os
import re
import threading

from skifftest import *

needs("root", "runc", "skopeo", "docker-registry")

N = "/v1/namespaces/default"
SLEEP = ["sleep", "100000"]
SCALE = int(os.environ.get("SCALE", "0"))

_image = None


def image():
    global _image
    if _image is None:
        _image = the_daemon().pull(
            the_registry().push(busybox(), "t/busybox:1"))
        _image = "%s/t/busybox:1" % the_registry().host
    return _image


class Box:
    """A running task to exec in."""

    count = 0

    def __init__(self, args=None, start=True, **wishes):
        Box.count += 1
        self.s = the_daemon()
        self.id = "box%d" % Box.count
        self.task = "%s/tasks/%s" % (N, self.id)
        self.execs = self.task + "/execs"
        self.s.post(N + "/containers", dict(
            wishes, id=self.id, image=image(), args=args or SLEEP),
            expect=201)
        self.s.post(N + "/tasks", {"container": self.id}, expect=201)
        if start:
            self.s.post(self.task + "/start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.delete("%s/containers/%s?force=true" % (N, self.id))

    def run(self, *args, query="", expect=200, **wishes):
        return self.s.post(self.execs + "?wait=true" + query,
                           dict(wishes, args=list(args)),
                           expect=expect).json

    def add(self, name, *args, query="", expect=201, **wishes):
        return self.s.post(self.execs + query, dict(
            wishes, id=name, args=list(args)), expect=expect).json

    def get(self, name, expect=200):
        return self.s.get("%s/%s" % (self.execs, name), expect=expect).json

    def do(self, name, verb, body=None, expect=200):
        return self.s.post("%s/%s/%s" % (self.execs, name, verb), body,
                           expect=expect).json

    def wait(self, name, query="", expect=200):
        return self.s.get("%s/%s/wait%s" % (self.execs, name, query),
                          expect=expect).json

    def delete(self, name, query="", expect=200):
        return self.s.delete("%s/%s%s" % (self.execs, name, query),
                             expect=expect).json

    def place(self, *more):
        return os.path.join(self.s.root, "tasks/default", self.id, "execs",
                            *more)

    def ids(self):
        return [e["id"] for e in self.s.get(self.execs).json["items"]]

    def listed(self):
        """The same, of which nothing comes or goes now."""
        ids = self.ids()
        equal(sorted(self.s.get(self.task).json["execs"]), sorted(ids))
        return ids


@test
def registered_started_waited_for_and_deleted():
    with Box() as b:
        after = b.s.revision()
        made = b.add("e1", "sh", "-c", "echo out; exit 3")
        equal((made["state"], made["args"], made["task"], made["container"]),
              ("created", ["sh", "-c", "echo out; exit 3"], b.id, b.id))
        equal(b.listed(), ["e1"])
        equal(b.wait("e1", "?timeout=0", expect=504)["state"], "created")
        check(b.do("e1", "start")["pid"] > 0)
        equal(b.wait("e1")["exit_status"], 3)
        done = b.get("e1")
        equal((done["task"], done["state"], done["exit_status"]),
              (b.id, "stopped", 3))
        equal(b.do("e1", "start", expect=409)["state"], "stopped")
        equal(b.do("e1", "kill", expect=409)["state"], "stopped")
        with open(b.place("e1", "log")) as f:
            equal(f.read(), "out\n")
        equal(b.delete("e1")["exit_status"], 3)
        b.get("e1", expect=404)
        equal(b.listed(), [])
        check(not os.path.exists(b.place("e1")))
        events = [e for e in b.s.events(after)
                  if e["topic"].startswith("/tasks/")]
        equal([e["topic"] for e in events],
              ["/tasks/exec-added", "/tasks/exec-started", "/tasks/exit",
               "/tasks/exec-deleted"])
        equal([e["type"].split(".")[-1] for e in events][:2],
              ["TaskExecAdded", "TaskExecStarted"])
        exit = events[2]["event"]
        equal((exit["id"], exit["container_id"], exit["exit_status"],
               exit["exited_at"], exit["pid"]),
              ("e1", b.id, 3, done["exited_at"], done["pid"]))


@test
def one_call_gives_status_and_output_and_leaves_nothing():
    with Box() as b:
        after = b.s.revision()
        done = b.run("sh", "-c", "echo out; echo err >&2; exit 3")
        equal((done["exit_status"], done["stdout"], done["stderr"],
               done["truncated"]), (3, "out\n", "err\n", False))
        equal(b.listed(), [])
        equal([e["topic"] for e in b.s.events(after)],
              ["/tasks/exec-added", "/tasks/exec-started", "/tasks/exit",
               "/tasks/exec-deleted"])
        until(lambda: os.listdir(b.place()) == [], "directory removed")
        done = b.run("printf", "\\377\\376")
        equal(base64.b64decode(done["stdout_base64"]), b"\xff\xfe")
        equal(done["stderr"], "")
        kept = b.run("echo", "kept", query="&remove=false", id="kept")
        equal(kept["stdout"], "kept\n")
        equal(b.get("kept")["state"], "stopped")
        done = b.run("echo", "x", stdio={"mode": "null"})
        equal("stdout" in done, False)
        done = b.run("sh", "-c", "tty; stty size", terminal=True)
        check(done["stdout"].startswith("/dev/pts/"), done)
        check("stderr" not in done, done)


@test
def a_name_is_free_again_when_the_answer_is_there():
    with Box() as b:
        for _ in range(20):
            equal(b.run("sh", "-c", "exit 3", id="same")["exit_status"], 3)
        b.add("same", *SLEEP)
        problem = b.run("true", id="same", expect=409)
        equal(problem["code"], "already_exists")


@test
def who_waits_for_a_name_hears_of_their_own_exec():
    with Box() as b:
        def come_and_go(status):
            for _ in range(25):
                answer = b.s.post(b.execs + "?wait=true", {
                    "id": "same", "args": ["sh", "-c", "exit %d" % status]},
                    expect=None)
                answers.append((status, answer.status, answer.json))
        answers = []
        clients = [threading.Thread(target=come_and_go, args=(status,))
                   for status in (3, 4, 5)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        for status, code, body in answers:
            check(code == 409 or
                  (code, body["exit_status"]) == (200, status), status, body)
        check(any(code == 200 for _, code, _ in answers))


@test
def what_is_left_out_is_the_container_s_own():
    with Box(env=["A=1", "B=2"], cwd="/tmp", user="1234",
             capabilities={"drop": ["ALL"]}) as b:
        done = b.run("sh", "-c", "echo $A $B $C; pwd; id -u; "
                     "grep -E 'CapBnd|NoNewPrivs' /proc/self/status",
                     env=["B=3", "C=4"])
        lines = done["stdout"].split("\n")
        equal(lines[:3], ["1 3 4", "/tmp", "1234"])
        equal(lines[3].split()[1], "0" * 16)
        equal(lines[4].split()[1], "1")
        done = b.run("sh", "-c", "pwd; id -u; id -g; echo $HOME", cwd="/bin",
                     user="0:5")
        equal(done["stdout"], "/bin\n0\n5\n/root\n")
        done = b.run("sh", "-c", "grep CapEff /proc/self/status", user="0")
        equal(done["stdout"].split()[1], "0" * 16)


@test
def a_user_is_looked_up_in_the_container_s_files_as_they_are_now():
    with Box() as b:
        b.run("sh", "-c", "echo app:x:1000:77::/home/app:/bin/sh >> "
              "/etc/passwd; echo more:x:88:app >> /etc/group")
        done = b.run("sh", "-c", "id -u; id -G; echo $HOME", user="app")
        equal(done["stdout"], "1000\n77 88\n/home/app\n")
        done = b.run("sh", "-c", "id -u; id -G; echo $HOME", user="app:more",
                     env=["HOME=/else"])
        equal(done["stdout"], "1000\n88\n/else\n")
        # What is in there is the container's, and believed no further.
        b.run("sh", "-c", "rm /etc/passwd; ln -s /proc/self/environ "
              "/etc/passwd")
        answer = b.s.post(b.execs, {"args": ["true"], "user": "app"},
                          expect=None)
        check(answer.status in (400, 409), answer)


@test
def a_privileged_one_has_all_capabilities():
    with Box() as b:
        def told(**wishes):
            return b.s.post(b.execs + "?wait=true", dict(wishes, args=[
                "grep", "-E", "CapEff|CapBnd|NoNewPrivs",
                "/proc/self/status"])).json["stdout"].split()
        with open("/proc/self/status") as f:
            own = [x.split()[1] for x in f if x.startswith("CapEff")][0]
        check(own not in told(), told())
        equal(told(privileged=True),
              ["CapEff:", own, "CapBnd:", own, "NoNewPrivs:", "0"])
        b.s.post(b.execs, {"id": "p", "args": ["true"], "privileged": True},
                 expect=201)
        equal(b.s.get(b.execs + "/p").json["privileged"], True)


@test
def what_cannot_run_is_told_and_leaves_nothing():
    with Box() as b:
        def refused(reason, *args, **wishes):
            problem = b.run(*args, expect=409, **wishes)
            equal((problem["code"], problem["reason"]),
                  ("failed_precondition", reason))
            equal(b.listed(), [])
            equal(os.listdir(b.place()), [])
            return problem
        check("/no/such" in refused("executable_not_found", "/no/such")
              ["detail"])
        refused("executable_not_found", "no-such")
        refused("executable_not_found", "/etc/passwd")
        refused("executable_not_found", "/tmp")
        refused("cwd_not_found", "true", cwd="/no/where")
        b.add("e1", "/no/such")
        equal(b.do("e1", "start", expect=409)["reason"],
              "executable_not_found")
        equal(b.get("e1")["state"], "created")
        equal(b.delete("e1"), {})


@test
def bad_requests_name_the_field():
    with Box() as b:
        def faulty(body, *fields):
            answer = b.s.post(b.execs, body, expect=400).json
            equal(sorted(f["field"] for f in answer["errors"]),
                  sorted(fields))

        def bad(body, field, reason=None):
            answer = b.s.post(b.execs, body, expect=400).json
            equal((answer["field"], answer.get("reason")), (field, reason))
        faulty({}, "/args")
        faulty({"args": []}, "/args")
        faulty({"args": [""]}, "/args/0")
        faulty({"args": ["a"], "env": ["X", "=1"], "cwd": "tmp",
                "bogus": 1}, "/env/0", "/env/1", "/cwd", "/bogus")
        faulty({"args": ["a", "b" * 131072]}, "/args/1")
        faulty({"args": ["a"], "stdio": {"mode": "pigeon"}}, "/stdio/mode")
        bad({"args": ["a"] + ["x" * 100000] * 30}, "/args",
            "argument_list_too_long")
        bad({"args": ["a"], "id": "a/b"}, "/id")
        bad({"args": ["a"], "id": "x" * 77}, "/id")
        bad({"args": ["a"], "id": b.id}, "/id")
        bad({"args": ["a"], "user": "nosuch"}, "/user", "user_not_found")
        bad({"args": ["a"], "user": "4294967295"}, "/user")
        b.add("e1", "true")
        equal(b.add("e1", "true", expect=409)["code"], "already_exists")
        b.s.post(N + "/tasks/nosuch/execs", {"args": ["true"]}, expect=404)
        b.s.get(N + "/tasks/nosuch/execs", expect=404)
        equal(b.do("e1", "kill", expect=409)["state"], "created")
        for verb in ("start", "kill"):
            b.do("nosuch", verb, expect=404)
        b.wait("nosuch", expect=404)
        b.delete("nosuch", expect=404)
        equal(b.do("e1", "kill", {"signal": "NOPE"}, expect=400)
              ["errors"][0]["field"], "/signal")


@test
def the_task_s_state_decides():
    with Box(start=False) as b:
        equal(b.run("sh", "-c", "exit 6")["exit_status"], 6)
        b.s.post(b.task + "/start")
        b.add("e1", "true")
        b.s.post(b.task + "/pause")
        for answer in (b.run("true", expect=409),
                       b.add("e2", "true", expect=409),
                       b.do("e1", "start", expect=409)):
            equal((answer["reason"], answer["state"]),
                  ("task_state", "paused"))
        b.s.post(b.task + "/resume")
        equal(b.do("e1", "start")["state"], "running")
        b.wait("e1")
        b.s.post(b.task + "/kill", {"signal": "KILL"})
        b.s.wait_task(b.id)
        for answer in (b.run("true", expect=409),
                       b.add("e2", "true", expect=409)):
            equal((answer["reason"], answer["state"]),
                  ("task_state", "stopped"))
        equal(b.get("e1")["state"], "stopped")


@test
def one_that_has_changed_meanwhile_is_not_deleted():
    with Box() as b:
        made = b.add("e1", *SLEEP)
        tag = {"If-Match": '"%d"' % made["revision"]}
        there = b.execs + "/e1"
        b.do("e1", "start")
        # Nothing is killed for it, either.
        for query in ("", "?force=true"):
            problem = b.s.delete(there + query, expect=412, headers=tag).json
            equal(problem["code"], "aborted")
        now = b.get("e1")
        equal(now["state"], "running")
        tag = {"If-Match": '"%d"' % now["revision"]}
        equal(b.s.delete(there, expect=409, headers=tag).json["state"],
              "running")
        equal(b.s.delete(there + "?force=true", expect=200,
                         headers=tag).json["exit_status"], 137)
        b.s.delete(there, expect=404, headers=tag)


@test
def a_signal_reaches_one_and_a_time_out_kills():
    with Box() as b:
        b.add("e1", *SLEEP, query="?start=true")
        equal(b.get("e1")["state"], "running")
        equal(b.delete("e1", expect=409)["state"], "running")
        b.do("e1", "kill", {"signal": "TERM"})
        equal(b.wait("e1")["exit_status"], 143)
        b.add("e2", *SLEEP, query="?start=true")
        b.s.post(b.task + "/kill", {"signal": 9, "exec_id": "e2"})
        equal(b.wait("e2")["exit_status"], 137)
        b.add("e3", *SLEEP, query="?start=true")
        equal(b.delete("e3", "?force=true")["exit_status"], 137)
        problem = b.run(*SLEEP, id="e4", query="&timeout=0.2", expect=504)
        equal(problem["code"], "deadline_exceeded")
        until(lambda: "e4" not in b.ids(), "removed after the kill")
        equal(b.s.get(b.task).json["state"], "running")
        problem = b.s.post(b.task + "/kill", {"exec_id": "e2", "all": True},
                           expect=400).json
        equal(problem["errors"][0]["field"], "/exec_id")


@test
def an_end_at_the_time_out_is_either_of_them():
    with Box() as b:
        def come_and_go():
            for i in range(12):
                answer = b.s.post(
                    b.execs + "?wait=true&timeout=0.%03d" % (40 + 2 * i),
                    {"args": ["sleep", "0.03"]}, expect=None)
                answers.append((answer.status, answer.text))
        answers = []
        clients = [threading.Thread(target=come_and_go) for _ in range(4)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        for status, text in answers:
            check(status == 200 or
                  status == 504 and "is still running" in text, status, text)
        equal(len(answers), 4 * 12)


@test
def much_output_is_cut_and_said():
    with Box() as b:
        done = b.run("head", "-c", "5000", "/dev/zero",
                     query="&max_output=1000")
        check(done["truncated"])
        equal(base64.b64decode(done["stdout_base64"]), b"\0" * 1000)
        done = b.run("sh", "-c", "head -c 40000000 /dev/zero | tr '\\0' x")
        check(done["truncated"])
        equal(len(done["stdout"]), 8 << 20)
        b.s.post(b.execs + "?wait=true&max_output=8388609",
                 {"args": ["true"]}, expect=400)


@test
def every_line_of_much_output_through_a_terminal_is_there():
    wanted = "".join("line %d\r\n" % i for i in range(1, 200001))
    with Box() as b:
        done = b.run("sh", "-c", "seq 1 200000 | sed 's/^/line /'; "
                     "exit 5", terminal=True, id="much",
                     query="&remove=false")
        equal((done["exit_status"], done["truncated"]), (5, False))
        # No equal(), which would show both.
        check(done["stdout"] == wanted, len(done["stdout"]))
        kept = b.s.get(b.execs + "/much/output").text
        check(kept == wanted, len(kept))


@test
def a_dozen_terminals_started_at_once_are_each_a_process_s_own():
    with Box() as b:
        names = ["t%d" % i for i in range(12)]
        starts = [threading.Thread(target=b.add, args=(
            name, "sh", "-c", "tty; until [ -e /tmp/go ]; do sleep 0.02; "
            "done; echo %s; exit %d" % (name, i)),
            kwargs={"terminal": True, "query": "?start=true"})
            for i, name in enumerate(names)]
        for start in starts:
            start.start()
        for start in starts:
            start.join()
        equal([b.get(name)["state"] for name in names], ["running"] * 12)
        b.run("touch", "/tmp/go")
        ttys = set()
        for i, name in enumerate(names):
            equal(b.wait(name)["exit_status"], i)
            tty, *said = b.s.get("%s/%s/output" % (b.execs, name)) \
                .text.split("\r\n")
            equal(said, [name, ""])
            ttys.add(tty)
        equal(len(ttys), 12, ttys)


@test
def a_list_of_arguments_that_just_fits_arrives_whole():
    words = ["%d: ' \" \\ \n é %s" % (i, "x" * 50000) for i in range(50)]
    script = "echo $#; printf '%s\\0' \"$@\" | sha256sum"

    def ask(b, expect):
        return b.run("sh", "-c", script, "sh", *words, expect=expect)
    with Box() as b:
        problem = ask(b, 400)
        equal(problem["reason"], "argument_list_too_long")
        size, fits = map(int, re.search(
            r"are (\d+) bytes, of which the kernel takes (\d+)",
            problem["detail"]).groups())
        # Each has a NUL and a pointer, too.
        while size - fits > len(words[-1].encode()) + 9:
            size -= len(words.pop().encode()) + 9
        words[-1] = words[-1][:fits - size]
        digest = hashlib.sha256()
        for word in words:
            digest.update(word.encode() + b"\0")
        done = ask(b, 200)
        equal(done["stdout"].split(),
              [str(len(words)), digest.hexdigest(), "-"], done)
        words[-1] += "z"
        equal(ask(b, 400)["reason"], "argument_list_too_long")


@test
def whatever_is_captured_takes_little_memory():
    """A capture of the largest size, of what is dear to write in JSON."""
    # What large requests before it have left goes when the daemon is idle.
    the_daemon().restart()
    with Box() as b:
        pid = b.s.process.pid
        for fill, key in (("", "stdout_base64"), ("| tr '\\0' '\\n'", None),
                          ("| tr '\\0' x", "stdout")):
            with open("/proc/%d/clear_refs" % pid, "w") as f:
                f.write("5")  # the peak begins anew
            done = b.run("sh", "-c", "head -c 100000000 /dev/zero" + fill)
            check(done["truncated"])
            check(key is None or key in done, done.keys())
            with open("/proc/%d/status" % pid) as f:
                peak = next(int(line.split()[1]) for line in f
                            if line.startswith("VmHWM:"))
            diagnose("%s: peak RSS %d KiB" % (fill or "NUL", peak))
            if not is_sanitized("skiffd"):
                check(peak < 50 << 10, "skiffd took", peak, "KiB")


@test
def execs_end_with_their_task_each_told_once():
    for how in ("exit", "delete"):
        with Box() as b:
            after = b.s.revision()
            b.add("c1", "true")
            for i in range(4):
                b.add("e%d" % i, *SLEEP, query="?start=true")
            waiters = []
            answers = []
            for i in range(2):
                waiters.append(threading.Thread(
                    target=lambda: answers.append(b.run(*SLEEP))))
                waiters[-1].start()
            until(lambda: len(b.ids()) == 7, "started")
            if how == "exit":
                b.s.post(b.task + "/kill", {"signal": "KILL"})
                b.s.wait_task(b.id)
                equal([b.get("e%d" % i)["exit_status"] for i in range(4)],
                      [137] * 4)
                equal(b.listed(), ["c1", "e0", "e1", "e2", "e3"])
            b.s.delete(b.task + "?force=true", expect=200)
            for w in waiters:
                w.join()
            equal([a["exit_status"] for a in answers], [137] * 2)
            ends = [e["event"]["id"] for e in b.s.events(after)
                    if e["topic"] == "/tasks/exit"]
            equal(len(ends), len(set(ends)))
            equal(ends[-1], b.id, "the task's exit comes last")
            equal(len(ends), 7)
            gone = [e["event"]["exec_id"] for e in b.s.events(after)
                    if e["topic"] == "/tasks/exec-deleted"]
            equal(len(gone), 7)
            b.s.get(b.execs, expect=404)


def life_of_execs(events):
    lives = {}
    for e in events:
        name = e["event"].get("exec_id") or e["event"].get("id")
        if e["topic"].startswith(("/tasks/exec", "/tasks/exit")):
            lives.setdefault(name, []).append(e["topic"][7:])
    return lives


@test
def a_daemon_that_comes_back_knows_them_all():
    with Box() as b:
        after = b.s.revision()
        b.add("created", "true")
        b.add("on", *SLEEP, query="?start=true")
        b.add("ends", "sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.01; "
              "done; exit 5", query="?start=true")
        b.add("goes", "sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.01; "
              "done; exit 6", query="?start=true&remove=true")
        stray = b.place("stray")
        b.s.kill9()
        os.mkdir(stray)
        upper = glob.glob(b.s.root + "/snapshots/overlay/*/fs")
        earliest = timestamp()
        pid = int(open(os.path.join(b.place(), "../run/pid")).read())
        open("/proc/%d/root/tmp/go" % pid, "w").close()
        check(upper)
        for name in ("ends", "goes"):
            until(lambda: os.path.exists(b.place(name, "exit")), "end")
        latest = timestamp()
        b.s.start()
        equal(b.wait("ends")["exit_status"], 5)
        check(earliest < b.get("ends")["exited_at"] < latest)
        until(lambda: b.ids() == ["created", "ends", "on"], "settled")
        equal(b.get("on")["state"], "running")
        until(lambda: not os.path.exists(stray) and
              not os.path.exists(b.place("goes")), "files removed")
        b.do("created", "start")
        equal(b.wait("created")["exit_status"], 0)
        b.do("on", "kill", {"signal": "KILL"})
        equal(b.wait("on")["exit_status"], 137)
        equal(b.run("sh", "-c", "exit 4")["exit_status"], 4)
        lives = life_of_execs(b.s.events(after))
        for name in ("created", "on", "ends"):
            equal(lives[name], ["exec-added", "exec-started", "exit"])
        equal(lives["goes"], ["exec-added", "exec-started", "exit",
                              "exec-deleted"])


@test
def execs_of_a_shim_that_died_are_lost_with_their_task():
    with Box() as b:
        after = b.s.revision()
        b.add("e1", *SLEEP, query="?start=true")
        with open(os.path.join(b.place(), "../run/shim")) as f:
            shim = int(f.read().split("shim_pid ")[1].split()[0])
        os.kill(shim, 9)
        equal(b.wait("e1")["exit_status"], 137)
        equal(b.get("e1")["reason"], "shim_lost")
        equal(b.s.wait_task(b.id)["exit_status"], 137)
        equal(life_of_execs(b.s.events(after))["e1"],
              ["exec-added", "exec-started", "exit"])


def counted(b):
    """What thousands of execs must not leave."""
    s = b.s
    with open(os.path.join(b.place(), "../run/shim")) as f:
        shim = int(f.read().split("shim_pid ")[1].split()[0])

    def fds(pid):
        return len(os.listdir("/proc/%d/fd" % pid))

    def memory(pid):
        """Its own: what it shares depends on who else runs."""
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return next(int(line.split()[1]) for line in f
                        if line.startswith("Anonymous:"))
    children = "".join(open(c).read() for c in
                       glob.glob("/proc/%d/task/*/children" % shim))
    return {"fds": fds(s.process.pid), "shim fds": fds(shim),
            "children": len(children.split()),
            "directories": len(os.listdir(b.place())),
            "runtime": len(glob.glob(os.path.join(
                s.state, "runtime/default", b.id, "*")))}, \
        memory(s.process.pid), memory(shim)


def run_many(b, wanted):
    """Four at a time."""
    left = iter(range(wanted))
    failures = []

    def work():
        for _ in left:
            try:
                equal(b.run("sh", "-c", "exit 7")["exit_status"], 7)
            except Exception as why:  # told by the main thread
                failures.append(why)
                return
    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(failures, [])


@test
def thousands_leave_nothing():
    """Hundreds, as a rule; SCALE=100000 for so many."""
    is_plain = not is_sanitized("skiffd")
    half = (SCALE or (600 if is_plain else 24)) // 2
    with Box() as b:
        # What is opened once, for several at a time, is there now.
        run_many(b, 100 if is_plain else 16)
        until(lambda: counted(b)[0]["directories"] == 0, "quiet")
        before, daemon, shim = counted(b)
        grown = []

        def run_half():
            run_many(b, half)
            equal(b.listed(), [])

            def same():
                found = counted(b)[0]
                return all(found[k] <= before[k] for k in before)
            until(same, "as before: %s, not %s" % (before, counted(b)[0]))
            grown.append(counted(b)[1] - daemon - sum(grown))
        run_half()
        run_half()
        # What each leaves would be there after any half. SQLite's pages and
        # what malloc has in hand are less, and come to an end. Sanitizers
        # keep freed memory and shadows.
        while is_plain and min(grown) >= half and len(grown) < 6:
            run_half()
        shim_now = counted(b)[2]
        diagnose("%d execs each; memory of skiffd %d KiB, then %s more; of "
                 "the shim %d, then %d" % (half, daemon, grown, shim,
                                           shim_now))
        if is_plain:
            check(shim_now < shim + 64, "the shim grew")
            check(min(grown) < half, "skiffd grew by a KiB an exec", grown)


@test
def many_at_once_on_many_tasks():
    boxes = [Box() for _ in range(3)]
    try:
        failures = []

        def work(b, i):
            done = b.run("sh", "-c", "echo %d; exit %d" % (i, i))
            if (done["exit_status"], done["stdout"]) != (i, "%d\n" % i):
                failures.append((i, done))
        threads = [threading.Thread(target=work, args=(b, i))
                   for b in boxes for i in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(failures, [])
    finally:
        for b in boxes:
            b.__exit__()


main()
