// Generated from schema/checkpoint.fbs and schema/tables.json; do not edit: npm run gen

/** The newest version of the format that this library reads, and the version that it writes. */
export const FORMAT_VERSION = 1

/** The root table and its vtable lie within this many bytes from the start of a file. */
export const HEAD_LENGTH = 4096

/** Every segment starts at a multiple of this, in bytes: a cache line, and any SIMD width in use. */
export const SEGMENT_ALIGNMENT = 64

/** Bytes before a segment that are reserved for its length. */
export const LENGTH_BYTES = 4

/** Files shorter than this, in bytes, are one plain FlatBuffer: FLATBUFFERS_MAX_BUFFER_SIZE, 2^31 - 1. */
export const FLATBUFFER_LIMIT = 2147483647

/** The shortest FlatBuffer, in bytes: root offset, identifier, and the root table's offset to its vtable. */
export const MIN_BUFFER_LENGTH = 12

/** The largest integer up to which a double holds every integer exactly: 2^53 - 1. */
export const MAX_SAFE_INTEGER = 9007199254740991

/** Most dimensions of a tensor: the limit of NumPy and PyTorch. */
export const MAX_RANK = 64

/** Longest name in bytes of UTF-8: far beyond any state dict, and short enough for a message. */
export const MAX_NAME_BYTES = 65535

/** The depth in tables of an attribute's value: below the root, its state and its entry. See max_depth. */
export const ATTRIBUTE_DEPTH = 4

/** Deepest nesting of a config that is given as an object; reveals one that contains itself. */
export const MAX_CONFIG_DEPTH = 200

/** Deepest nesting of tables: the default of FlatBuffers' verifiers. */
export const MAX_DEPTH = 64

/** The verifier adds up the ranges that it visits. Their sum may be this many times the metadata's length. */
export const BUDGET_PER_BYTE = 4

/** Bytes that the verifier may visit in addition. */
export const BUDGET_BASE = 65536

/** Largest length and entry of a vtable: some runtimes read them as signed 16 bits. */
export const MAX_VTABLE_NUMBER = 32767
