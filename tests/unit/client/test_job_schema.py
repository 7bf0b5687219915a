"""This module checks the JSON Schema of job files: what it lets pass, the reader takes, key for key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from architecture.sources import ROOT
from ganger.jobfile.keys import TASK, Table, flat
from ganger.jobfile.kinds import plain_value
from ganger.jobfile.problems import Problems
from ganger.jobfile.reading import Setting, read_job
from ganger.jobfile.schema import job_schema
from ganger.jobfile.tree import read_tree
from ganger_core.domain.errors import Invalid

SCHEMA = job_schema()
EXAMPLES = [path for path in sorted((ROOT / "docs/examples").iterdir()) if path.suffix in (".yaml", ".toml")]
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "number": (int, float),
}
KNOWN = {
    "$schema", "title", "description", "$defs", "$ref", "type", "properties", "additionalProperties", "required",
    "items", "minItems", "minimum", "const", "oneOf",
}  # fmt: skip


def faults(value: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """What a validator finds, for the words of JSON Schema that ours uses; any other word is an error here."""
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN
    if "$ref" in schema:
        yield from faults(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], path)
    if "const" in schema and value != schema["const"]:
        yield f"{path}: not {schema['const']}"
    if "type" in schema and not has_type(value, schema["type"]):
        yield f"{path}: not {schema['type']}"
        return
    if "oneOf" in schema and sum(not list(faults(value, each, path)) for each in schema["oneOf"]) != 1:
        yield f"{path}: not one of these"
    if isinstance(value, int) and value < schema.get("minimum", value):
        yield f"{path}: too small"
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{path}: too few"
        for number, item in enumerate(value if "items" in schema else ()):
            yield from faults(item, schema["items"], f"{path}[{number}]")
    if isinstance(value, dict):
        yield from (f"{path}.{key}: missing" for key in schema.get("required", ()) if key not in value)
        for key, member in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", True))
            if inner is False:
                yield f"{path}.{key}: unknown"
            elif inner is not True:
                yield from faults(member, inner, f"{path}.{key}")


def has_type(value: Any, types: str | list[str]) -> bool:
    for name in [types] if isinstance(types, str) else types:
        if name == "integer" and isinstance(value, int) and not isinstance(value, bool):
            return True
        if isinstance(value, TYPES.get(name, ())) and isinstance(value, bool) == (name == "boolean"):
            return True
    return False


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_pass_the_schema_and_the_reader_alike(path: Path) -> None:
    data = path.read_bytes()
    is_toml = path.suffix == ".toml"
    # Not by a reader of YAML 1.1, to which the key `on` is true: editors read 1.2.
    document = plain_value(read_tree(data, Problems(path.name), is_toml=is_toml))
    assert list(faults(document, SCHEMA)) == []
    assert read_job(data, path.name, Setting("/", datetime.now(UTC)), is_toml=is_toml).entries


def test_there_are_examples_of_every_kind() -> None:
    kinds = {line for path in EXAMPLES for line in path.read_text().splitlines() if line.startswith("kind")}
    assert kinds == {"kind: Tasks", "kind: Array", 'kind = "Task"'}


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "Task", "command": ["x"], "prio": 1},
        {"kind": "Task", "command": ["x"], "array": {"indices": "1"}},
        {"kind": "Task", "command": [["x"]]},
        {"kind": "Task"},
        {"kind": "Array", "command": "x"},
        {"kind": "Array", "command": "x", "array": {"index": "1"}},
        {"kind": "Sweep", "command": "x"},
        {"kind": "Tasks"},
        {"kind": "Tasks", "tasks": []},
        {"kind": "Tasks", "tasks": [{"command": "x"}], "defaults": {"name": "x"}},
        {"kind": "Tasks", "tasks": [{"command": "x", "env": ["a"]}]},
        {"kind": "Tasks", "tasks": [{"command": "x", "priority": -1}]},
        {"kind": "Tasks", "tasks": [{"command": "x", "hold": "yes"}]},
    ],
)
def test_what_the_schema_refuses_the_reader_refuses(document: dict[str, Any]) -> None:
    document = {"apiVersion": "ganger/v1", **document}
    assert list(faults(document, SCHEMA))
    with pytest.raises(Invalid):
        read_job(json.dumps(document).encode(), "x", Setting("/", datetime.now(UTC)), is_toml=False)


def test_the_schema_has_every_key_with_words_about_it() -> None:
    properties = SCHEMA["$defs"]["task"]["properties"]
    found = {
        f"{name}.{inner}" if inner else name
        for name, each in properties.items()
        for inner in (each["properties"] if isinstance(_table(name), Table) else [""])
    }
    assert found == {name for name, _ in flat(TASK)}
    assert all(each["description"] for each in properties.values())


def _table(name: str) -> object:
    return next(key for key in TASK if key.name == name)
