"""This module holds the rules that published outputs must keep; see `validate`."""

from __future__ import annotations

from ganger_core.domain.errors import Invalid
from ganger_core.domain.outputs import (
    MOST_FILES,
    MOST_LIST_BYTES,
    MOST_NOTE,
    MOST_NOTES,
    MOST_PATH_BYTES,
    MOST_RESULT_BYTES,
    Outputs,
    is_inside,
    list_bytes,
)
from ganger_core.domain.task import Report, ReportKind
from ganger_core.domain.validate import MAX_INT, check_digest, check_int, check_text


def check_report_outputs(report: Report) -> None:
    """What a report says of outputs, which only that of an end may."""
    if report.outputs is None:
        return
    if report.kind is not ReportKind.ENDED:
        raise Invalid("report.outputs: only an ENDED report has outputs", field="report.outputs")
    check_outputs(report.outputs, "report.outputs")


def check_outputs(outputs: Outputs, field: str = "outputs") -> None:
    """What an attempt published: no path leads out of the folder or is there twice, and a message can hold it all."""
    for file in outputs.files:
        check_output_path(file.path, f"{field}.files.path")
        check_int(file.size, f"{field}.files.size", 0, MAX_INT)
        check_digest(file.sha256, f"{field}.files.sha256")
    if len(outputs.files) > MOST_FILES or list_bytes(outputs.files) > MOST_LIST_BYTES:
        raise Invalid(
            f"{field}.files has more than {MOST_FILES} files or {MOST_LIST_BYTES} bytes",
            field=f"{field}.files",
        )
    if len({file.path for file in outputs.files}) < len(outputs.files):
        raise Invalid(f"{field}.files names a path twice", field=f"{field}.files.path")
    check_text(outputs.result, f"{field}.result", MOST_RESULT_BYTES)
    if len(outputs.result.encode()) > MOST_RESULT_BYTES:
        raise Invalid(f"{field}.result has more than {MOST_RESULT_BYTES} bytes", field=f"{field}.result")
    check_int(len(outputs.notes), f"{field}.notes", 0, MOST_NOTES)
    for note in outputs.notes:
        check_text(note, f"{field}.notes", MOST_NOTE)


def check_output_path(path: str, field: str = "path") -> None:
    """The path of a file in an output folder."""
    check_text(path, field, MOST_PATH_BYTES)
    if len(path.encode()) > MOST_PATH_BYTES or not is_inside(path):
        raise Invalid(
            f"{field} must be a path inside the output folder, without '..' and '/' at its begin, not {path[:200]!r}",
            field=field,
        )
