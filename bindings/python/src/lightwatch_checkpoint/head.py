"""The head of a file: whether it is a checkpoint, in a known version, and as long as it says.

Reading it needs only the first few kilobytes and trusts none of them.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from .description import slot
from .error import CheckpointError, broken, printable
from .generated.tables import (
    FLATBUFFER_LIMIT,
    FORMAT_VERSION,
    HEAD_LENGTH,
    IDENTIFIER,
    MIN_BUFFER_LENGTH,
)

_VERSION = slot("Checkpoint", "version")
_METADATA_LENGTH = slot("Checkpoint", "metadata_length")
_METADATA_CRC32 = slot("Checkpoint", "metadata_crc32")
_FILE_LENGTH = slot("Checkpoint", "file_length")

_U16 = struct.Struct("<H").unpack_from
_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from
_U64 = struct.Struct("<Q").unpack_from


class Head(NamedTuple):
    """The content of the head, compared with the file. Lengths and positions are in bytes."""

    version: int
    metadata_length: int
    metadata_crc32: int
    crc_offset: int
    file_length: int


def read_head(start: bytes, file_length: int) -> Head:
    """Reads the head of a file of ``file_length`` bytes. ``start`` holds its first HEAD_LENGTH
    bytes, or all of them if it is shorter. Raises CKPT_NOT_A_CHECKPOINT, CKPT_VERSION,
    CKPT_FILE_LENGTH or CKPT_FORMAT."""
    _check_identifier(start, file_length)
    if file_length < MIN_BUFFER_LENGTH:
        raise CheckpointError(
            "CKPT_FILE_LENGTH",
            f"the file was cut short: it begins like a checkpoint, but ends after {file_length} bytes",
            actual=file_length,
        )
    head = bytes(start[:HEAD_LENGTH])
    available = len(head)

    def within(at: int, length: int) -> bool:
        return at >= 0 and at + length <= available

    def bad(what: str, offset: int) -> CheckpointError:
        # An inconsistent head of a short file means that the file was cut short.
        if file_length < HEAD_LENGTH:
            return CheckpointError(
                "CKPT_FILE_LENGTH",
                f"the file was cut short or is damaged: {what} does not lie within its "
                f"{file_length} bytes",
                rule="head",
                offset=offset,
                actual=file_length,
            )
        return broken(
            "head",
            f"{what} does not lie within the first {HEAD_LENGTH} bytes of the file",
            offset=offset,
        )

    root = _U32(head, 0)[0]
    if root < 8 or root % 4 or not within(root, 4):
        raise bad("the root table", 0)
    vtable = root - _I32(head, root)[0]
    if vtable < 8 or vtable % 2 or not within(vtable, 4):
        raise bad("its vtable", root)
    vtable_length = _U16(head, vtable)[0]
    if not within(vtable, vtable_length):
        raise bad("its vtable", vtable)

    def position(at_slot: int, size: int, name: str) -> int:
        entry = _U16(head, vtable + at_slot)[0] if at_slot + 2 <= vtable_length else 0
        at = root + entry
        if entry < 4 or at % size:
            raise broken("head", f"the root table has no {name}", offset=root)
        if not within(at, size):
            raise bad(name, vtable + at_slot)
        return at

    version = _U32(head, position(_VERSION, 4, "version"))[0]
    if version > FORMAT_VERSION:
        raise CheckpointError(
            "CKPT_VERSION",
            f"the file has format version {version}, and this library reads up to version "
            f"{FORMAT_VERSION}: update lightwatch-checkpoint",
            expected=FORMAT_VERSION,
            actual=version,
        )
    if version == 0:
        raise broken("version", "the file has format version 0, which does not exist", actual=version)

    declared = _U64(head, position(_FILE_LENGTH, 8, "file_length"))[0]
    if declared != file_length:
        how = "was cut short" if declared > file_length else "has something appended to it"
        raise CheckpointError(
            "CKPT_FILE_LENGTH",
            f"the file {how}: expected {declared} bytes, as it says itself, found {file_length}",
            expected=declared,
            actual=file_length,
        )

    metadata_length = _U32(head, position(_METADATA_LENGTH, 4, "metadata_length"))[0]
    longest = min(file_length, FLATBUFFER_LIMIT - 1)
    if metadata_length < MIN_BUFFER_LENGTH or metadata_length > longest:
        raise broken(
            "metadata_length",
            f"the metadata claims {metadata_length} bytes, in a file of {file_length} bytes",
            expected=longest,
            actual=metadata_length,
        )
    crc_offset = position(_METADATA_CRC32, 4, "metadata_crc32")
    metadata_crc32 = _U32(head, crc_offset)[0]
    if crc_offset + 4 > metadata_length:
        raise broken(
            "metadata_length", "the checksum of the metadata lies outside the metadata", offset=crc_offset
        )
    return Head(version, metadata_length, metadata_crc32, crc_offset, file_length)


def metadata_checksum(metadata: bytes, crc_offset: int) -> int:
    """CRC-32 of metadata, with the four bytes at ``crc_offset`` taken as zero."""
    view = memoryview(metadata)
    crc = zlib.crc32(view[:crc_offset])
    crc = zlib.crc32(bytes(4), crc)
    return zlib.crc32(view[crc_offset + 4 :], crc)


def _check_identifier(start: bytes, file_length: int) -> None:
    identifier = bytes(start[4:8])
    if identifier == IDENTIFIER:
        return
    raise CheckpointError(
        "CKPT_NOT_A_CHECKPOINT",
        f"not a .ckpt file: {_looks_like(bytes(start[:9]), file_length)}",
        offset=4,
        expected=IDENTIFIER.decode(),
        actual=printable(identifier.decode("latin-1")),
    )


def _looks_like(start: bytes, file_length: int) -> str:
    if file_length == 0:
        return "the file is empty"
    # Safetensors comes first: the length of its header can begin like any other format.
    if start[8:9] == b"{" and start[6:8] == b"\0\0":
        return "it looks like a safetensors file"
    if start[:2] == b"PK":
        return "it is a zip archive (PyTorch and NumPy save these)"
    if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "it looks like a Python pickle"
    if start[:6] == b"\x89HDF\r\n":
        return "it looks like an HDF5 file"
    if start[:1] in (b"{", b"["):
        return "it looks like JSON"
    return f"expected {IDENTIFIER.decode()} at byte 4"
