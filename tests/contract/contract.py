# SPDX-License-Identifier: Apache-2.0
"""The contract in openapi/ as what it says of routes and answers.

    for answer in read_answers(path):
        faults = contract.faults_of(answer)

An answer is a line of what skifftest records with SKIFF_RECORD.
"""
import copy
import json
import os
import re
import sys
import urllib.parse

import jsonschema

SRC = os.environ.get("SKIFF_SRC") or os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SRC, "openapi"))
sys.dont_write_bytecode = True
import assemble  # noqa: E402 (its directory was not known before)

METHODS = ("get", "put", "post", "delete", "patch")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")

_formats = jsonschema.FormatChecker(formats=())


@_formats.checks("date-time")
def _is_time(text):
    """RFC 3339 in UTC with nanoseconds, as the API promises."""
    return not isinstance(text, str) or bool(TIME.match(text))


class Operation:
    def __init__(self, contract, path, method):
        item = contract.document["paths"][path]
        self.contract = contract
        self.path = path
        self.method = method.upper()
        self.body = item[method]
        self.id = self.body["operationId"]
        self.parameters = [contract.resolved(p) for p in
                           item.get("parameters", []) +
                           self.body.get("parameters", [])]

    def names(self, place):
        """Of the parameters in "path", "query" or "header"."""
        return [p["name"] for p in self.parameters if p["in"] == place]

    def response(self, status):
        """(description, is it the default) of a status, or (None, _)."""
        responses = self.body["responses"]
        if str(status) in responses:
            return self.contract.resolved(responses[str(status)]), False
        if "default" in responses:
            return self.contract.resolved(responses["default"]), True
        return None, False


class Contract:
    def __init__(self, directory=os.path.join(SRC, "openapi")):
        self.document = assemble.document(directory)
        self.operations = [
            Operation(self, path, method)
            for path, item in self.document["paths"].items()
            for method in METHODS if method in item]
        self._patterns = sorted(
            ((self._pattern(o.path), o) for o in self.operations),
            key=lambda row: -row[0][0])
        self._resolver = jsonschema.RefResolver.from_schema(self.document)
        self._validators = {}

    @staticmethod
    def _pattern(path):
        """Literals win over parameters; an image's name takes slashes."""
        is_image = path.endswith("/images/{name}")
        text = re.sub(r"\\\{[a-z_]+\\\}", "([^/]+)", re.escape(path))
        if is_image:
            text = text[:-len("([^/]+)")] + "(.+)"
        n_literals = sum(1 for part in path.split("/")
                         if part and not part.startswith("{"))
        return n_literals, re.compile("^%s$" % text)

    def resolved(self, item):
        while "$ref" in item:
            at = self.document
            for part in item["$ref"][2:].split("/"):
                at = at[part]
            item = at
        return item

    def find(self, method, target):
        """The operation that answers; HEAD is GET's. None: no such."""
        path = target.split("?")[0]
        method = "GET" if method == "HEAD" else method
        for (_, pattern), operation in self._patterns:
            if operation.method == method and pattern.match(path):
                return operation
        return None

    def schema_faults(self, schema, value):
        """Texts, each with the JSON pointer of what is wrong."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            self._validators[key] = jsonschema.Draft202012Validator(
                schema, resolver=self._resolver, format_checker=_formats)
        return ["/%s: %s" % ("/".join(map(str, e.absolute_path)), e.message)
                for e in self._validators[key].iter_errors(value)]

    def problem_faults(self, answer):
        faults = self.schema_faults(
            {"$ref": "#/components/schemas/Problem"}, answer["json"])
        if media_type(answer) != "application/problem+json":
            faults.append("error as " + media_type(answer))
        if answer["json"] and answer["json"].get("status") != \
                answer["status"]:
            faults.append("status of the problem")
        return faults

    def faults_of(self, answer):
        """What of a recorded answer is not as described."""
        text = answer.get("body") or ""
        texts = text.splitlines() if "ndjson" in answer["content_type"] \
            else [text] if text else []
        documents = [json.loads(text) for text in texts if text]
        answer = dict(answer, documents=documents,
                      json=documents[0] if documents else None)
        if answer.get("sse"):
            return self._sse_faults(answer)
        faults = []
        if not answer["headers"].get("skiff-request-id"):
            faults.append("no Skiff-Request-Id")
        if answer["method"] == "OPTIONS" and answer["status"] == 204:
            return faults + ([] if "allow" in answer["headers"]
                             else ["OPTIONS without Allow"])
        if answer["method"] == "HEAD" and answer["status"] >= 400:
            return faults
        operation = self.find(answer["method"], answer["path"])
        if operation is None:
            if answer["status"] < 400:
                faults.append("no such operation")
            return faults + self.problem_faults(answer)
        return faults + self._answer_faults(operation, answer)

    def _answer_faults(self, operation, answer):
        response, is_default = operation.response(answer["status"])
        if response is None or is_default and answer["status"] < 400:
            return ["status %d is not listed" % answer["status"]]
        faults = ["header %s is missing" % name
                  for name, header in response.get("headers", {}).items()
                  if self.resolved(header).get("required") and
                  name.lower() not in answer["headers"]]
        content = response.get("content", {})
        if not content:
            if answer["headers"].get("content-length", "0") != "0":
                faults.append("has a body")
            return faults
        kind = media_type(answer)
        if kind not in content:
            return faults + ["media type %r is not listed" % kind]
        if is_default:
            return faults + self.problem_faults(answer)
        for document in answer["documents"]:
            faults += self.schema_faults(content[kind].get("schema", {}),
                                         document)
        return faults

    def _sse_faults(self, answer):
        """One event of a stream: its data by the kind of stream."""
        operation = self.find(answer["method"], answer["path"])
        event = answer["sse"]
        if operation is None:
            return ["no such operation"]
        response, _ = operation.response(200)
        kinds = response["content"].get("text/event-stream", {}).get(
            "x-events")
        if kinds is None:
            return ["no event stream is described"]
        if event not in kinds and "*" not in kinds:
            return ["event %r is not described" % event]
        schema = kinds.get(event, kinds.get("*"))
        return self.schema_faults(schema, answer["json"])


def media_type(answer):
    return answer["content_type"].split(";")[0].strip()


def read_answers(path):
    """Of one file, or of all files in a directory."""
    paths = [path]
    if os.path.isdir(path):
        paths = [os.path.join(path, name) for name in
                 sorted(os.listdir(path)) if name.endswith(".jsonl")]
    for name in paths:
        with open(name, encoding="utf-8") as file:
            for line in file:
                yield dict(json.loads(line), file=os.path.basename(name))


def describe(answer, faults):
    return "%s: %s %s: %d %s\n  %s\n  %s" % (
        answer.get("file", "-"), answer["method"],
        urllib.parse.unquote(answer["path"][:200]), answer["status"],
        answer["content_type"], "\n  ".join(faults[:8]),
        (answer.get("body") or "")[:600])


def references(node, at=""):
    """(pointer, target) of every $ref in a document."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield at, value
            else:
                yield from references(value, "%s/%s" % (at, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from references(value, "%s/%d" % (at, i))


def schemas(node, at=""):
    """(pointer, schema) of everything below a key "schema"."""
    if isinstance(node, dict):
        for key, value in node.items():
            place = "%s/%s" % (at, key)
            if key == "schema" and isinstance(value, dict):
                yield place, copy.deepcopy(value)
            yield from schemas(value, place)
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from schemas(value, "%s/%d" % (at, i))
