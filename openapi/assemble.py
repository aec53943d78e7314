# SPDX-License-Identifier: Apache-2.0
"""The contract as one document: openapi.yaml, and in each file beside it
the paths and schemas of one resource, which may use the anchors that
openapi.yaml sets."""
import glob
import os

import yaml

HEAD = "openapi.yaml"


def files(directory):
    """All files of the contract, openapi.yaml first."""
    head = os.path.join(directory, HEAD)
    return [head] + sorted(
        path for path in glob.glob(os.path.join(directory, "*.yaml"))
        if path != head)


def add(target, source, path):
    for key, value in source.items():
        if key in target:
            raise ValueError("%s: %s is in another file, too" % (path, key))
        target[key] = value


def document(directory):
    head, *parts = files(directory)
    with open(head, encoding="utf-8") as file:
        shared = file.read()
    whole = yaml.safe_load(shared)
    del whole["x-shared"]
    whole["paths"] = {}
    for path in parts:
        with open(path, encoding="utf-8") as file:
            part = yaml.safe_load(shared + file.read())
        add(whole["paths"], part["paths"], path)
        add(whole["components"]["schemas"], part.get("schemas", {}), path)
    return whole
