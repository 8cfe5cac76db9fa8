"""Changes of a file that its checksum of the metadata does not give away."""

import struct

from lightwatch_checkpoint.head import metadata_checksum, read_head


def reseal(data):
    """The same file, with the checksum of its metadata made to fit; as it is where its head does
    not say where that would be."""
    data = bytearray(data)
    try:
        head = read_head(bytes(data[:4096]), len(data))
    except Exception:
        return bytes(data)
    metadata = bytes(data[: head.metadata_length])
    struct.pack_into("<I", data, head.crc_offset, metadata_checksum(metadata, head.crc_offset))
    return bytes(data)
