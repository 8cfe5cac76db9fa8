"""The schema's layout of its tables, as data that drives the verifier."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .generated import tables


class Field(NamedTuple):
    """A field of a table."""

    name: str
    #: Byte offset of its entry in the vtable: 4 for the first field, 6 for the second.
    slot: int
    #: ``number``, ``bool``, ``string``, ``table``, ``tables`` (a vector of them), ``numbers``, or
    #: ``segment`` (a vector whose elements lie beyond the metadata).
    kind: str
    #: Bytes of a number, or of an element of a vector of numbers.
    size: int
    #: Of a table or a vector of tables.
    table: Optional[str]
    required: bool


TABLES = {
    name: tuple(Field(*field) for field in fields) for name, fields in tables.TABLES.items()
}


def slot(table: str, field: str) -> int:
    """Byte offset of a field's entry in its table's vtable."""
    return next(f.slot for f in TABLES[table] if f.name == field)
