"""This module makes the JSON Schema of job files, for editors, of the same table of keys that reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ganger.jobfile.keys import API_VERSION, ARRAY, DEFAULTS, KINDS, TASK, Key, Table

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "A job file of Ganger: tasks and arrays to submit."

Schema = dict[str, Any]


def job_schema() -> Schema:
    """The schema of every kind of job file, in YAML and in TOML."""
    version = {"const": API_VERSION}
    several: dict[str, Schema] = {
        "apiVersion": version,
        "kind": {"const": "Tasks"},
        "name": {"type": ["string", "number", "boolean"], "description": "A name for the whole."},
        "defaults": {"$ref": "#/$defs/defaults"},
        "tasks": {"type": "array", "items": {"$ref": "#/$defs/task"}, "minItems": 1},
    }
    task = _table(TASK, required=["command"])
    alone = {kind: _alone(kind, task["properties"]) for kind in KINDS if kind != "Tasks"}
    return {
        "$schema": DRAFT,
        "title": TITLE,
        "type": "object",
        "required": ["apiVersion", "kind"],
        "oneOf": [*alone.values(), _object(several, ["apiVersion", "kind", "tasks"])],
        "$defs": {"task": task, "defaults": _table(DEFAULTS)},
    }


def _alone(kind: str, properties: Mapping[str, Schema]) -> Schema:
    """A file that is one task, or one array."""
    inside = {name: each for name, each in properties.items() if name != ARRAY or kind == "Array"}
    head = {"apiVersion": {"const": API_VERSION}, "kind": {"const": kind}}
    required = ["apiVersion", "kind", "command", *([ARRAY] if kind == "Array" else [])]
    return _object({**head, **inside}, required)


def _table(keys: Sequence[Key | Table], required: Sequence[str] = ()) -> Schema:
    return _object({key.name: _value(key) for key in keys}, required)


def _value(key: Key | Table) -> Schema:
    schema = _table(key.keys) if isinstance(key, Table) else dict(key.kind.schema)
    return {"description": key.help, **schema}


def _object(properties: Mapping[str, Schema], required: Sequence[str]) -> Schema:
    schema: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema
