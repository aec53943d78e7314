#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the daemon at random moments of a pull, of a run, of restarts.

What must hold after each is in lib_faults; SKIFF_SEED=N repeats a run, as
far as the machine repeats its timing."""
import os
os.environ.pop("SKIFF_RECORD", None)  # answers of dying daemons

import random
import threading

from skifftest import *
from lib_faults import (Life, Restarts, consistent, has_died,
                        lives_in_order, mend, nothing_left, start_clean,
                        tiny_image)

needs("root", "runc", "skopeo", "docker-registry")

ROUNDS = 10
KILLS = 4
SEED = int(os.environ.get("SKIFF_SEED") or random.randrange(1 << 32))


class Killer:
    """Kills the daemon after a random while, again after each restart."""

    def __init__(self, s, source, longest):
        self.s = s
        self.source = source
        self.longest = longest
        self.left = KILLS
        self.timer = None
        self.n_killed = 0

    def arm(self):
        if self.left == 0:
            return
        self.left -= 1
        self.timer = threading.Timer(self.source.uniform(0, self.longest),
                                     self.kill, [self.s.process])
        self.timer.start()

    def kill(self, process):
        process.kill()
        self.n_killed += 1

    def disarm(self):
        self.left = 0
        if self.timer:
            self.timer.cancel()
            self.timer.join()


def die_on_the_way_up(s, source):
    """Half of those that died are killed in the midst of recovering."""
    s.start(wait=False)
    has_died(s.process, source.uniform(0, 0.08))
    s.process.kill()
    check(has_died(s.process, DEADLINE), "skiffd survives SIGKILL")


def live_and_die(kind, ref, longest, steps):
    """Rounds of a life whose daemon is killed in some of the steps."""
    source = random.Random(SEED)
    diagnose("SKIFF_SEED=%d" % SEED)
    s = Daemon(steps[0])
    start_clean(s)
    n_killed = 0
    for number in range(ROUNDS):
        life = kind(s, ref, "round-%s-%d" % (steps[0], number))
        before = life.picture()
        start = s.revision()
        killer = Killer(s, source, longest)

        def at_step(name):
            if name == steps[0]:
                killer.arm()
            elif name not in steps and killer.timer:
                killer.disarm()

        def on_failure(_step, error):
            if has_died(s.process, 5) and source.random() < 0.5:
                die_on_the_way_up(s, source)
            mend(s, error)
            killer.arm()

        try:
            life.run(on_failure, at_step)
        finally:
            killer.disarm()
        mend(s, None)
        consistent(s.root)
        check(lives_in_order(s.events(start)), "no task lived")
        nothing_left(before, life)
        n_killed += killer.n_killed
    diagnose("%d daemons killed in %d rounds" % (n_killed, ROUNDS))
    check(n_killed >= ROUNDS, "too few daemons were killed:", n_killed)
    s.stop()
    s.destroy()


@test
def killed_during_a_pull_it_pulls_on_and_leaves_nothing():
    live_and_die(Life, the_registry().push(big_image(8), "t/big:1"), 0.25,
                 ["pull"])


@test
def killed_during_a_run_it_knows_its_tasks_and_leaves_nothing():
    live_and_die(Life, the_registry().push(tiny_image(), "t/tiny:1"), 0.12,
                 ["create", "create_task", "exec", "kill_exec", "start",
                  "pause", "update", "resume", "stop", "exit", "delete_task",
                  "delete_container", "delete_image", "delete_namespace"])


@test
def killed_during_restarts_it_goes_on_with_them():
    live_and_die(Restarts, the_registry().push(tiny_image(), "t/tiny:1"),
                 0.12, ["come_back", "fail", "restart", "stop", "exit"])


main()
