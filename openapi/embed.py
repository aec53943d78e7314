#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the contract as a C array of its compact JSON."""
import json
import sys

sys.dont_write_bytecode = True
import assemble  # noqa: E402


def main():
    source, target = sys.argv[1:]
    text = json.dumps(assemble.document(source), separators=(",", ":"))
    data = text.encode()
    rows = [", ".join(str(b) for b in data[i:i + 20])
            for i in range(0, len(data), 20)]
    with open(target, "w", encoding="ascii") as file:
        file.write("/* Made by openapi/embed.py. */\n"
                   '#include "openapi/openapi_json.h"\n\n'
                   "const unsigned char openapi_json[] = {\n\t"
                   + ",\n\t".join(rows) +
                   "\n};\nconst size_t openapi_json_len = "
                   "sizeof(openapi_json);\n")


main()
