"""Saving: first the segments, straight from the trainer's memory and summed on the way; then the
metadata, which holds the checksums; then the commit. A save's own memory is the metadata and one
piece of an array with strides."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, List, NamedTuple, Optional, Union

from .checkpoint import check_byte_order
from .collect import SegmentSource, collect, pieces
from .commit import FileCommit
from .encode import UnsealedMetadata
from .error import CheckpointError, quote
from .layout import gap_bytes

# Bytes that are summed and written at once, while they are in the processor's cache.
_PIECE = 8 * 1024 * 1024

# Longer writes cost the system hardly less per byte.
_GATHER = 1024 * 1024


class SaveReport(NamedTuple):
    """The result of a save."""

    #: Length of the file in bytes.
    nbytes: int
    # Number of tensors. Those that share a segment count separately.
    tensors: int
    # ``durable``, or ``file-only`` if the file system cannot sync folders.
    durability: str


def save(
    path: Union[str, "os.PathLike[str]"],
    model: Mapping[str, Any],
    optimizer: Optional[Mapping[str, Any]] = None,
    *,
    epoch: int = 0,
    step: int = 0,
    loss: Optional[float] = None,
    metrics: Optional[Mapping[str, float]] = None,
    config: Any = None,
    extras: Optional[Mapping[str, Mapping[str, Any]]] = None,
    sequence: Optional[int] = None,
    saved_at: Union[datetime, int, None] = None,
) -> SaveReport:
    """Saves a model's state, and an optimizer's if there is one, with the progress of the run. When
    this returns, the checkpoint is complete and survives a power cut. Until then, and if it raises,
    the path holds what it held before, at every instant.

    A state is a mapping of names to arrays (NumPy arrays, PyTorch tensors, ``RawTensor``, or
    tensors of another checkpoint), or a ``State``, which also has a kind and attributes. The arrays
    are read and not copied. ``config`` is JSON text, or anything that JSON holds exactly.
    ``extras`` maps names to further states. ``sequence`` is the position of this save in the order
    of its run's saves, from 0 up. ``saved_at`` is the time of the save, a datetime with a time zone
    or milliseconds since 1970. The file has neither unless they are given, so that the same state
    gives the same bytes. Missing folders are created, and a symbolic link is followed.

    Raises CheckpointError CKPT_NOT_COMMITTED or CKPT_TENSOR_CHANGED (nothing was saved), or
    CKPT_NOT_DURABLE (the new file is in place, but a power cut may undo it). Raises a TypeError or
    ValueError, with the name of the tensor or the path of the value, for what a file cannot hold.
    """
    text = os.fsdecode(path)
    if text.endswith("/"):
        raise ValueError(f"{quote(text)} names a folder: expected the path of a file")
    if "\0" in text:
        raise ValueError(f"{quote(text)} contains U+0000")
    try:
        check_byte_order()
        content, sources = collect(
            model,
            optimizer,
            epoch=epoch,
            step=step,
            loss=loss,
            metrics=metrics,
            config=config,
            extras=extras,
            sequence=sequence,
            saved_at=saved_at,
        )
        metadata = UnsealedMetadata(content)
        commit = FileCommit(text, metadata.file_length)
        try:
            checksums = _write_segments(commit, sources, metadata)
            commit.write(memoryview(metadata.seal(checksums)), 0)
            commit.sync()
            _check_unchanged(sources, checksums)
            durability = commit.commit()
        finally:
            commit.abort()
    except CheckpointError as error:
        raise error.with_path(text) from error.__cause__
    states = [content.model, *content.extras]
    if content.optimizer is not None:
        states.append(content.optimizer)
    tensors = sum(len(state.tensors) for state in states)
    return SaveReport(metadata.file_length, tensors, durability)


class _Writer:
    """Writes bytes in sequence, and gathers small pieces."""

    def __init__(self, commit: FileCommit, position: int) -> None:
        self._commit = commit
        self._position = position
        self._gathered = bytearray()

    def append(self, data: Union[bytes, memoryview]) -> None:
        if len(self._gathered) + len(data) <= _GATHER:
            self._gathered += data
            return
        self.flush()
        self._write(memoryview(data))

    def flush(self) -> None:
        gathered, self._gathered = self._gathered, bytearray()
        if gathered:
            self._write(memoryview(gathered))

    def _write(self, data: memoryview) -> None:
        self._commit.write(data, self._position)
        self._position += len(data)


def _write_segments(
    commit: FileCommit, sources: List[SegmentSource], metadata: UnsealedMetadata
) -> List[int]:
    """Writes gaps and segments and returns the segments' checksums."""
    writer = _Writer(commit, metadata.length)
    checksums = []
    end = metadata.length
    for source, offset in zip(sources, metadata.offsets):
        writer.append(gap_bytes(offset - end, source.byte_length, metadata.plain))
        checksums.append(_write_segment(writer, source))
        end = offset + source.byte_length
    writer.flush()
    return checksums


def _write_segment(writer: _Writer, source: SegmentSource) -> int:
    crc = 0
    length = 0
    for piece in pieces(source.fetch()):
        for done in range(0, len(piece), _PIECE):
            part = piece[done : done + _PIECE]
            crc = zlib.crc32(part, crc)
            writer.append(part)
        length += len(piece)
    if length != source.byte_length:
        raise _changed(source)
    return crc


def _check_unchanged(sources: List[SegmentSource], checksums: List[int]) -> None:
    """Verifies that the trainer's memory still holds what was written. Otherwise training in
    another thread could leave a file with old and new weights."""
    for source, checksum in zip(sources, checksums):
        if source.in_memory:
            crc = 0
            for piece in pieces(source.fetch()):
                crc = zlib.crc32(piece, crc)
            if crc != checksum:
                raise _changed(source)


def _changed(source: SegmentSource) -> CheckpointError:
    return CheckpointError(
        "CKPT_TENSOR_CHANGED",
        f"nothing was saved: {quote(source.tensor)} ({source.state}) was changed while the save was "
        "running",
        state=source.state,
        tensor=source.tensor,
    )
