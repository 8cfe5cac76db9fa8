"""The layout of a file: the metadata first, then one segment for each distinct tensor.

The positions follow from the lengths alone, so a writer and a reader compute the same ones.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

from .generated.tables import FLATBUFFER_LIMIT, LENGTH_BYTES, SEGMENT_ALIGNMENT


def segment_start(end: int) -> int:
    """The position of a segment if what precedes it ends at ``end``."""
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
    """Whether a file of this length is one plain FlatBuffer, in which tensors are vectors as well.
    """
    return file_length < FLATBUFFER_LIMIT


def gap_bytes(gap_length: int, segment_length: int, plain: bool) -> bytes:
    """The gap before a segment: zeros, except that the last four bytes hold the segment's length if
    the file is a plain FlatBuffer."""
    last = segment_length.to_bytes(4, "little") if plain else bytes(LENGTH_BYTES)
    return bytes(gap_length - LENGTH_BYTES) + last
