"""What the tests read: files of the repository, and copies of them with something changed."""

import json
import struct
import zlib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
CORPUS = REPOSITORY / "test" / "conformance"


@pytest.fixture
def golden() -> Path:
    """The golden file of format version 1."""
    return REPOSITORY / "test" / "golden" / "v1.ckpt"


def valid_files():
    """Names of the corpus's valid files."""
    return sorted(path.stem for path in (CORPUS / "valid").glob("*.ckpt"))


def invalid_files():
    """The corpus's invalid files: name, and the code and rule that it has to be refused with."""
    return sorted(json.loads((CORPUS / "invalid.json").read_text()).items())


def reseal(data: bytearray) -> bytearray:
    """Makes the checksum of the metadata fit again."""
    root = struct.unpack_from("<I", data, 0)[0]
    vtable = root - struct.unpack_from("<i", data, root)[0]
    length_at = root + struct.unpack_from("<H", data, vtable + 6)[0]
    crc_at = root + struct.unpack_from("<H", data, vtable + 8)[0]
    length = struct.unpack_from("<I", data, length_at)[0]
    struct.pack_into("<I", data, crc_at, 0)
    struct.pack_into("<I", data, crc_at, zlib.crc32(data[:length]))
    return data
