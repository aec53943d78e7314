#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many clients at once on few names: containers and tasks are created,
started, signalled, waited for and deleted by threads that know nothing of
each other, while others follow events and logs and make and delete
namespaces. Whatever the order, no answer is a fault of the server's, events
tell a true story, and in the end nothing is left; also when the daemon is
killed in the middle."""
import random
import threading

from skifftest import *

needs("root", "runc", "skopeo", "docker-registry")

SECONDS = float(os.environ.get("SKIFF_STRESS_SECONDS", "20"))
N_WORKERS = 8
IDS = ["s%d" % i for i in range(5)]
N = "/v1/namespaces/default"
LINES = 50
# What a client may meet when others work on the same names.
EXPECTED = {200, 201, 204, 404, 409, 504}


class Stress:
    def __init__(self, daemon, image_name):
        self.s = daemon
        self.image = image_name
        self.end = time.monotonic() + SECONDS
        self.faults = []
        self.counts = {}
        self.lock = threading.Lock()
        # Raised around a kill -9: broken connections are no fault then.
        self.life = 0
        self.is_up = threading.Event()
        self.is_up.set()

    def is_over(self):
        return time.monotonic() > self.end or self.faults

    def fault(self, *about):
        with self.lock:
            self.faults.append(" ".join(str(a) for a in about))

    def call(self, method, path, body=None):
        """A status, or None when the daemon went away meanwhile."""
        self.is_up.wait(DEADLINE)
        life = self.life
        try:
            answer = self.s.api(method, path, body, record=False)
        except (OSError, http.client.HTTPException) as why:
            if life == self.life and self.is_up.is_set():
                self.fault(method, path, repr(why))
            return None
        with self.lock:
            key = (method, answer.status)
            self.counts[key] = self.counts.get(key, 0) + 1
        if answer.status not in EXPECTED:
            self.fault(repr(answer))
        return answer.status

    # What the threads do

    def step(self, rng):
        name = rng.choice(IDS)
        task = "%s/tasks/%s" % (N, name)
        what = rng.choice(["container", "task", "task", "start", "start",
                           "kill", "wait", "delete", "force", "pids",
                           "remove", "life"])
        nonce = "%s-%08x" % (name, rng.getrandbits(32))
        script = ("i=0; while [ $i -lt %d ]; do echo %s $i; i=$((i+1)); "
                  "done; %s" % (LINES, nonce,
                                rng.choice(["exit 7", "exec sleep 1000"])))
        container = {"id": name, "image": self.image,
                     "args": ["sh", "-c", script]}
        if what in ("container", "life"):
            self.call("POST", N + "/containers", container)
        if what in ("task", "life"):
            self.call("POST", N + "/tasks", {"container": name})
        if what in ("start", "life"):
            self.call("POST", task + "/start")
        if what in ("kill", "life"):
            self.call("POST", task + "/kill",
                      {"signal": rng.choice(["KILL", "TERM", "USR1"]),
                       "all": rng.random() < 0.5})
        if what in ("wait", "life"):
            self.call("GET", task + "/wait?timeout=%s" %
                      rng.choice(["0", "100ms", "1"]))
        if what == "pids":
            self.call("GET", task + "/pids")
        if what == "delete":
            self.call("DELETE", task)
        if what in ("force", "life"):
            self.call("DELETE", task + "?force=true")
        if what == "remove":
            self.call("DELETE", "%s/containers/%s?force=true" % (N, name))

    def work(self, number):
        rng = random.Random(number)
        while not self.is_over():
            self.step(rng)

    def follow_logs(self, number):
        """What one stream shows is of one task, in order, without a gap."""
        rng = random.Random(1000 + number)
        while not self.is_over():
            self.is_up.wait(DEADLINE)
            path = "%s/tasks/%s/logs?follow=true" % (N, rng.choice(IDS))
            life = self.life
            try:
                # A task that nobody ends for a while is no fault.
                answer = self.s.api("GET", path, record=False,
                                    timeout=SECONDS + DEADLINE)
            except (OSError, http.client.HTTPException) as why:
                if life == self.life and self.is_up.is_set():
                    self.fault("GET", path, repr(why))
                continue
            if answer.status == 404:
                time.sleep(0.01)
                continue
            if answer.status != 200:
                self.fault(repr(answer))
            lines = answer.text.split("\n")[:-1]
            nonce = lines[0].split(" ")[0] if lines else ""
            if lines != ["%s %d" % (nonce, i) for i in range(len(lines))]:
                self.fault("log of", path, lines)

    def follow_events(self, start, into):
        """Every event once, in order, over restarts of the daemon."""
        last = start
        while True:
            self.is_up.wait(DEADLINE)
            try:
                with self.s.sse("/v1/events?after=%d" % last) as stream:
                    for event in stream:
                        if not event.get("id"):
                            continue
                        if int(event["id"]) <= last:
                            self.fault("event", event["id"], "after", last)
                        last = int(event["id"])
                        into.append(json.loads(event["data"]))
                        if into[-1]["topic"] == "/namespaces/create" and \
                                into[-1]["event"]["name"] == "finis":
                            return
            except (OSError, http.client.HTTPException, TimeoutError):
                if self.faults:
                    return

    def make_namespaces(self, number):
        """Namespaces come and go while tasks are made in them."""
        rng = random.Random(2000 + number)
        while not self.is_over():
            name = "n%d" % rng.randrange(2)
            base = "/v1/namespaces/" + name
            self.call("POST", "/v1/namespaces", {"name": name})
            self.call("DELETE", base)
            self.call("POST", base + "/images/pull?wait=true",
                      {"ref": self.image})
            self.call("POST", base + "/containers",
                      {"id": "x", "image": self.image, "args": ["true"]})
            self.call("POST", base + "/tasks", {"container": "x"})
            self.call("DELETE", base)
            self.call("POST", base + "/tasks/x/start")
            self.call("DELETE", base + "/containers/x?force=true")
            self.call("DELETE", base + "/images/" + quote(self.image))
            self.call("DELETE", base)

    def tidy(self):
        for name in IDS:
            self.call("DELETE", "%s/containers/%s?force=true" % (N, name))
        for name in ("n0", "n1"):
            base = "/v1/namespaces/" + name
            self.call("DELETE", base + "/containers/x?force=true")
            self.call("DELETE", base + "/images/" + quote(self.image))
            self.call("DELETE", base)

    def run(self, in_the_middle=None):
        start = self.s.revision()
        events = []
        follower = threading.Thread(target=self.follow_events,
                                    args=(start, events), daemon=True)
        follower.start()
        threads = [threading.Thread(target=f, args=(i,), daemon=True)
                   for f, n in ((self.work, N_WORKERS),
                                (self.follow_logs, 3),
                                (self.make_namespaces, 2))
                   for i in range(n)]
        for thread in threads[:N_WORKERS]:
            thread.start()
        for thread in threads[N_WORKERS:]:
            thread.start()
        if in_the_middle:
            time.sleep(SECONDS / 2)
            in_the_middle(self)
        for thread in threads[:N_WORKERS] + threads[N_WORKERS + 3:]:
            thread.join(SECONDS + 2 * DEADLINE)
        self.tidy()
        # The tasks are gone: so is all that there was to follow.
        for thread in threads:
            thread.join(DEADLINE)
            check(not thread.is_alive(), "a client still waits", self.faults)
        equal(self.faults[:5], [], "faults")
        self.s.post("/v1/namespaces", {"name": "finis"}, expect=201)
        follower.join(DEADLINE)
        check(not follower.is_alive(), "the last event never came")
        self.s.delete("/v1/namespaces/finis")
        self.check_events(start, events)
        diagnose(" ".join("%s:%d=%d" % (m, c, n) for (m, c), n
                          in sorted(self.counts.items())))

    def check_events(self, start, followed):
        history = self.s.events(start)
        equal(followed, history[:len(followed)], "followed")
        states = {}
        after = {"create": (None,), "start": ("create",), "oom": ("start",),
                 "exit": ("create", "start", "oom"), "delete": ("exit",)}
        n_starts = 0
        for event in history:
            _, kind, verb = event["topic"].split("/", 2)
            if kind != "tasks" or verb not in after:
                continue
            key = (event["namespace"], event["event"]["container_id"])
            check(states.get(key) in after[verb],
                  verb, "after", states.get(key), event)
            states[key] = None if verb == "delete" else verb
            n_starts += verb == "start"
        equal([k for k, v in states.items() if v], [], "tasks without end")
        check(n_starts > 0, "no task was started at all")
        diagnose("%d events, %d starts" % (len(history), n_starts))


def fds(s):
    return len(os.listdir("/proc/%d/fd" % s.process.pid))


def run_and_compare(in_the_middle=None):
    s = the_daemon()
    name = image(s)
    # Warm: what is opened once and kept.
    for ns in ("n0", "n1"):
        s.pull(name, namespace=ns)
        s.delete("/v1/namespaces/%s/images/%s" % (ns, quote(name)))
        s.delete("/v1/namespaces/" + ns)
    s.run("warm", name, ["true"])
    s.wait_task("warm")
    s.delete(N + "/containers/warm?force=true")
    before = s.picture()
    n_fds = fds(s)
    Stress(s, name).run(in_the_middle)
    until(lambda: not differences(before, s.picture()) or None,
          "clean machine: %s" % differences(before, s.picture()))
    until(lambda: fds(s) <= n_fds + 2,
          "return to %d descriptors" % n_fds)


@test
def clients_in_each_others_way_get_true_answers():
    run_and_compare()


@test
def a_daemon_killed_in_the_middle_leaves_the_story_true():
    def kill(stress):
        stress.is_up.clear()
        stress.life += 1
        stress.s.kill9()
        stress.s.start()
        stress.is_up.set()
    run_and_compare(kill)


main()
