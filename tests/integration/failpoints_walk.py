#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every failpoint, each time that a container's life reaches it.

The life (lib_faults.Life) is a pull, a create, a start, an exit and all the
deletions. A first walk without faults counts how often each point of
`skiffd --list-failpoints` is reached: a point that is not reached at all
fails the test. Then each point crashes its process (the daemon, or the
shim), fails with EIO, with ENOSPC, or is slow; the steps are repeated until
the life is over, and nothing may be left of it. The same with another life
(lib_faults.Restarts), whose faults begin with its second run.

    failpoints_walk.py [TEST] with SKIFF_WALK=blob.rename for those alone,
    with SKIFF_WALK_DEEP=1 for more hits of each (as ./runtests --all does)
"""
import os
os.environ.setdefault("SKIFF_TEST_SECONDS", "900")
os.environ.pop("SKIFF_RECORD", None)  # answers of dying daemons

import collections
import itertools
import queue
import re
import threading

from skifftest import *
from lib_faults import (Life, Refused, Restarts, consistent, has_died,
                        lives_in_order, mend, nothing_left, start_clean,
                        tiny_image)

needs("root", "runc", "skopeo", "docker-registry")

N_WORKERS = 2
DEEP = os.environ.get("SKIFF_WALK_DEEP") == "1"
# How many of a point's hits get a fault of their own: its first ones.
N_CRASHES = 12 if DEEP else 4
N_ERRORS = 4 if DEEP else 2
# Every commit, of whatever it is, gets a fault of its own: before it or
# after it, in turns, when deep both.
N_COMMITS = 60
# After so many it is known to be broken.
MAX_FAILURES = 6
WANTED = os.environ.get("SKIFF_WALK", "")

# The scenarios that only a life with restarts has, and its steps in which
# faults happen: the others are those of every life.
OF_RESTARTS = ("restart", "rotate")
FIRST_STEP, STEP_BEHIND = "come_back", "delete_task"

Job = collections.namedtuple("Job", "life point hit action")


def points():
    """{name: the scenario that should reach it}"""
    text = subprocess.run([os.path.join(BUILD, "skiffd"),
                           "--list-failpoints"], capture_output=True,
                          text=True, check=True).stdout
    all_points = dict(line.split("\t") for line in text.splitlines())
    # Those of checkpoints have a walk of their own, in checkpoint_faults.py,
    # those of renames a test, in task_rename.py.
    return {name: scenario for name, scenario in all_points.items()
            if scenario not in ("checkpoint", "restore", "rename")}


def points_of(life):
    """Those that the life has to reach."""
    return [p for p, scenario in points().items()
            if (scenario in OF_RESTARTS) == (life is Restarts)]


def trace(path):
    """[(pid, name)] of the points that acted, in order."""
    try:
        with open(path) as f:
            return [tuple(line.split()) for line in f]
    except FileNotFoundError:
        return []


def descriptors(pid):
    """What a daemon has open, but for its database, of which it opens as
    many as it has readers at once."""
    found = collections.Counter()
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            name = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        except OSError:
            continue
        if "/skiff.db" not in name:
            found[re.sub(r":\[\d+\]", "", name)] += 1
    return found


_ref = None
_counts = {}
_names = itertools.count()


def ref():
    global _ref
    if _ref is None:
        _ref = the_registry().push(tiny_image(), "t/tiny:1")
    return _ref


def counts(life):
    """How often each point is hit in one life, by one process at most."""
    if life not in _counts:
        walker = Walker()
        walker.walk("count", life,
                    ";".join("%s=print" % p for p in points()))
        _counts[life] = collections.Counter()
        for (_, point), n in collections.Counter(
                trace(walker.trace)[:walker.n_in_steps]).items():
            _counts[life][point] = max(_counts[life][point], n)
        walker.end()
    return _counts[life]


class Walker:
    """A daemon that lives through one job after the other."""

    def __init__(self):
        self.name = "w%d" % next(_names)
        self.s = Daemon(self.name)
        self.trace = os.path.join(self.s.dir, "trace")
        self.needed_restart = []

    def hits(self):
        return [name for _, name in trace(self.trace)]

    def restart_clean(self, error):
        """After a failed step: a dead daemon is started again, and so is
        one whose shims would fail in the same way once more."""
        if self.shims_fail and isinstance(error, Refused):
            self.s.stop()
            start_clean(self.s)
        mend(self.s, error)

    def start(self, failpoints):
        """It may die on its way up, for that is walked as well."""
        s = self.s
        s.start(env={"SKIFF_FAILPOINTS": failpoints,
                     "SKIFF_FAILPOINTS_TRACE": self.trace}, wait=False)
        try:
            until(s.is_ready, "/readyz")
        except Failed:
            check(self.hits(), "skiffd does not start:", s.log_tail())
            start_clean(s)
        self.had = s.process.pid, descriptors(s.process.pid)

    def no_descriptor_more(self):
        """Than when it was started, unless it had to be since."""
        pid, had = self.had
        if self.s.process.pid != pid:
            return
        def more():
            return descriptors(pid) - had
        try:
            until(lambda: not more(), "descriptors closed")
        except TimeoutError:
            raise Failed("descriptors left: %s" % more())

    def at_step(self, name):
        """Of Restarts: the failpoints are set, and no longer counted."""
        if name == FIRST_STEP:
            self.s.stop()
            self.start(self.failpoints)
        elif name == STEP_BEHIND:
            self.n_in_steps = len(self.hits())

    def walk(self, what, kind, failpoints):
        """One life with the failpoints set; raises what went wrong."""
        if os.path.exists(self.trace):
            os.unlink(self.trace)
        s = self.s
        self.shims_fail = failpoints.startswith("shim.")
        self.failpoints = failpoints
        self.n_in_steps = None
        life = kind(s, ref(), "walk-" + self.name)
        fresh = not os.path.exists(s.root)
        if fresh:
            start_clean(s)
            s.stop()
        consistent(s.root)
        start = self.last_event()
        before = life.picture()
        statuses = []

        def on_failure(step, error):
            if isinstance(error, Refused):
                statuses.append((step, error.status, error.problem))
                check(error.status >= 500 or error.status == 409, step,
                      "answered", error)
            self.restart_clean(error)

        if kind is Restarts:
            start_clean(s)
            life.run(on_failure, self.at_step)
        else:
            self.start(failpoints)
            life.run(on_failure)
        if has_died(s.process):  # as the last thing that it did
            start_clean(s)
        self.no_descriptor_more()
        consistent(s.root)
        lives = lives_in_order(s.events(start))
        check(lives, "no task lived")
        s.stop()
        left = differences(before, life.picture())
        if left:
            # Allowed after a failed deletion, until the next start.
            self.needed_restart.append((what, left))
            start_clean(s)
            s.stop()
            nothing_left(before, life)
        return statuses

    def last_event(self):
        database = os.path.join(self.s.root, "skiff.db")
        import sqlite3
        db = sqlite3.connect("file:%s?mode=ro" % database, uri=True)
        try:
            return db.execute("SELECT max(id) FROM event").fetchone()[0] or 0
        finally:
            db.close()

    def end(self):
        self.s.destroy()


def run_jobs(jobs, judge):
    """All jobs on a few daemons at once; says which failed and how."""
    waiting = queue.Queue()
    failures = []
    leftovers = []
    for job in jobs:
        waiting.put(job)
    lock = threading.Lock()

    def work():
        walker = None
        while len(failures) < MAX_FAILURES:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                break
            if walker is None:
                walker = Walker()
            try:
                judge(walker, job)
            except Exception:
                with lock:
                    failures.append((job, traceback.format_exc()))
                    diagnose("%s\n%s\n%s" % (job, traceback.format_exc(),
                                             walker.s.log_tail(60)))
                leftovers.extend(walker.needed_restart)
                walker.end()
                walker = None
        if walker:
            leftovers.extend(walker.needed_restart)
            walker.end()

    threads = [threading.Thread(target=work) for _ in range(N_WORKERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    diagnose("%d walks" % len(jobs))
    for what, left in leftovers:
        diagnose("left until the next start by %s: %s" % (what, left))
    check(not failures, "%d of %d walks failed: %s" % (
        len(failures), len(jobs), [tuple(job) for job, _ in failures]))


def walk_one(walker, job):
    statuses = walker.walk(job, job.life, "%s=%d*%s" % (
        job.point, job.hit, job.action))
    # Commits that meet are one, and a try that fails may be made twice:
    # their number is not always the same.
    check(job.point in walker.hits() or
          ((job.point.startswith("db.") or job.life is Restarts) and
           job.hit > 1), job, "was not reached")
    return statuses


def wanted(life=Life):
    return [p for p in sorted(points_of(life))
            if not WANTED or p in WANTED.split(",")]


def hits_of(point, n_max):
    """Which of the point's hits get a fault."""
    n = counts(Life)[point]
    if not point.startswith("db.") or n_max == 1:
        return range(1, min(n, n_max) + 1)
    first = 2 if point.endswith(".after") and not DEEP else 1
    return range(first, min(n, N_COMMITS) + 1, 1 if DEEP else 2)


