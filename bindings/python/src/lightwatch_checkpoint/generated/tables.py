# Generated from schema/checkpoint.fbs and schema/tables.json; do not edit: npm run gen

from typing import Literal

#: The newest version of the format that this library reads, and the version that it writes.
FORMAT_VERSION = 1

#: The root table and its vtable lie within this many bytes from the start of a file.
HEAD_LENGTH = 4096

#: Every segment starts at a multiple of this, in bytes: a cache line, and any SIMD width in use.
SEGMENT_ALIGNMENT = 64

#: Bytes before a segment that are reserved for its length.
LENGTH_BYTES = 4

#: Files shorter than this, in bytes, are one plain FlatBuffer: FLATBUFFERS_MAX_BUFFER_SIZE, 2^31 - 1.
FLATBUFFER_LIMIT = 2147483647

#: The shortest FlatBuffer, in bytes: root offset, identifier, and the root table's offset to its vtable.
MIN_BUFFER_LENGTH = 12

#: The largest integer up to which a double holds every integer exactly: 2^53 - 1.
MAX_SAFE_INTEGER = 9007199254740991

#: Most dimensions of a tensor: the limit of NumPy and PyTorch.
MAX_RANK = 64

#: Longest name in bytes of UTF-8: far beyond any state dict, and short enough for a message.
MAX_NAME_BYTES = 65535

#: The depth in tables of an attribute's value: below the root, its state and its entry. See max_depth.
ATTRIBUTE_DEPTH = 4

#: Deepest nesting of a config that is given as an object; reveals one that contains itself.
MAX_CONFIG_DEPTH = 200

#: Deepest nesting of tables: the default of FlatBuffers' verifiers.
MAX_DEPTH = 64

#: The verifier adds up the ranges that it visits. Their sum may be this many times the metadata's length.
BUDGET_PER_BYTE = 4

#: Bytes that the verifier may visit in addition.
BUDGET_BASE = 65536

#: Largest length and entry of a vtable: some runtimes read them as signed 16 bits.
MAX_VTABLE_NUMBER = 32767

#: Each dtype's name, its number in the file, the bits of an element, and what NumPy calls it, where
#: NumPy has it.
DTYPES = (
    ("float64", 1, 64, "<f8"),
    ("float32", 2, 32, "<f4"),
    ("float16", 3, 16, "<f2"),
    ("bfloat16", 4, 16, None),
    ("float8_e4m3fn", 5, 8, None),
    ("float8_e5m2", 6, 8, None),
    ("float8_e4m3fnuz", 7, 8, None),
    ("float8_e5m2fnuz", 8, 8, None),
    ("float8_e8m0fnu", 9, 8, None),
    ("float6_e2m3fn", 10, 6, None),
    ("float6_e3m2fn", 11, 6, None),
    ("float4_e2m1fn", 12, 4, None),
    ("int8", 16, 8, "<i1"),
    ("int16", 17, 16, "<i2"),
    ("int32", 18, 32, "<i4"),
    ("int64", 19, 64, "<i8"),
    ("uint8", 20, 8, "<u1"),
    ("uint16", 21, 16, "<u2"),
    ("uint32", 22, 32, "<u4"),
    ("uint64", 23, 64, "<u8"),
    ("bool", 24, 8, "?"),
    ("complex64", 25, 64, "<c8"),
    ("complex128", 26, 128, "<c16"),
    ("int4", 27, 4, None),
    ("uint4", 28, 4, None),
)

#: Four bytes at byte 4 of a file.
IDENTIFIER = b"LWCK"

ROOT = "Checkpoint"

#: The fields of each table by their slots: name, slot, what it holds, bytes of a number, the table that
#: it leads to, and whether it is required.
TABLES = {
    "Checkpoint": (
        ("version", 4, "number", 4, None, False),
        ("metadata_length", 6, "number", 4, None, False),
        ("metadata_crc32", 8, "number", 4, None, False),
        ("file_length", 10, "number", 8, None, False),
        ("epoch", 12, "number", 8, None, False),
        ("step", 14, "number", 8, None, False),
        ("loss", 16, "number", 8, None, False),
        ("metrics", 18, "tables", 0, "Metric", False),
        ("config", 20, "string", 0, None, False),
        ("model", 22, "table", 0, "State", True),
        ("optimizer", 24, "table", 0, "State", False),
        ("extras", 26, "tables", 0, "State", False),
        ("sequence", 28, "number", 8, None, False),
        ("saved_at", 30, "number", 8, None, False),
    ),
    "Entry": (
        ("key", 4, "string", 0, None, True),
        ("value", 6, "table", 0, "Value", True),
    ),
    "Metric": (
        ("name", 4, "string", 0, None, True),
        ("value", 6, "number", 8, None, False),
    ),
    "State": (
        ("name", 4, "string", 0, None, True),
        ("kind", 6, "string", 0, None, False),
        ("attributes", 8, "tables", 0, "Entry", False),
        ("tensors", 10, "tables", 0, "Tensor", True),
    ),
    "Tensor": (
        ("name", 4, "string", 0, None, True),
        ("dtype", 6, "number", 1, None, False),
        ("shape", 8, "numbers", 8, None, True),
        ("offset", 10, "number", 8, None, False),
        ("byte_length", 12, "number", 8, None, False),
        ("crc32", 14, "number", 4, None, False),
        ("data", 16, "segment", 1, None, False),
    ),
    "Value": (
        ("kind", 4, "number", 1, None, False),
        ("boolean", 6, "bool", 1, None, False),
        ("integer", 8, "number", 8, None, False),
        ("uinteger", 10, "number", 8, None, False),
        ("number", 12, "number", 8, None, False),
        ("text", 14, "string", 0, None, False),
        ("list", 16, "tables", 0, "Value", False),
        ("map", 18, "tables", 0, "Entry", False),
    ),
}

