"""The format's own rules: what the values of decoded metadata must mean for each other. They
explain every byte of a file: each segment has one possible position, and the file ends with its
last segment."""

from __future__ import annotations

from typing import Dict, Optional

from .dtype import tensor_byte_length
from .error import CheckpointError, broken, quote
from .generated.tables import LENGTH_BYTES, Rule
from .layout import is_plain_flatbuffer, segment_start
from .metadata import MODEL, OPTIMIZER, Metadata, Segment, TensorRecord
from .text import name_fault


def check_rules(metadata: Metadata) -> Dict[int, Segment]:
    """Checks the rules and returns the file's segments by their offsets, in the order of the file.
    Raises CKPT_FORMAT with the rule that is broken."""
    _check_names(metadata)
    file_length = metadata.file_length
    plain = is_plain_flatbuffer(file_length)
    segments: Dict[int, Segment] = {}
    end = metadata.metadata_length
    for state in metadata.states:
        names = set()
        for record in state.tensors:
            name, dtype, shape, offset, byte_length, crc32, vector_offset = record
            fault = name_fault(name)
            if fault is not None:
                raise _broken("tensor.name", f"a tensor's name, {quote(name)}, {fault}", state, record)
            if name in names:
                raise _broken("tensor.unique", f"the tensor {quote(name)} appears twice", state, record)
            names.add(name)
            expected: Optional[int] = tensor_byte_length(dtype, shape)
            if expected != byte_length:
                raise _broken(
                    "tensor.byte_length",
                    f"{quote(name)} has {byte_length} bytes, which is not what {dtype.name} "
                    f"{list(shape)} takes",
                    state,
                    record,
                    expected=expected,
                    actual=byte_length,
                )
            known = segments.get(offset)
            if known is None:
                expected = segment_start(end)
                if offset != expected:
                    raise _broken(
                        "tensor.offset",
                        f"{quote(name)} is not at the position that the layout implies",
                        state,
                        record,
                        expected=expected,
                        actual=offset,
                    )
                segments[offset] = Segment(end, offset, byte_length, crc32, state.name, name)
                end = offset + byte_length
                if end > file_length:
                    raise _broken(
                        "tensor.range",
                        f"{quote(name)} reaches beyond the end of the file",
                        state,
                        record,
                        expected=file_length,
                        actual=end,
                    )
            elif known.byte_length != byte_length or known.crc32 != crc32:
                raise _broken(
                    "tensor.alias",
                    f"{quote(name)} shares its place with a tensor of another length or checksum",
                    state,
                    record,
                )
            expected = offset - LENGTH_BYTES if plain else -1
            if vector_offset != expected:
                raise _broken(
                    "tensor.data",
                    f"the data of {quote(name)} and its offset disagree"
                    if plain
                    else f"{quote(name)} has data, which a file of 2 GiB or more cannot have",
                    state,
                    record,
                    expected=expected,
                    actual=vector_offset,
                )
    if end != file_length:
        raise broken(
            "file_length",
            f"the file has {file_length - end} bytes after its last segment",
            expected=end,
            actual=file_length,
        )
    return segments


def _check_names(metadata: Metadata) -> None:
    def state(actual: str, expected: str) -> None:
        if actual != expected:
            raise broken(
                "state.name",
                f"the {expected}'s state is called {quote(actual)}",
                expected=expected,
                actual=actual,
            )

    state(metadata.model.name, MODEL)
    if metadata.optimizer is not None:
        state(metadata.optimizer.name, OPTIMIZER)
    taken = {MODEL, OPTIMIZER}
    for extra in metadata.extras:
        fault = "is taken" if extra.name in taken else name_fault(extra.name)
        if fault is not None:
            raise broken(
                "state.name", f"an extra's name, {quote(extra.name)}, {fault}", actual=extra.name
            )
        taken.add(extra.name)
    for name in metadata.progress.metrics:
        fault = name_fault(name)
        if fault is not None:
            raise broken("metric.name", f"a metric's name, {quote(name)}, {fault}", actual=name)


def _broken(rule: Rule, message: str, state, record: TensorRecord, **fields) -> CheckpointError:
    return broken(rule, message, state=state.name, tensor=record.name, **fields)
