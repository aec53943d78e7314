#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""openapi.yaml is OpenAPI, and names the daemon's routes and no others."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]

import jsonschema  # noqa
from contract import Contract, METHODS, references, schemas  # noqa
from skifftest import *  # noqa

needs("root")

contract = Contract()


def routes():
    """(method, path as OpenAPI writes it) → entry of GET /."""
    return {(r["method"], r["path"].replace("*}", "}")): r
            for r in the_daemon().get("/").json["routes"]}


def described():
    return {(o.method, o.path): o for o in contract.operations}


@test
def every_route_is_described_and_every_description_has_a_route():
    missing = sorted(set(routes()) - set(described()))
    equal(missing, [], "routes without a description")
    vain = sorted(set(described()) - set(routes()))
    equal(vain, [], "descriptions without a route")


@test
def operation_ids_are_the_same_and_unique():
    here = routes()
    for place, operation in described().items():
        equal(operation.id, here[place]["operation"], *place)
    ids = [o.id for o in contract.operations]
    equal(sorted(set(ids)), sorted(ids))


@test
def the_daemon_serves_this_very_document():
    equal(the_daemon().get("/openapi.json").json, contract.document)


@test
def path_parameters_are_those_of_the_path():
    for operation in contract.operations:
        in_path = [part[1:-1] for part in operation.path.split("/")
                   if part.startswith("{")]
        equal(operation.names("path"), in_path, operation.id)
        for parameter in operation.parameters:
            check(parameter["in"] != "path" or parameter.get("required"),
                  operation.id, parameter["name"], "is not required")


@test
def query_parameters_are_those_that_the_route_knows():
    here = routes()
    for place, operation in described().items():
        equal(sorted(operation.names("query")), sorted(here[place]["query"]),
              *place)


@test
def any_other_query_parameter_is_refused():
    s = the_daemon()
    for (method, path), route in routes().items():
        path = path.replace("{digest}", "sha256:" + "0" * 64)
        path = path.replace("{snapshotter}", "default")
        for name in ("ns", "id", "key", "name"):
            path = path.replace("{%s}" % name, "x")
        problem = s.api(method, path + "?no_such_key=1", expect=400).json
        equal(problem["reason"], "unknown_parameter", method, path)
        for key in route["query"]:
            answer = s.api(method, "%s?%s=%%7f" % (path, key))
            check(b"unknown_parameter" not in answer.body, answer)


@test
def classes_of_error_are_those_of_the_daemon():
    path = os.path.join(SRC, "server", "base", "error_codes.h")
    with open(path, encoding="utf-8") as file:
        names = re.findall(r'X\(\w+,\s*"(\w+)",\s*\d+', file.read())
    properties = contract.document["components"]["schemas"]["Problem"][
        "properties"]
    equal(sorted(properties["code"]["enum"]), sorted(names))


@test
def the_document_has_the_form_of_openapi_3_1():
    document = contract.document
    equal(document["openapi"], "3.1.0")
    equal(sorted(set(document) - {"openapi", "info", "servers", "tags",
                                  "paths", "components"}), [])
    for key in ("title", "version"):
        check(isinstance(document["info"][key], str), key)
    tags = {tag["name"] for tag in document["tags"]}
    for operation in contract.operations:
        check(operation.body.get("summary"), operation.id, "has no summary")
        check(set(operation.body.get("tags", [])) <= tags, operation.id)
        check(set(operation.body) <= {
            "operationId", "tags", "summary", "description", "parameters",
            "requestBody", "responses"}, operation.id, sorted(operation.body))
        for status in operation.body["responses"]:
            check(status == "default" or status.isdigit(), status)
            response, _ = operation.response(status)
            check(response.get("description"), operation.id, status)
    for path, item in document["paths"].items():
        check(path.startswith("/"), path)
        check(set(item) <= set(METHODS) | {"parameters"}, path, sorted(item))


@test
def every_reference_leads_somewhere_and_every_component_is_used():
    wanted = set()
    for at, target in references(contract.document):
        check(target.startswith("#/components/"), at, target)
        contract.resolved({"$ref": target})
        wanted.add(target)
    for kind, items in contract.document["components"].items():
        for name in items:
            place = "#/components/%s/%s" % (kind, name)
            check(place in wanted, place, "is not used")


@test
def every_schema_is_one():
    for at, schema in schemas(contract.document):
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as why:
            raise Failed("%s: %s" % (at, why.message))
    for name, schema in contract.document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)


@test
def every_route_answers_head_options_and_405():
    s = the_daemon()
    by_path = {}
    for (method, path), route in routes().items():
        by_path.setdefault(path, set()).add(method)
    for path, methods in by_path.items():
        target = path.replace("{snapshotter}", "default")
        for name in ("ns", "id", "key", "name", "digest"):
            target = target.replace("{%s}" % name, "x")
        if "GET" in methods:
            methods.add("HEAD")
        methods.add("OPTIONS")
        answer = s.api("OPTIONS", target, expect=204)
        allow = {m.strip() for m in answer.headers["Allow"].split(",")}
        equal(allow, methods, path)
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH",
                       "DELETE"} - methods:
            answer = s.api(method, target, expect=405)
            equal(answer.headers["Allow"], s.api(
                "OPTIONS", target).headers["Allow"], method, path)


main()
