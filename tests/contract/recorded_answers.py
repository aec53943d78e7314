#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every answer that any test of this run got is as openapi.yaml says."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]

from contract import Contract, describe, read_answers  # noqa
from skifftest import *  # noqa

WHERE = os.environ.get("SKIFF_RECORD", "")

if not os.path.isdir(WHERE) or not os.listdir(WHERE):
    print("1..0 # SKIP no test has left an answer in SKIFF_RECORD")
    sys.exit(0)


@test
def all_are_as_described():
    contract = Contract()
    n = 0
    faults = []
    for answer in read_answers(WHERE):
        n += 1
        found = contract.faults_of(answer)
        if found:
            faults.append(describe(answer, found))
    diagnose("%d answers" % n)
    check(not faults, "%d of %d:\n" % (len(faults), n) +
          "\n".join(faults[:30]))


main()