def jobs_of(action, n_max, names=None):
    return [Job(Life, p, n, action)
            for p in (wanted() if names is None else names)
            for n in hits_of(p, n_max)]


def jobs_of_restarts(action, n_max, n_max_of_others):
    """Of its own points all hits, of those of every life the first ones. A
    shim has one run only, and what it hits in that once is enough."""
    jobs = []
    for point, n in sorted(counts(Restarts).items()):
        is_own = points()[point] in OF_RESTARTS
        n = min(n, n_max if is_own else n_max_of_others,
                1 if point.startswith("shim.") else n)
        if not WANTED or point in WANTED.split(","):
            jobs += [Job(Restarts, point, hit, action)
                     for hit in range(1, n + 1)]
    return jobs


@test
def every_point_is_reached_by_a_container_s_life():
    for life in (Life, Restarts):
        missed = [p for p in points_of(life) if not counts(life)[p]]
        check(not missed, "no step reaches", *missed)
        diagnose(" ".join("%s:%d" % c for c in sorted(counts(life).items())))


@test
def a_crash_at_every_point_loses_nothing_and_leaves_nothing():
    run_jobs(jobs_of("crash", N_CRASHES), walk_one)


@test
def a_crash_in_the_midst_of_a_restart_loses_no_run():
    run_jobs(jobs_of_restarts("crash", N_CRASHES, N_CRASHES if DEEP else 1),
             walk_one)


@test
def an_error_at_every_point_is_told_and_the_step_can_be_repeated():
    run_jobs(jobs_of("error(EIO)", N_ERRORS), walk_one)


@test
def an_error_in_the_midst_of_a_restart_is_another_try():
    run_jobs(jobs_of_restarts("error(EIO)", N_ERRORS,
                              N_ERRORS if DEEP else 0), walk_one)


@test
def a_full_disk_at_every_durable_step_is_insufficient_storage():
    durable = [p for p in wanted() if p.startswith(
        ("apply.", "blob.", "bundle.", "db.", "layer.", "snapshot."))]

    def judge(walker, job):
        for step, status, problem in walk_one(walker, job):
            equal((status, problem["code"]), (507, "insufficient_storage"),
                  step)

    run_jobs(jobs_of("error(ENOSPC)", 1, durable), judge)


def slow(point):
    return "%s=delay(%d)" % (point, 50 if counts(Life)[point] < 10 else 5)


@test
def slow_steps_are_only_slow():
    """All of them in one life."""
    walker = Walker()
    equal(walker.walk("slow", Life, ";".join(slow(p) for p in wanted())), [],
          "failed steps")
    check(set(wanted()) <= set(walker.hits()), "not all were reached")
    walker.end()


main()
