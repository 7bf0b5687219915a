"""This module holds the documents to the code: diagrams, RPCs and the files that they name."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from architecture.sources import ROOT, Finding

PAGE = "ARCHITECTURE.md"
DOCUMENTS = [
    path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
]
TABLES = {"TASK_MOVES", "ATTEMPT_MOVES", "WORKER_MOVES"}

RPC = re.compile(
    r"rpc (\w+)\([^)]*\) returns \([^)]*\) (?:;|\{\s*(?:option \(required_role\) = ROLE_(\w+);)?)"
)
RPC_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|", re.MULTILINE)
QUOTED = re.compile(r"`([^`\s]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
ANCHOR = re.compile(r"\]\(([^)#\s:]*)#([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def rpcs_of_schemas(schemas: str) -> dict[str, str]:
    """Every RPC of the schemas with the role it needs, in small letters; no role is an empty text."""
    return {name: role.lower() for name, role in RPC.findall(schemas)}


def rpcs_of_page(page: str) -> dict[str, str]:
    """Every RPC of the page's table with its role."""
    return dict(RPC_ROW.findall(page))


def dead_paths(document: str, text: str, root: Path) -> Iterator[Finding]:
    """What a document names in the repository is there: links, and quoted paths that begin with one of its folders."""
    folders = {entry.name for entry in root.iterdir() if entry.is_dir()}
    for number, line in enumerate(text.splitlines(), start=1):
        quoted = [
            (root, path) for path in QUOTED.findall(line) if path.partition("/")[0] in folders and "/" in path
        ]
        links = [((root / document).parent, path) for path in LINK.findall(line) if "://" not in path]
        for base, path in quoted + links:
            if not (base / path).exists() and not list(base.glob(path)):
                yield Finding(document, number, f"names {path}, which does not exist")


def anchors(text: str) -> set[str]:
    """Where links may point to within a page: its headings, as they are written in addresses."""
    bare = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(text))
    return {heading.strip().replace(" ", "-") for heading in bare}


def dead_anchors(document: str, text: str, root: Path) -> Iterator[Finding]:
    """A link to a part of a page points to one of its headings."""
    for number, line in enumerate(text.splitlines(), start=1):
        for path, anchor in ANCHOR.findall(line):
            page = (root / document).parent / path if path else root / document
            if anchor not in anchors(page.read_text(encoding="utf-8")):
                yield Finding(document, number, f"links to {path}#{anchor}, which is no heading")


def _diagrams() -> ModuleType:
    spec = importlib.util.spec_from_file_location("diagrams", ROOT / "tools" / "diagrams.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_diagrams_are_those_of_the_tables() -> None:
    page, diagrams = (ROOT / PAGE).read_text(encoding="utf-8"), _diagrams()
    assert {found[1] for found in diagrams.DIAGRAM.finditer(page)} == TABLES
    assert page == diagrams.renewed(page), "run `make diagrams`"


def test_a_stale_diagram_is_renewed() -> None:
    stale = "a\n<!-- moves: WORKER_MOVES -->\nold\n<!-- end of WORKER_MOVES -->\nb"
    fresh = _diagrams().renewed(stale)
    assert fresh != stale
    assert "UP --> LOST: silent" in fresh
    assert fresh.startswith("a\n")
    assert fresh.endswith("\nb")
    assert _diagrams().renewed(fresh) == fresh


def test_the_page_lists_every_rpc_with_its_role() -> None:
    schemas = "".join(path.read_text() for path in (ROOT / "protos/ganger_core/wire/v1").glob("*.proto"))
    rpcs = rpcs_of_schemas(schemas)
    assert len(rpcs) == schemas.count("\n  rpc ")
    assert all(rpcs.values()), rpcs
    assert rpcs_of_page((ROOT / PAGE).read_text(encoding="utf-8")) == rpcs


def test_rpcs_are_read_from_schemas_and_page() -> None:
    schema = """
      rpc Do(DoRequest) returns (stream DoResponse) {
        option (required_role) = ROLE_USER;
      }
      rpc Open(OpenRequest) returns (OpenResponse) {}
      rpc Bare(BareRequest) returns (BareResponse) ;
    """
    assert rpcs_of_schemas(schema) == {"Do": "user", "Open": "", "Bare": ""}
    assert rpcs_of_page("| RPC | role |\n| --- | --- |\n| `Do` | user | does |\n") == {"Do": "user"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_what_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    findings = [str(found) for look in (dead_paths, dead_anchors) for found in look(document, text, ROOT)]
    assert not findings, "\n" + "\n".join(findings)


def test_a_dead_path_is_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").touch()
    text = "see `docs/a.md`, [a](a.md), `nothing/of/ours.py`, [far](https://example.org/x) and `docs/*.md`"
    assert not list(dead_paths("docs/b.md", text, tmp_path))
    assert list(dead_paths("docs/b.md", "see `docs/c.md`", tmp_path))
    assert list(dead_paths("docs/b.md", "see [c](c.md#part)", tmp_path))


def test_a_dead_anchor_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A page\n## What is `kept`, and how long\n")
    (tmp_path / "b.md").write_text("")
    text = "[a](a.md#what-is-kept-and-how-long) [b](https://example.org/a#b) [c](a.md#a-page)"
    assert not list(dead_anchors("b.md", text, tmp_path))
    assert list(dead_anchors("b.md", "[a](a.md#kept)", tmp_path))
    assert list(dead_anchors("b.md", "[a](#kept)", tmp_path))
