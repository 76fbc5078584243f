# SPDX-License-Identifier: GPL-2.0-only
"""As much of JSON Schema as ours use; python3-jsonschema's as well where it is there."""

import re

try:
    import jsonschema
except ImportError:
    jsonschema = None

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
WORDS = {"$schema", "$comment", "$defs", "title", "description", "type", "properties", "required",
         "additionalProperties", "items", "enum", "const", "pattern", "minimum", "oneOf", "$ref"}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def reasons(value, schema, top, at="answer"):
    unknown = set(schema) - WORDS
    if unknown:
        yield f"the schema of {at} has words that are not known here: {unknown}"
    if "$ref" in schema:
        yield from reasons(value, top["$defs"][schema["$ref"].rpartition("/")[2]], top, at)
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(is_type(value, name) for name in names):
        yield f"{at} is {value!r}, not {names}"
        return
    if "enum" in schema and value not in schema["enum"] or value != schema.get("const", value):
        yield f"{at} is {value!r}"
    if "oneOf" in schema:
        good = [s for s in schema["oneOf"] if not list(reasons(value, s, top, at))]
        if len(good) != 1:
            yield f"{at} fits {len(good)} of what it may be: {value!r}"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{at} is {value!r}"
    if isinstance(value, int) and value < schema.get("minimum", value):
        yield f"{at} is {value}"
    yield from inside(value, schema, top, at)


def inside(value, schema, top, at):
    if isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (f"{at} has no {name}" for name in schema.get("required", []) if name not in value)
        if schema.get("additionalProperties", True) is False:
            yield from (f"{at} has {name}" for name in value if name not in known)
        for name in set(value) & set(known):
            yield from reasons(value[name], known[name], top, f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            yield from reasons(item, schema["items"], top, f"{at}[{i}]")


def check(value, schema):
    found = list(reasons(value, schema, schema))
    if found:
        raise AssertionError("; ".join(found))
    if jsonschema:
        jsonschema.validate(value, schema)
