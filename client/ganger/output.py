"""This module writes what a command found or did in the form that was asked for: a table, JSON, YAML, CSV, a template.

A command makes documents and says how a table shows them; nothing here knows what the documents are about.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Generic, TypeVar

from ganger import render
from ganger.layout import NOTHING, WIDTH, Column, clean, table
from ganger.template import fill, has_key, keys_beside, look_up, names_in

Item = TypeVar("Item")
Document = Mapping[str, object]


class Form(StrEnum):
    """How a result is written; `template` comes with its text."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    CSV = "csv"
    NAME = "name"
    TEMPLATE = "template"


@dataclass(frozen=True)
class Result(Generic[Item]):
    """What a command found or did.

    `key` is what the documents are called in the JSON of all, unless `whole` gives that. `columns` and `cells` make the
    table; a command without a table says in `tell` what people read. `values` are what columns have that documents
    do not, by the column's key, and `name` is what people call an item on a command line.
    """

    key: str
    items: Sequence[Item]
    document: Callable[[Item], Document]
    name: Callable[[Item], str]
    columns: Sequence[Column] = ()
    cells: Callable[[Item], Sequence[str]] = field(default=lambda item: ())
    values: Mapping[str, Callable[[Item], object]] = field(default_factory=dict)
    tell: Callable[[], None] | None = None
    whole: Mapping[str, object] | None = None


def told(
    key: str,
    documents: Sequence[Document],
    tell: Callable[[], None],
    *,
    name: str = "id",
    whole: Mapping[str, object] | None = None,
) -> Result[Document]:
    """The result of a command that says what it did in sentences."""
    return Result(key, documents, lambda each: each, lambda each: str(each[name]), tell=tell, whole=whole)


