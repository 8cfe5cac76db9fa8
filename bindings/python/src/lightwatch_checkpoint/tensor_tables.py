"""The tables of a state's tensors, verified and read in bulk with NumPy. A checkpoint can have a
hundred thousand, which take Python long one field at a time.

This module accepts only tables that are valid and regular. Otherwise it returns None, and the
caller goes through the tables one by one to find the fault.
"""

from __future__ import annotations

import struct
from typing import List, NamedTuple, Optional, Tuple

import numpy as np

from .description import TABLES
from .generated.tables import MAX_RANK, MAX_SAFE_INTEGER

# Number of tables from which the work in bulk pays off.
BULK = 16

_FIELDS = TABLES["Tensor"]
_U16 = struct.Struct("<H").unpack_from


class TensorColumns(NamedTuple):
    """The columns of a vector of tensors. A vector offset of -1 means none."""

    names: List[bytes]
    dtypes: List[int]
    shapes: List[Tuple[int, ...]]
    offsets: List[int]
    byte_lengths: List[int]
    crc32s: List[int]
    vector_offsets: List[int]


class TensorTables:
    """``count`` tables, whose offsets stand at ``start`` in the metadata ``data``."""

    def __init__(self, data: bytes, start: int, count: int) -> None:
        length = len(data)
        self._data = data
        self._count = count
        self._u8 = np.frombuffer(data, np.uint8)
        self._u32 = np.frombuffer(data, "<u4", length // 4)
        self._u64 = np.frombuffer(data, "<u8", length // 8)
        self._where = start + 4 * np.arange(count, dtype=np.int64)

    def verify(self) -> Optional[int]:
        """What these tables cost of the verifier's budget, or None if one of them is not valid.
        Reads nothing outside the metadata."""
        length = len(self._data)
        tables = self._targets(self._where)
        if tables is None:
            return None
        layout = self._vtables(tables)
        if layout is None:
            return None
        entries, vtable_lengths, table_lengths = layout
        if (table_lengths >= length).any() or (tables > length - table_lengths).any():
            return None
        # An offset to the table, one to its vtable, the vtable's header, and both as a whole.
        cost = 12 * self._count + int(vtable_lengths.sum()) + int(table_lengths.sum())
        for field, entry in zip(_FIELDS, entries):
            present = entry != 0
            if field.required and not present.all():
                return None
            size = field.size if field.kind == "number" else 4
            at = (tables + entry)[present]
            entry = entry[present]
            outside = (entry < 4) | (entry > 0x7FFF) | (entry + size > table_lengths[present])
            if outside.any() or (at % size).any() or (at > length - size).any():
                return None
            cost += size * len(at)
            if field.kind == "string":
                vectors = self._vector(at, 1)
                if vectors is None:
                    return None
                starts, lengths = vectors
                ends = starts + lengths
                if (ends >= length).any() or self._u8[ends].any():
                    return None
                cost += 9 * len(at) + int(lengths.sum())
            elif field.kind == "numbers":
                vectors = self._vector(at, field.size)
                if vectors is None:
                    return None
                starts, lengths = vectors
                if (starts % field.size)[lengths > 0].any():
                    return None
                cost += 8 * len(at) + field.size * int(lengths.sum())
        return cost

    def read(self) -> Optional[TensorColumns]:
        """The columns of tables that have passed the verifier. None if a number is not safe, or a
        rank too high."""
        tables = self._where + self._u32[self._where >> 2]
        layout = self._vtables(tables)
        if layout is None:
            return None
        name, dtype, shape, offset, byte_length, crc32, data = layout[0]
        offsets = self._scalars(self._u64, tables, offset, 3)
        byte_lengths = self._scalars(self._u64, tables, byte_length, 3)
        shape_at = tables + shape
        shape_at = shape_at + self._u32[shape_at >> 2]
        ranks = self._u32[shape_at >> 2].astype(np.int64)
        if max(offsets.max(), byte_lengths.max()) > MAX_SAFE_INTEGER or ranks.max() > MAX_RANK:
            return None
        shapes = self._shapes(shape_at + 4, ranks)
        if shapes is None:
            return None
        name_at = tables + name
        name_at = name_at + self._u32[name_at >> 2]
        starts = name_at + 4
        ends = starts + self._u32[name_at >> 2]
        metadata = self._data
        names = [metadata[a:b] for a, b in zip(starts.tolist(), ends.tolist())]
        # Unsigned: a backward offset becomes a huge forward one, and is refused.
        at = tables + data
        vectors = np.where(data != 0, at + self._u32[np.where(data != 0, at, 0) >> 2], -1)
        return TensorColumns(
            names,
            self._scalars(self._u8, tables, dtype, 0).tolist(),
            shapes,
            offsets.tolist(),
            byte_lengths.tolist(),
            self._scalars(self._u32, tables, crc32, 2).tolist(),
            vectors.tolist(),
        )

    def _targets(self, at: np.ndarray) -> Optional[np.ndarray]:
        """Where the offsets at ``at`` lead, or None if one does not lead to a possible table or
        vector. The positions are inside and aligned."""
        offsets = self._u32[at >> 2].astype(np.int64)
        targets = at + offsets
        if (offsets == 0).any() or (offsets > 0x7FFFFFFF).any():
            return None
        if (targets > len(self._data) - 4).any() or (targets % 4).any():
            return None
        return targets

    def _vector(self, at: np.ndarray, size: int) -> Optional[Tuple[np.ndarray, np.ndarray]]:
        """The starts of the elements, and their numbers, of the vectors whose offsets are at
        ``at``. None if one is not inside."""
        vectors = self._targets(at)
        if vectors is None:
            return None
        lengths = self._u32[vectors >> 2].astype(np.int64)
        whole = 4 + lengths * size
        length = len(self._data)
        if (whole >= length).any() or (vectors > length - whole).any():
            return None
        return vectors + 4, lengths

    def _vtables(
        self, tables: np.ndarray
    ) -> Optional[Tuple[List[np.ndarray], np.ndarray, np.ndarray]]:
        """For each table: its entry for each field (0 if absent), the length of its vtable, and its
        own length."""
        soffsets = self._u32[tables >> 2].view("<i4").astype(np.int64)
        vtables, kinds = np.unique(tables - soffsets, return_inverse=True)
        data = self._data
        length = len(data)
        # A file in which each table has its own vtable is hostile, or strange.
        if len(vtables) > 64:
            return None
        rows = []
        for vtable in vtables.tolist():
            if vtable < 0 or vtable % 2 or vtable > length - 4:
                return None
            vtable_length = _U16(data, vtable)[0]
            if not 4 <= vtable_length <= 0x7FFF or vtable_length % 2:
                return None
            if vtable_length >= length or vtable > length - vtable_length:
                return None
            table_length = _U16(data, vtable + 2)[0]
            if table_length < 4:
                return None
            entries = [
                _U16(data, vtable + field.slot)[0] if field.slot < vtable_length else 0
                for field in _FIELDS
            ]
            rows.append([*entries, vtable_length, table_length])
        columns = np.array(rows, np.int64)[kinds.reshape(-1)].T
        return list(columns[: len(_FIELDS)]), columns[-2], columns[-1]

    def _scalars(
        self, source: np.ndarray, tables: np.ndarray, entry: np.ndarray, shift: int
    ) -> np.ndarray:
        """The scalars of a field; 0 if absent."""
        present = entry != 0
        values = source[np.where(present, tables + entry, 0) >> shift]
        return np.where(present, values, np.zeros((), source.dtype))

    def _shapes(self, starts: np.ndarray, ranks: np.ndarray) -> Optional[List[Tuple[int, ...]]]:
        shapes: List[Tuple[int, ...]] = [()] * self._count
        for rank in np.unique(ranks).tolist():
            if rank == 0:
                continue
            which = np.flatnonzero(ranks == rank)
            at = (starts[which] >> 3)[:, None] + np.arange(rank)
            dimensions = self._u64[at]
            if dimensions.max() > MAX_SAFE_INTEGER:
                return None
            for i, shape in zip(which.tolist(), dimensions.tolist()):
                shapes[i] = tuple(shape)
        return shapes
