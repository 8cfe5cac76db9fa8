"""A verifier for FlatBuffers. It proves that generated accessors can read a buffer without leaving
it, and without reading something that the schema does not describe. (The runtime for Python has
none.)

The rules are those of the C++ verifier, and stricter where C++ passes something that would be
misread. Tensors are many and alike, so their tables are verified in bulk. If that fails, they are
verified one by one, which finds the first fault.
"""

from __future__ import annotations

import struct
from typing import Any

from .description import TABLES, Field
from .error import CheckpointError
from .generated.tables import (
    BUDGET_BASE,
    BUDGET_PER_BYTE,
    FLATBUFFER_LIMIT,
    IDENTIFIER,
    MAX_DEPTH,
    MAX_VTABLE_NUMBER,
    MIN_BUFFER_LENGTH,
    ROOT,
    Rule,
)
from .tensor_tables import BULK, TensorTables

# A vtable starts with its own length and the length of the table, two bytes each.
_VTABLE_HEADER = 4

_U16 = struct.Struct("<H").unpack_from
_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from


def verify_flatbuffer(data: bytes) -> None:
    """Verifies all of ``data``, from its root offset. Raises CKPT_FLATBUFFER with the broken rule
    and its position."""
    _Verification(data).root()


class _Verification:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._length = len(data)
        self._depth = 0
        # Shared tables and strings are legal, and let a small buffer stand for an enormous tree. So
        # every visited range counts towards a budget, shared or not.
        self._budget = BUDGET_PER_BYTE * len(data) + BUDGET_BASE

    def root(self) -> None:
        length = self._length
        if length < MIN_BUFFER_LENGTH or length >= FLATBUFFER_LIMIT:
            raise _fault("flatbuffer.length", f"it is {length} bytes long", 0, actual=length)
        if self._data[4:8] != IDENTIFIER:
            raise _fault("flatbuffer.identifier", f"its identifier is not {IDENTIFIER.decode()}", 4)
        self._table(self._offset(0, "the root"), ROOT)

    def _range(self, at: int, length: int, what: str) -> None:
        """Verifies that ``length`` bytes at ``at`` lie in the buffer. As in C++, a length equal to
        the buffer's fails."""
        if not (at >= 0 and length < self._length and at <= self._length - length):
            raise _fault("flatbuffer.range", f"{what} of {length} bytes reaches outside the buffer", at)
        self._budget -= length
        if self._budget < 0:
            raise _fault("flatbuffer.budget", f"it stands for far more than its {self._length} bytes", at)

    def _inline(self, at: int, size: int, align: int, what: str) -> None:
        """Verifies that a number of ``size`` bytes at ``at`` lies in the buffer, aligned to
        ``align``."""
        if at % align:
            raise _fault("flatbuffer.alignment", f"{what} is not aligned to {align} bytes", at)
        self._range(at, size, what)

    def _offset(self, at: int, what: str) -> int:
        """Verifies the offset at ``at``, and returns the position that it leads to."""
        self._inline(at, 4, 4, f"the offset of {what}")
        offset = _U32(self._data, at)[0]
        if offset == 0:
            raise _fault("flatbuffer.offset", f"{what} has a null offset", at)
        if offset > 0x7FFFFFFF or at + offset >= self._length:
            raise _fault(
                "flatbuffer.offset", f"the offset of {what} leads outside the buffer", at, actual=offset
            )
        return at + offset

    def _table(self, at: int, name: str) -> None:
        data = self._data
        self._inline(at, 4, 4, name)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _fault("flatbuffer.depth", f"it has tables nested more than {MAX_DEPTH} deep", at)
        vtable = at - _I32(data, at)[0]
        self._inline(vtable, _VTABLE_HEADER, 2, f"the vtable of {name}")
        vtable_length = _U16(data, vtable)[0]
        table_length = _U16(data, vtable + 2)[0]
        if (
            vtable_length < _VTABLE_HEADER
            or vtable_length > MAX_VTABLE_NUMBER
            or vtable_length % 2
        ):
            raise _fault(
                "flatbuffer.vtable", f"the vtable of {name} has a length of {vtable_length}", vtable
            )
        self._range(vtable, vtable_length, f"the vtable of {name}")
        if table_length < 4:
            raise _fault("flatbuffer.table", f"{name} has a length of {table_length}", vtable + 2)
        self._range(at, table_length, name)
        for field in TABLES[name]:
            entry = _U16(data, vtable + field.slot)[0] if field.slot < vtable_length else 0
            if entry:
                self._field(field, at, entry, table_length, name)
            elif field.required:
                raise _fault("flatbuffer.required", f"{name} lacks its required field {field.name}", at)
        self._depth -= 1

    def _field(self, field: Field, table: int, entry: int, table_length: int, name: str) -> None:
        kind = field.kind
        size = field.size if kind in ("number", "bool") else 4
        if entry < 4 or entry > MAX_VTABLE_NUMBER or entry + size > table_length:
            raise _fault(
                "flatbuffer.field", f"{name}.{field.name} lies outside its table", table, actual=entry
            )
        at = table + entry
        what = field.name
        if kind == "number":
            self._inline(at, size, size, what)
        elif kind == "bool":
            self._inline(at, size, size, what)
            if self._data[at] > 1:
                raise _fault("flatbuffer.bool", f"{name}.{what} is neither 0 nor 1", at)
        elif kind == "string":
            self._string(self._offset(at, what), what)
        elif kind == "table":
            self._table(self._offset(at, what), field.table or "")
        elif kind == "tables":
            self._tables(self._offset(at, what), field.table or "", what)
        elif kind == "numbers":
            self._numbers(self._offset(at, what), field.size, what)
        else:
            # Its elements lie beyond the metadata; the format's own rules place them.
            self._inline(at, 4, 4, f"the offset of {what}")

    def _string(self, at: int, what: str) -> None:
        end = self._numbers(at, 1, what)
        self._range(end, 1, f"the end of {what}")
        if self._data[end]:
            raise _fault("flatbuffer.string", f"{what} does not end with a zero byte", end)

    def _numbers(self, at: int, size: int, what: str) -> int:
        """Verifies a vector of numbers, and returns the position of its end."""
        length = self._vector_length(at, size, what)
        start = at + 4
        if length > 0 and start % size:
            raise _fault(
                "flatbuffer.alignment", f"the elements of {what} are not aligned to {size} bytes", start
            )
        return start + length * size

    def _tables(self, at: int, table: str, what: str) -> None:
        length = self._vector_length(at, 4, what)
        start = at + 4
        if table == "Tensor" and length >= BULK and self._depth < MAX_DEPTH:
            cost = TensorTables(self._data, start, length).verify()
            if cost is not None and cost <= self._budget:
                self._budget -= cost
                return
        for i in range(length):
            self._table(self._offset(start + 4 * i, what), table)

    def _vector_length(self, at: int, size: int, what: str) -> int:
        self._inline(at, 4, 4, f"the length of {what}")
        length = _U32(self._data, at)[0]
        # Bounded before any loop over it.
        if length >= FLATBUFFER_LIMIT / size:
            raise _fault("flatbuffer.length", f"{what} has {length} elements", at, actual=length)
        self._range(at, 4 + length * size, what)
        return length


def _fault(rule: Rule, message: str, offset: int, **fields: Any) -> CheckpointError:
    return CheckpointError(
        "CKPT_FLATBUFFER",
        f"the metadata is not a valid FlatBuffer: {message} (at byte {offset})",
        rule=rule,
        offset=offset,
        **fields,
    )