@dataclass(frozen=True)
class Output:
    """How a command was asked to write its result. `sort` has keys with whether the highest comes first."""

    form: Form = Form.TABLE
    template: str = ""
    header: bool = True
    sort: tuple[tuple[str, bool], ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def is_for_people(self) -> bool:
        """Whether the result is a table or sentences: hints may stand beside it."""
        return self.form in (Form.TABLE, Form.WIDE)

    def write(self, result: Result[Item]) -> None:
        """Write it to stdout. Raises `Invalid` for a key that the documents do not have, before anything is written."""
        if self.is_for_people and result.tell is not None:
            result.tell()
            return
        width = render.width() if self.form is Form.TABLE else None
        for line in lines_of(result, self, width):
            render.say(line)

    def check(self, keys: Sequence[str]) -> None:
        """Raise `Invalid` unless all that is asked for is among `keys`: before a command that changes something."""
        asked = names_in(self.template) if self.form is Form.TEMPLATE else []
        for path in asked:
            if path.partition(".")[0] not in keys:
                raise _unknown("-o template", path, keys)


def read_output(text: str, *, header: bool = True, sort: str = "", columns: str = "") -> Output:
    """What the options say; raises `Invalid`."""
    from ganger_core.domain.errors import Invalid

    form, equals, template = text.partition("=")
    known = [each.value for each in Form]
    if form not in known:
        shown = ["template=…" if each == "template" else each for each in known]
        cure = _meant(form, known) or f"there are {', '.join(shown)}"
        raise Invalid(f"-o {clean(form)} is no form; {cure}", field="output")
    if (form == Form.TEMPLATE) != bool(equals) or (equals and not template):
        raise Invalid("-o template needs its text, such as -o 'template={id} {state}'", field="output")
    if template:
        names_in(template)
    keys = tuple((key.lstrip("-"), key.startswith("-")) for key in _listed(sort))
    return Output(Form(form), template, header, keys, _listed(columns))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


def lines_of(result: Result[Item], output: Output, width: int | None) -> Iterator[str]:
    """The lines of the result; a table is at most `width` wide. Raises `Invalid` for keys that are not there."""
    rows = _Rows(result, output)
    match output.form:
        case Form.TABLE | Form.WIDE:
            asked = [replace(each, spare=each.spare and not output.columns) for each in rows.columns]
            yield from table(asked, rows.cells(), width, header=output.header)
        case Form.JSON:
            yield json.dumps(rows.whole(), indent=2)
        case Form.YAML:
            yield _yaml(rows.whole())
        case Form.JSONL:
            for document in rows.shown():
                yield json.dumps({"version": render.JSON_VERSION, **document})
        case Form.CSV:
            yield from _csv(rows.texts(), output.header)
        case Form.NAME:
            for item in rows.items:
                yield result.name(item)
        case Form.TEMPLATE:
            yield from fill(output.template, rows.documents, functools.partial(_unknown, "-o template"))


class _Rows(Generic[Item]):
    """The items in the order asked for, with the columns asked for."""

    def __init__(self, result: Result[Item], output: Output) -> None:
        self._result = result
        self.items = list(result.items)
        self._has_asked = bool(output.columns)
        self._documents: list[Document] | None = None
        by_name = {column.title.lower(): column for column in result.columns}
        self._known = by_name | {column.key: column for column in result.columns if column.key}
        for name, highest_first in reversed(output.sort):
            self._sort(name, highest_first)
        wide = output.form is not Form.TABLE
        usual = [column for column in result.columns if wide or not column.wide]
        if not usual and not output.columns:  # sentences have no columns: all keys
            usual = [Column(key.upper(), key=key) for key in (self.documents or [{}])[0]]
        self.columns = [self._column(name) for name in output.columns] if output.columns else usual

    @property
    def documents(self) -> list[Document]:
        if self._documents is None:
            self._documents = [self._result.document(item) for item in self.items]
        return self._documents

    def shown(self) -> Sequence[Document]:
        """The documents, with the keys that were asked for."""
        if not self._has_asked:
            return self.documents
        by_column = [self._values(column) for column in self.columns]
        names = [column.key or column.title.lower() for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in zip(*by_column, strict=True)]

    def whole(self) -> Mapping[str, object]:
        fields = {self._result.key: self.shown()} if self._result.whole is None else self._result.whole
        return {"version": render.JSON_VERSION, **fields}

    def cells(self) -> list[list[str]]:
        own = {id(column): position for position, column in enumerate(self._result.columns)}
        made = [self._result.cells(item) for item in self.items]
        shown: list[list[str]] = [[] for _ in self.items]
        for column in self.columns:
            if id(column) in own:
                texts = [cells[own[id(column)]] for cells in made]
            else:
                texts = [clean(_text(value)) or NOTHING for value in self._values(column)]
            for row, text in zip(shown, texts, strict=True):
                row.append(text)
        return shown

    def texts(self) -> list[list[str]]:
        """The columns' keys, and their values as text."""
        by_column = [[_text(value) for value in self._values(column)] for column in self.columns]
        names = [column.key or column.title.lower() for column in self.columns]
        return [names, *(list(row) for row in zip(*by_column, strict=True))]

    def _sort(self, name: str, highest_first: bool) -> None:
        keys = [_order(value) for value in self._values(self._column(name, "--sort"))]
        there = [i for i, key in enumerate(keys) if key[0]]
        nothing = [i for i, key in enumerate(keys) if not key[0]]
        there.sort(key=keys.__getitem__, reverse=highest_first)
        self.items = [self.items[i] for i in (*there, *nothing)]
        self._documents = None

    def _column(self, name: str, option: str = "--columns") -> Column:
        """The column of this name, or one for a key of the documents."""
        if name in self._known:
            return self._known[name]
        if self.documents and not has_key(self.documents, name):
            keys = keys_beside(self.documents, name)
            raise _unknown(option, name, keys if "." in keys[0] else [*self._known, *keys])
        return Column(name.upper(), least=10, key=name)

    def _values(self, column: Column) -> list[object]:
        key = column.key
        if key in self._result.values:
            return [self._result.values[key](item) for item in self.items]
        if key:
            return [look_up(document, key) for document in self.documents]
        position = list(self._result.columns).index(column)
        texts = [self._result.cells(item)[position] for item in self.items]
        return [None if text == NOTHING else text for text in texts]


def _order(value: object) -> tuple[int, object]:
    """By what to sort: nothing, then numbers, then text, in which numbers count as such: 42.7 is before 42.10."""
    if value is None or value == "":
        return 0, ""
    if isinstance(value, int | float):
        return 1, value
    import re

    parts = re.split(r"(\d+)", _text(value))
    return 2, [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _csv(rows: Sequence[Sequence[str]], header: bool) -> Iterator[str]:
    import csv
    import io

    for row in rows if header else rows[1:]:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row)
        yield line.getvalue()


def _yaml(document: Mapping[str, object]) -> str:
    from ganger_core.domain.errors import Invalid

    try:
        import yaml
    except ModuleNotFoundError:
        raise Invalid("-o yaml needs PyYAML, which is not installed: pip install pyyaml") from None
    return str(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=100)).rstrip("\n")


def _unknown(option: str, name: str, known: Sequence[str]) -> Exception:
    """The error for a name that is none of these: with the one that was meant, or all of them."""
    import textwrap

    from ganger_core.domain.errors import Invalid

    names = list(dict.fromkeys(known))
    meant = _meant(name, names)
    cure = (
        f"; {meant}"
        if meant
        else ":\n"
        + textwrap.fill(f"there are {', '.join(names)}", WIDTH, initial_indent="  ", subsequent_indent="  ")
    )
    return Invalid(f"{option}: there is no {clean(name)!r}{cure}")


def _meant(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if near else ""
