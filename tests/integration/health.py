#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Health probes: what they find, and what they cost nobody."""
from skifftest import *
from lib_images import busybox_tree

needs("root", "runc", "skopeo", "docker-registry")

N = "/v1/namespaces/default"
FAST = {"interval": 0.05, "timeout": 20}


def picture(s):
    s.run("first", image(s), ["true"])
    gone(s, "first")
    return s.picture()


def gone(s, name):
    s.delete(N + "/containers/%s?force=true" % name)


def health_of(s, name):
    return s.get(N + "/tasks/" + name).json["health"]


def until_health(s, name, **fields):
    def looked():
        health = health_of(s, name)
        return health if all(health.get(k) == v for k, v in fields.items()) \
            else None
    return until(looked, "health of %s with %s" % (name, fields))


class Patient:
    """A container, and a directory that it shares with the test: its probe
    is good while there is a file ok, and leaves a line in probes."""

    def __init__(self, s, name, command="test -e /h/ok", **health):
        self.s = s
        self.name = name
        self.dir = scratch("h." + name)
        os.mkdir(self.dir)
        wish = dict(FAST, **health)
        wish.setdefault("args", ["sh", "-c",
                                 "echo x >>/h/probes; " + command])
        s.run(name, image(s), ["sleep", "1000"], health=wish,
              mounts=[{"type": "bind", "source": self.dir, "target": "/h"}])

    def be(self, good):
        path = os.path.join(self.dir, "ok")
        if good:
            open(path, "w").close()
        else:
            os.unlink(path)

    def probes(self):
        try:
            with open(os.path.join(self.dir, "probes")) as f:
                return len(f.readlines())
        except FileNotFoundError:
            return 0

    def more_probes(self, n=2):
        have = self.probes()
        until(lambda: self.probes() >= have + n, "probes of " + self.name)


def probe_dirs(s, name):
    path = os.path.join(s.root, "tasks/default", name, "execs")
    return os.listdir(path) if os.path.exists(path) else []


@test
def the_status_follows_the_probes_with_an_event_for_each_change():
    s = the_daemon()
    before = picture(s)
    start = s.revision()
    p = Patient(s, "p", retries=2)
    bad = until_health(s, "p", status="unhealthy")
    equal(bad["last"]["exit_status"], 1)
    p.be(True)
    good = until_health(s, "p", status="healthy")
    equal((good["failing_streak"], good["last"]["exit_status"]), (0, 0))
    # Health that stays as it is costs no write.
    revision = s.revision()
    p.more_probes(4)
    equal(s.revision(), revision)
    p.be(False)
    until_health(s, "p", status="unhealthy", failing_streak=2)
    said = [(e["event"]["status"], e["event"]["failing_streak"])
            for e in s.events(start) if e["topic"] == "/tasks/health"]
    equal(said, [("starting", 1), ("unhealthy", 2), ("healthy", 0),
                 ("healthy", 1), ("unhealthy", 2)])
    # No record names a probe.
    equal(s.get(N + "/tasks/p").json["execs"], [])
    # Only the one that may be running now has a directory.
    check(len(probe_dirs(s, "p")) <= 1, probe_dirs(s, "p"))
    # Another run begins anew.
    again = s.revision()
    s.post(N + "/tasks/p/restart", {"timeout": 0})
    restart = s.wait_event("/tasks/restart", after=again, container_id="p")
    s.wait_event("/tasks/health", after=restart["id"], container_id="p",
                 status="starting", failing_streak=1)
    until_health(s, "p", status="unhealthy")
    gone(s, "p")
    equal(differences(before, s.picture()), [])


@test
def failures_do_not_count_while_it_starts():
    s = the_daemon()
    p = Patient(s, "s", retries=1, interval=600, start_period=600,
                start_interval=0.05)
    p.more_probes(3)
    equal(health_of(s, "s"), {"status": "starting", "failing_streak": 0})
    p.be(True)
    until_health(s, "s", status="healthy")
    gone(s, "s")


@test
def what_takes_too_long_is_killed_and_no_good():
    s = the_daemon()
    Patient(s, "slow", "sleep 1000", retries=1, timeout=0.2, interval=0.5)
    bad = until_health(s, "slow", status="unhealthy")
    equal(bad["last"]["output"], "did not end in time")
    check(len(probe_dirs(s, "slow")) <= 1, probe_dirs(s, "slow"))
    gone(s, "slow")


@test
def what_cannot_be_run_says_so():
    s = the_daemon()
    Patient(s, "none", args=["/no/such/program"], retries=1)
    bad = until_health(s, "none", status="unhealthy")
    check("/no/such/program" in bad["last"]["output"], bad)
    gone(s, "none")