#: What a program can do about an error.
ErrorCode = Literal[
    # The bytes do not begin like a checkpoint: the identifier is wrong, or the file is too short for one.
    "CKPT_NOT_A_CHECKPOINT",
    # The file's format version is newer than this library's.
    "CKPT_VERSION",
    # The file is shorter or longer than it says: torn, truncated, or appended to.
    "CKPT_FILE_LENGTH",
    # The metadata's checksum does not match.
    "CKPT_METADATA_CHECKSUM",
    # The metadata is not a valid FlatBuffer of our schema.
    "CKPT_FLATBUFFER",
    # The metadata is a valid FlatBuffer, but says something that the format does not allow; see the rule.
    "CKPT_FORMAT",
    # A tensor's bytes do not match its checksum.
    "CKPT_TENSOR_CHECKSUM",
    # A checkpoint's state has no tensor of that name.
    "CKPT_NO_SUCH_TENSOR",
    # The file and the state that it should be read or restored into do not match.
    "CKPT_STATE_MISMATCH",
    # A restore failed after everything had been verified; see `cause` and `restored`.
    "CKPT_RESTORE_INCOMPLETE",
    # A tensor or the metadata needs more memory, or a longer array, than is possible.
    "CKPT_TENSOR_TOO_LARGE",
    # The bytes of this source can only be read asynchronously: use `read()`, not `data`.
    "CKPT_ASYNC_SOURCE",
    # The checkpoint was closed.
    "CKPT_CLOSED",
    # A file could not be opened or read; see the cause.
    "CKPT_READ",
    # The file was changed while it was being read, or it is not the version that a save or a load requires.
    "CKPT_FILE_CHANGED",
    # A tensor was changed, or its memory transferred or resized, during a save (nothing was committed); or memory was transferred or resized during a restore or a read into it.
    "CKPT_TENSOR_CHANGED",
    # A save failed before its commit: what was at the path before is still there. See the cause.
    "CKPT_NOT_COMMITTED",
    # The new file is in place, but the folder could not be synced: a power cut may undo it.
    "CKPT_NOT_DURABLE",
    # A save that must not replace anything found a file of that name, which is untouched.
    "CKPT_EXISTS",
    # A save began while another is under way, and the saver makes that an error.
    "CKPT_BUSY",
    # A file of another format breaks a rule of that format, or has an unknown format; see the rule.
    "CKPT_FOREIGN_FILE",
    # A value has no form in the other format, or a form that is not supported.
    "CKPT_NOT_CONVERTIBLE",
    # The machine is big-endian.
    "CKPT_BIG_ENDIAN",
]

#: The rule of the format that is broken.
Rule = Literal[
    # The root table, its vtable and its first fields lie within the head.
    "head",
    # The version is not 0.
    "version",
    # The metadata fits into the file, and holds its own checksum.
    "metadata_length",
    # Metadata and vectors are neither too short nor too long.
    "flatbuffer.length",
    # The metadata carries the schema's identifier.
    "flatbuffer.identifier",
    # What is read lies within the metadata.
    "flatbuffer.range",
    # Shared parts do not stand for far more than the metadata's length.
    "flatbuffer.budget",
    # Numbers, offsets and elements are aligned.
    "flatbuffer.alignment",
    # An offset is not 0, and leads forward within the metadata.
    "flatbuffer.offset",
    # Tables are not nested too deep.
    "flatbuffer.depth",
    # A vtable has a valid length.
    "flatbuffer.vtable",
    # A table has a valid length.
    "flatbuffer.table",
    # A table has its required fields.
    "flatbuffer.required",
    # A field lies within its table.
    "flatbuffer.field",
    # A bool is 0 or 1.
    "flatbuffer.bool",
    # A string ends with a zero byte.
    "flatbuffer.string",
    # Text is valid UTF-8.
    "text.utf8",
    # An integer is at most 2^53 - 1 either way.
    "integer.safe",
    # The config is JSON text.
    "config.json",
    # A metric has a value.
    "metric.value",
    # A metric appears once.
    "metric.unique",
    # A metric's name is valid.
    "metric.name",
    # A key appears once in its map.
    "attribute.unique",
    # A value holds what its kind says, and nothing else.
    "value.kind",
    # A state's name is valid, unique, and the one that its field requires.
    "state.name",
    # A tensor's dtype is one of the schema.
    "tensor.dtype",
    # A tensor does not have too many dimensions.
    "tensor.rank",
    # A tensor's name is valid.
    "tensor.name",
    # A tensor's name appears once in its state.
    "tensor.unique",
    # A tensor has as many bytes as its dtype and shape imply.
    "tensor.byte_length",
    # A segment starts at the position that the preceding one implies.
    "tensor.offset",
    # A segment ends within the file.
    "tensor.range",
    # Tensors that share a segment agree on its length and checksum.
    "tensor.alias",
    # A tensor's `data` leads to its segment if the file is a plain FlatBuffer, and is absent otherwise.
    "tensor.data",
    # The file ends with its last segment.
    "file_length",
    # The bytes before a segment are zero, except for its length.
    "gap",
]
