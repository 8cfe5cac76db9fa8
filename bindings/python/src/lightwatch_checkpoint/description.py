"""What the schema says of the layout of its tables, as data: it drives the verifier.

A test holds it against generated/description.ts of the repository, which is derived from the schema.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

IDENTIFIER = b"LWCK"
ROOT = "Checkpoint"


class Field(NamedTuple):
    """A field of a table."""

    name: str
    #: Byte offset of its entry in the vtable: 4 for the first field, 6 for the second.
    slot: int
    #: ``scalar``, ``bool``, ``string``, ``table``, ``tables`` (a vector of them), ``scalars``, or
    #: ``segment`` (a vector whose elements lie beyond the metadata).
    base: str
    #: Bytes of a scalar, or of an element of a vector of scalars; 4 for an offset.
    size: int = 4
    #: Of a table or a vector of tables.
    table: Optional[str] = None
    required: bool = False


def _fields(*fields: tuple) -> tuple:
    return tuple(Field(name, 4 + 2 * i, *rest) for i, (name, *rest) in enumerate(fields))


TABLES = {
    "Checkpoint": _fields(
        ("version", "scalar", 4),
        ("metadata_length", "scalar", 4),
        ("metadata_crc32", "scalar", 4),
        ("file_length", "scalar", 8),
        ("epoch", "scalar", 8),
        ("step", "scalar", 8),
        ("loss", "scalar", 8),
        ("metrics", "tables", 4, "Metric"),
        ("config", "string"),
        ("model", "table", 4, "State", True),
        ("optimizer", "table", 4, "State"),
        ("extras", "tables", 4, "State"),
    ),
    "Entry": _fields(
        ("key", "string", 4, None, True),
        ("value", "table", 4, "Value", True),
    ),
    "Metric": _fields(
        ("name", "string", 4, None, True),
        ("value", "scalar", 8),
    ),
    "State": _fields(
        ("name", "string", 4, None, True),
        ("kind", "string"),
        ("attributes", "tables", 4, "Entry"),
        ("tensors", "tables", 4, "Tensor", True),
    ),
    "Tensor": _fields(
        ("name", "string", 4, None, True),
        ("dtype", "scalar", 1),
        ("shape", "scalars", 8, None, True),
        ("offset", "scalar", 8),
        ("byte_length", "scalar", 8),
        ("crc32", "scalar", 4),
        ("data", "segment"),
    ),
    "Value": _fields(
        ("kind", "scalar", 1),
        ("boolean", "bool", 1),
        ("integer", "scalar", 8),
        ("uinteger", "scalar", 8),
        ("number", "scalar", 8),
        ("text", "string"),
        ("list", "tables", 4, "Value"),
        ("map", "tables", 4, "Entry"),
    ),
}


def slot(table: str, field: str) -> int:
    """Byte offset of a field's entry in its table's vtable."""
    return next(f.slot for f in TABLES[table] if f.name == field)
