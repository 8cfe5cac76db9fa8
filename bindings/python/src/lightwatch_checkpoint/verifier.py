"""A verifier for FlatBuffers: whether generated accessors can read a buffer without one of them
reading outside of it, or something that is not what the schema says. (The runtime for Python has
none.)

The rules are those of the C++ verifier, and stricter where that one lets something through that
would be misread. Tensors are many and alike, so their tables are verified in bulk; what is not
plainly sound is gone through one by one, which finds the first fault.
"""

from __future__ import annotations

import struct
from typing import Any

from .description import IDENTIFIER, ROOT, TABLES, Field
from .error import CheckpointError
from .tensor_tables import BULK, TensorTables

#: Tables inside tables, at most; the C++ and Rust verifiers' default.
MAX_DEPTH = 64

#: Longest buffer that offsets reach across, in bytes.
MAX_BUFFER_LENGTH = 2**31 - 1

# Shared tables and strings are legal, and let a small buffer stand for an enormous tree. Every range
# that is visited is added up, shared or not, and may come to this many times the buffer's length.
_BUDGET_PER_BYTE = 4
_BUDGET_BASE = 65_536

# The smallest buffer: root offset, identifier, and a table's offset to its vtable.
_MIN_BUFFER_LENGTH = 12

# A vtable starts with its own length and that of the table, two bytes each.
_VTABLE_HEADER = 4

# Some runtimes read a vtable's numbers as signed 16 bits.
_MAX_VTABLE_NUMBER = 0x7FFF

_U16 = struct.Struct("<H").unpack_from
_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from


def verify_flatbuffer(data: bytes) -> None:
    """Verifies the buffer ``data``, all of it, starting at its root offset. Raises CKPT_FLATBUFFER
    with the rule that is broken and where."""
    _Verification(data).root()


class _Verification:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._length = len(data)
        self._depth = 0
        self._budget = _BUDGET_PER_BYTE * len(data) + _BUDGET_BASE

    def root(self) -> None:
        length = self._length
        if length < _MIN_BUFFER_LENGTH or length >= MAX_BUFFER_LENGTH:
            raise _fault("length", f"it is {length} bytes long", 0, actual=length)
        if self._data[4:8] != IDENTIFIER:
            raise _fault("identifier", f"its identifier is not {IDENTIFIER.decode()}", 4)
        self._table(self._offset(0, "the root"), ROOT)

    def _range(self, at: int, length: int, what: str) -> None:
        """``length`` bytes at ``at`` lie in the buffer. Lengths equal to the buffer's fail, as in
        C++."""
        if not (at >= 0 and length < self._length and at <= self._length - length):
            raise _fault("range", f"{what} of {length} bytes reaches outside of the buffer", at)
        self._budget -= length
        if self._budget < 0:
            raise _fault("budget", f"it stands for far more than its {self._length} bytes", at)

    def _inline(self, at: int, size: int, align: int, what: str) -> None:
        """A number of ``size`` bytes at ``at`` lies in the buffer, aligned to ``align``."""
        if at % align:
            raise _fault("alignment", f"{what} is not aligned to {align} bytes", at)
        self._range(at, size, what)

    def _offset(self, at: int, what: str) -> int:
        """Where the offset at ``at`` leads."""
        self._inline(at, 4, 4, f"the offset of {what}")
        offset = _U32(self._data, at)[0]
        if offset == 0:
            raise _fault("offset", f"{what} has a null offset", at)
        if offset > 0x7FFFFFFF or at + offset >= self._length:
            raise _fault(
                "offset", f"the offset of {what} leads outside of the buffer", at, actual=offset
            )
        return at + offset

    def _table(self, at: int, name: str) -> None:
        data = self._data
        self._inline(at, 4, 4, name)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _fault("depth", f"it has tables nested more than {MAX_DEPTH} deep", at)
        vtable = at - _I32(data, at)[0]
        self._inline(vtable, _VTABLE_HEADER, 2, f"the vtable of {name}")
        vtable_length = _U16(data, vtable)[0]
        table_length = _U16(data, vtable + 2)[0]
        if (
            vtable_length < _VTABLE_HEADER
            or vtable_length > _MAX_VTABLE_NUMBER
            or vtable_length % 2
        ):
            raise _fault(
                "vtable", f"the vtable of {name} has a length of {vtable_length}", vtable
            )
        self._range(vtable, vtable_length, f"the vtable of {name}")
        if table_length < 4:
            raise _fault("table", f"{name} has a length of {table_length}", vtable + 2)
        self._range(at, table_length, name)
        for field in TABLES[name]:
            entry = _U16(data, vtable + field.slot)[0] if field.slot < vtable_length else 0
            if entry:
                self._field(field, at, entry, table_length, name)
            elif field.required:
                raise _fault("required", f"{name} lacks its required field {field.name}", at)
        self._depth -= 1

    def _field(self, field: Field, table: int, entry: int, table_length: int, name: str) -> None:
        base = field.base
        size = field.size if base in ("scalar", "bool") else 4
        if entry < 4 or entry > _MAX_VTABLE_NUMBER or entry + size > table_length:
            raise _fault(
                "field", f"{name}.{field.name} lies outside of its table", table, actual=entry
            )
        at = table + entry
        what = field.name
        if base == "scalar":
            self._inline(at, size, size, what)
        elif base == "bool":
            self._inline(at, size, size, what)
            if self._data[at] > 1:
                raise _fault("bool", f"{name}.{what} is neither 0 nor 1", at)
        elif base == "string":
            self._string(self._offset(at, what), what)
        elif base == "table":
            self._table(self._offset(at, what), field.table or "")
        elif base == "tables":
            self._tables(self._offset(at, what), field.table or "", what)
        elif base == "scalars":
            self._scalars(self._offset(at, what), field.size, what)
        else:
            # Its elements lie beyond the metadata; the format's own rules say where.
            self._inline(at, 4, 4, f"the offset of {what}")

    def _string(self, at: int, what: str) -> None:
        end = self._scalars(at, 1, what)
        self._range(end, 1, f"the end of {what}")
        if self._data[end]:
            raise _fault("string", f"{what} does not end with a zero byte", end)

    def _scalars(self, at: int, size: int, what: str) -> int:
        """Verifies a vector of scalars, and returns where it ends."""
        length = self._vector_length(at, size, what)
        start = at + 4
        if length > 0 and start % size:
            raise _fault(
                "alignment", f"the elements of {what} are not aligned to {size} bytes", start
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
        # Bounded before anything loops over it.
        if length >= MAX_BUFFER_LENGTH / size:
            raise _fault("length", f"{what} has {length} elements", at, actual=length)
        self._range(at, 4 + length * size, what)
        return length


def _fault(rule: str, message: str, offset: int, **fields: Any) -> CheckpointError:
    return CheckpointError(
        "CKPT_FLATBUFFER",
        f"the metadata is no sound FlatBuffer: {message} (at byte {offset})",
        rule=f"flatbuffer.{rule}",
        offset=offset,
        **fields,
    )
