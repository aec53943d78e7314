#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""User strings: who they say or nobody, and never root by mistake."""
from lib_refusals import *

needs("root", "runc", "skopeo", "docker-registry")

GOOD_USERS = {
    "": (0, 0), "0": (0, 0), "1000": (1000, 1000), "1000:10": (1000, 10),
    "app": (1000, 1000), "app:staff": (1000, 50), "2000": (2000, 0),
    "4294967294": (4294967294, 0), "root": (0, 0), "weird": (0, 0),
}
BAD_USERS = ["nosuch", "4294967295", "4294967296", "18446744073709551616",
             "-1", "+1", " 1", "1 ", "1:", ":1", "1:2:3", "0x0", "1e3",
             "root\n", "app\x01", "u" * 300, "app:nosuch", "app:4294967295",
             ":", "::", "\u0661", "root ", "0\t", "1000:-1", "\u00e4",
             "app:", "../root"]


@test
def users_are_who_they_say_or_nobody():
    s = the_daemon()
    name = pulled_image()
    for user, (uid, gid) in GOOD_USERS.items():
        made = s.post(N + "/containers", {
            "id": "u", "image": name, "args": ["true"], "user": user},
            expect=201).json
        given = made["spec"]["process"]["user"]
        equal((given["uid"], given["gid"]), (uid, gid), repr(user))
        s.delete(N + "/containers/u")
    before = s.revision()
    for user in BAD_USERS:
        problem = ask("POST", N + "/containers", {
            "id": "u", "image": name, "args": ["true"], "user": user})
        check("/user" in pointers(problem), repr(user), problem)
    problem = ask("POST", N + "/containers",
                  b'{"id":"u","image":"x","user":"app\\u0000"}')
    equal(s.revision(), before, "a refused user made something")
    s.get(N + "/containers/u", expect=404)


@test
def a_user_starts_as_that_user():
    s = the_daemon()
    for user, ids in (("app", "1000 1000"), ("2000", "2000 0"),
                      ("1000:10", "1000 10")):
        s.run("u", pulled_image(), ["sh", "-c", "echo $(id -u) $(id -g)"], user=user)
        s.wait_task("u")
        equal(s.get(N + "/tasks/u/logs").text.strip(), ids, user)
        s.delete(N + "/containers/u?force=true")


@test
def the_daemon_is_as_well_as_before():
    daemon_is_well()


main()
