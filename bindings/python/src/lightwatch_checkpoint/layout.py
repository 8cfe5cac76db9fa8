"""Where everything lies in a file: the metadata first, then one segment per distinct tensor.

The positions follow from the lengths alone, so a writer and a reader come to the same ones.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

from .generated.tables import FLATBUFFER_LIMIT, LENGTH_BYTES, SEGMENT_ALIGNMENT


def segment_start(end: int) -> int:
    """Where a segment starts when what stands before it ends at ``end``."""
    return -(-(end + LENGTH_BYTES) // SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT


def plan_layout(metadata_length: int, segment_lengths: Sequence[int]) -> Tuple[List[int], int]:
    """The offset of each segment, and the length of the file, in bytes."""
    offsets = []
    end = metadata_length
    for length in segment_lengths:
        offset = segment_start(end)
        offsets.append(offset)
        end = offset + length
    return offsets, end


def is_plain_flatbuffer(file_length: int) -> bool:
    """Whether the tensors of a file of this length are FlatBuffers vectors as well."""
    return file_length < FLATBUFFER_LIMIT


def gap_bytes(gap_length: int, segment_length: int, plain: bool) -> bytes:
    """The bytes before a segment: zeros, and in the last four the segment's length where the file
    is a plain FlatBuffer."""
    last = segment_length.to_bytes(4, "little") if plain else bytes(LENGTH_BYTES)
    return bytes(gap_length - LENGTH_BYTES) + last
