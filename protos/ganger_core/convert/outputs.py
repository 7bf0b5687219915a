"""This module turns what is said of published outputs into wire messages and back."""

from __future__ import annotations

from ganger_core.convert.task import attempt_ref_from_proto, attempt_ref_to_proto, require
from ganger_core.domain.outputs import OutputFile, Outputs
from ganger_core.domain.published import OutputPart, OutputRange
from ganger_core.wire.v1 import task_pb2 as pb
from ganger_core.wire.v1 import worker_pb2


def outputs_to_proto(x: Outputs) -> pb.Outputs:
    """What an attempt published."""
    files = [pb.OutputFile(path=file.path, size=file.size, sha256=file.sha256) for file in x.files]
    return pb.Outputs(files=files, result=x.result, notes=x.notes)


def outputs_from_proto(p: pb.Outputs) -> Outputs:
    """What an attempt published, not yet checked."""
    files = tuple([OutputFile(file.path, file.size, file.sha256) for file in p.files])
    return Outputs(files, p.result, tuple(p.notes))


def output_range_to_proto(x: OutputRange) -> worker_pb2.OutputRange:
    """A part of a published file."""
    return worker_pb2.OutputRange(ref=attempt_ref_to_proto(x.ref), path=x.path, offset=x.offset, most=x.most)


def output_range_from_proto(p: worker_pb2.OutputRange, field: str = "range") -> OutputRange:
    """A part of a published file, not yet checked."""
    require(p, "ref", f"{field}.ref")
    return OutputRange(attempt_ref_from_proto(p.ref), p.path, p.offset, p.most)


def output_part_to_proto(x: OutputPart) -> worker_pb2.OutputPart:
    """What was read of a published file."""
    return worker_pb2.OutputPart(range=output_range_to_proto(x.range), data=x.data, error=x.error)


def output_part_from_proto(p: worker_pb2.OutputPart, field: str = "part") -> OutputPart:
    """What was read of a published file, not yet checked."""
    require(p, "range", f"{field}.range")
    return OutputPart(output_range_from_proto(p.range, f"{field}.range"), p.data, p.error)
