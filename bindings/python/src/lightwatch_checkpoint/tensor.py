"""A tensor of an open checkpoint, and the segment of the file with its bytes."""

from __future__ import annotations

import threading
import zlib
from typing import Optional, Tuple

import numpy as np

from .dtype import DTypeInfo
from .error import CheckpointError, broken, quote
from .layout import gap_bytes
from .metadata import MODEL, OPTIMIZER, Segment, TensorRecord
from .source import Source

# Bytes that are read at once if a segment is only verified.
_PIECE = 8 * 1024 * 1024


class SegmentReader:
    """The bytes of one segment. They are never handed out before they match their checksum, unless
    the caller has turned that off. Tied tensors share it."""

    def __init__(self, source: Source, segment: Segment, plain: bool, verify: bool) -> None:
        self._source = source
        self._segment = segment
        self._plain = plain
        self._verify = verify
        self._checked = False
        self._lock = threading.Lock()

    def writable_bytes(self) -> np.ndarray:
        """The bytes, writable: a view of a private map, verified the first time, or new memory that
        is read and verified."""
        source, segment = self._source, self._segment
        source.check_open()
        mapping = source.mapping
        if mapping is None:
            data = np.empty(segment.byte_length, np.uint8)
            source.read_into(segment.offset, memoryview(data))
            if self._verify:
                self._check_gap()
                self._compare(zlib.crc32(data))
            return data
        data = np.ndarray(segment.byte_length, np.uint8, mapping, segment.offset)
        if self._verify:
            with self._lock:
                if not self._checked:
                    self._check_gap()
                    self._compare(zlib.crc32(data))
                    self._checked = True
        return data

    def check(self) -> None:
        """Reads the segment from the file, and verifies it and the bytes before it."""
        segment = self._segment
        self._check_gap()
        buffer = memoryview(bytearray(min(_PIECE, segment.byte_length)))
        crc = 0
        for done in range(0, segment.byte_length, _PIECE):
            piece = buffer[: min(_PIECE, segment.byte_length - done)]
            self._source.read_into(segment.offset + done, piece)
            crc = zlib.crc32(piece, crc)
        self._compare(crc)

    def _check_gap(self) -> None:
        segment = self._segment
        length = segment.offset - segment.gap_start
        expected = gap_bytes(length, segment.byte_length, self._plain)
        actual = self._source.read(segment.gap_start, length)
        if actual != expected:
            i = next(i for i, byte in enumerate(expected) if byte != actual[i])
            raise broken(
                "gap",
                f"the bytes before {quote(segment.tensor)} are damaged",
                state=segment.state,
                tensor=segment.tensor,
                offset=segment.gap_start + i,
                expected=expected[i],
                actual=actual[i],
            )

    def _compare(self, actual: int) -> None:
        segment = self._segment
        if actual == segment.crc32:
            return
        state = segment.state
        shown = state if state in (MODEL, OPTIMIZER) else quote(state)
        raise CheckpointError(
            "CKPT_TENSOR_CHECKSUM",
            f"the bytes of {quote(segment.tensor)} ({shown}) are damaged: checksum mismatch, "
            f"expected {segment.crc32:08x}, found {actual:08x}",
            state=state,
            tensor=segment.tensor,
            offset=segment.offset,
            expected=segment.crc32,
            actual=actual,
        )


class Tensor:
    """A tensor of a checkpoint: its description, and its elements on demand.

    ``name``; ``dtype``, its name in the format; ``shape``, in elements; ``offset`` and ``nbytes``,
    the position and length of its bytes in the file.
    """

    __slots__ = ("_reader", "_record")

    def __init__(self, record: TensorRecord, reader: SegmentReader) -> None:
        self._record = record
        self._reader = reader

    @property
    def name(self) -> str:
        return self._record.name

    @property
    def dtype(self) -> str:
        return self._record.dtype.name

    @property
    def shape(self) -> Tuple[int, ...]:
        return self._record.shape

    @property
    def offset(self) -> int:
        return self._record.offset

    @property
    def nbytes(self) -> int:
        return self._record.byte_length

    @property
    def info(self) -> DTypeInfo:
        """The full description of its dtype."""
        return self._record.dtype

    @property
    def origin(self) -> Tuple[int, int]:
        """Equal for tensors over the same segment of the same open file, and for no others."""
        return id(self._reader), self._record.offset

    def raw(self) -> np.ndarray:
        """The bytes, as a flat array of uint8: a read-only view of the mapped file, or new memory
        if the file is read. Raises CKPT_TENSOR_CHECKSUM if they are damaged."""
        data = self._reader.writable_bytes()
        data.flags.writeable = False
        return data

    def numpy(self) -> np.ndarray:
        """The elements: like ``raw``, without a copy, read-only, in the shape of the tensor.

        A dtype that NumPy lacks is that of ml_dtypes if it is installed, otherwise unsigned
        integers of its raw bits. Dtypes below eight bits are packed bytes, flat. Booleans are
        copied if the file holds one that is neither 0 nor 1, which NumPy does not expect.
        """
        array = self.elements()
        array.flags.writeable = False
        return array

    def elements(self, dtype: Optional[np.dtype] = None) -> np.ndarray:
        """Like ``numpy``, but writable. Writes to a mapped file's array stay in this process, and
        are visible in all arrays over the same tensor. ``dtype`` reinterprets the elements as
        another dtype of the same size."""
        info = self._record.dtype
        data = self._reader.writable_bytes()
        if info.packed:
            return data
        if info.name == "bool" and data.size and data.max() > 1:
            data = (data != 0).view(np.uint8)
        return np.ndarray(self.shape, info.array if dtype is None else dtype, data)

    def __array__(
        self, dtype: Optional[np.dtype] = None, copy: Optional[bool] = None
    ) -> np.ndarray:
        array = self.numpy()
        if dtype is not None and np.dtype(dtype) != array.dtype:
            if copy is False:
                raise ValueError("the elements have another dtype, so a copy is needed")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __repr__(self) -> str:
        return f"Tensor({quote(self.name)}, {self.dtype}, {list(self.shape)})"
