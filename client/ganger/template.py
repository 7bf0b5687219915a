"""This module fills a template such as `{id} {state}` from documents, in the style of Python's str.format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from string import Formatter

_ESCAPES = {"\\t": "\t", "\\n": "\n", "\\\\": "\\"}

Documents = Sequence[Mapping[str, object]]

Unknown = Callable[[str, Sequence[str]], Exception]
"""The error for a name that is not among these."""


def names_in(template: str) -> list[str]:
    """The names in its braces, as paths: `outcome.exit_code`. Raises `Invalid` for what is no template."""
    return [name for _, name, _, _ in _parse(template) if name is not None]


def fill(template: str, documents: Documents, unknown: Unknown) -> Iterator[str]:
    """The template once for each document; nothing stands for null. Raises `Invalid` for names that are not there."""
    parts = _parse(template)
    for name in {name for _, name, _, _ in parts if name is not None}:
        if documents and not has_key(documents, name):
            raise unknown(name, keys_beside(documents, name))
    for document in documents:
        yield "".join(
            text + ("" if name is None else _shown(look_up(document, name), name, spec, how))
            for text, name, spec, how in parts
        )


def look_up(document: Mapping[str, object], path: str) -> object:
    """What is there: `outcome.exit_code` is the exit code in the outcome; None where something on the way is not."""
    found: object = document
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def has_key(documents: Documents, path: str) -> bool:
    """Whether some document has the key, or could: what is null or empty may have anything."""
    parent, dot, key = path.rpartition(".")
    if not dot:
        return any(key in document for document in documents)
    parents = [look_up(document, parent) for document in documents]
    if not has_key(documents, parent) or any(each and not isinstance(each, Mapping) for each in parents):
        return False
    full = [each for each in parents if isinstance(each, Mapping) and each]
    return not full or any(key in each for each in full)


def keys_beside(documents: Documents, path: str) -> list[str]:
    """What there is where the path ends, as paths: the keys of `outcome` for `outcome.code`."""
    parent = path.rpartition(".")[0]
    while parent:
        for found in (look_up(document, parent) for document in documents):
            if isinstance(found, Mapping) and found:
                return [f"{parent}.{key}" for key in found]
        parent = parent.rpartition(".")[0]
    return list(documents[0])


def _parse(template: str) -> list[tuple[str, str | None, str, str | None]]:
    """Text, and the name, format and conversion that follow it."""
    from ganger_core.domain.errors import Invalid

    plain = re.sub(r"\\[tn\\]", lambda found: _ESCAPES[found.group()], template)
    try:
        return [
            (text, None if name is None else re.sub(r"\[([^]]*)\]", r".\1", name), spec or "", how)
            for text, name, spec, how in Formatter().parse(plain)
        ]
    except ValueError as error:
        raise Invalid(f"-o template: {error}; a key is {{id}}, a brace {{{{", field="output") from None


def _shown(value: object, name: str, spec: str, how: str | None) -> str:
    from ganger_core.domain.errors import Invalid

    if isinstance(value, Mapping | list | bool):
        value = json.dumps(value, ensure_ascii=False)
    if value is None:
        found = re.match(r"(?:.?[<>^=])?[ +-]?0?(\d*)", spec)
        return " " * int(found.group(1) or 0) if found else ""
    try:
        return format(Formatter().convert_field(value, how), spec)
    except (ValueError, TypeError) as error:
        raise Invalid(f"-o template: {{{name}:{spec}}}: {error}", field="output") from None