@test
def output_is_kept_to_a_bound_and_is_text():
    s = the_daemon()
    Patient(s, "loud", "printf '\\377\\000ab'; head -c 1000000 /dev/zero | "
            "tr '\\000' z", retries=1)
    good = until_health(s, "loud", status="healthy")
    output = good["last"]["output"]
    check(output.startswith("??abzz"), output[:20])
    equal(len(output), 4096)
    gone(s, "loud")


@test
def probes_go_on_when_the_daemon_was_killed_and_rest_in_a_pause():
    s = the_daemon()
    p = Patient(s, "k")
    p.be(True)
    until_health(s, "k", status="healthy")
    s.kill9()
    s.start()
    equal(health_of(s, "k")["status"], "healthy")
    p.more_probes()
    s.post(N + "/tasks/k/pause")
    s.post(N + "/tasks/k/resume")
    p.more_probes()
    p.be(False)
    until_health(s, "k", status="unhealthy")
    gone(s, "k")


@test
def an_image_says_how_its_health_is_probed():
    s = the_daemon()
    config = {"Cmd": ["sleep", "1000"], "Healthcheck": {
        "Test": ["CMD-SHELL", "exit 3"], "Interval": 50000000,
        "Timeout": 20000000000, "Retries": 1}}
    layout = Layout("health")
    layout.tag(layout.image([busybox_tree()], config))
    name = the_registry().push(str(layout), "t/health:1")
    s.pull(name)
    s.run("i", name, ["sleep", "1000"])
    equal(s.get(N + "/containers/i").json["health"],
          {"args": ["/bin/sh", "-c", "exit 3"], "interval": 0.05,
           "timeout": 20.0, "retries": 1})
    bad = until_health(s, "i", status="unhealthy")
    equal(bad["last"]["exit_status"], 3)
    gone(s, "i")
    s.run("i", name, ["sleep", "1000"], health=False)
    check("health" not in s.get(N + "/tasks/i").json)
    gone(s, "i")


@test
def a_container_that_is_replaced_has_its_image_s_health_again():
    s = the_daemon()
    config = {"Cmd": ["sleep", "1000"], "StopSignal": "SIGUSR1",
              "Healthcheck": {"Test": ["CMD", "true"]}}
    layout = Layout("replaced")
    layout.tag(layout.image([busybox_tree()], config))
    name = the_registry().push(str(layout), "t/replaced:1")
    s.pull(name)
    body = {"image": name, "args": ["sleep", "1"]}

    def asked(doc):
        return doc.get("health"), doc.get("stop_signal")

    place = N + "/containers/put"
    made = s.post(N + "/containers", dict(body, id="put"), expect=201).json
    image_says = asked(made)
    equal(image_says, ({"args": ["true"]}, "SIGUSR1"))
    own = dict(body, health=False, stop_signal="SIGTERM")
    equal(asked(s.put(place, own).json), (False, "SIGTERM"))
    # As if made anew of this, whatever it was before.
    equal(asked(s.put(place, body).json), image_says)
    equal(asked(s.patch(place, {"health": None}).json), (None, "SIGUSR1"))
    equal(asked(s.put(place, body).json), image_says)
    # Without the image, what would be lost is not.
    s.delete(N + "/images/" + quote(name))
    kept = dict(body, health=False, labels={"a": "b"})
    s.put(place, kept, expect=404)
    whole = dict(kept, stop_signal="SIGTERM")
    equal(asked(s.put(place, whole).json), (False, "SIGTERM"))
    s.patch(place, {"health": None, "stop_signal": None})
    equal(asked(s.put(place, dict(body, labels={"c": "d"})).json),
          (None, None))
    gone(s, "put")


@test
def a_bad_wish_is_refused_by_its_field():
    s = the_daemon()
    name = image(s)
    for health, field in (
            (True, "/health"), ("CMD true", "/health"), ({}, "/health/args"),
            ({"args": []}, "/health/args"),
            ({"args": [""]}, "/health/args/0"),
            ({"args": ["true"], "interval": "soon"}, "/health/interval"),
            ({"args": ["true"], "interval": 0}, "/health/interval"),
            ({"args": ["true"], "timeout": -1}, "/health/timeout"),
            ({"args": ["true"], "retries": 0}, "/health/retries"),
            ({"args": ["true"], "shell": "sh"}, "/health/shell")):
        answer = s.post(N + "/containers", {"image": name, "health": health},
                        expect=400).json
        equal(answer["errors"][0]["field"], field, health)


main()
