// Generated from schema/checkpoint.fbs and schema/tables.json; do not edit: npm run gen

use crate::schema::{Field, Holds, Table};

/// The newest version of the format that this library reads, and the version that it writes.
pub const FORMAT_VERSION: u32 = 1;

/// The root table and its vtable lie within this many bytes from the start of a file.
pub(crate) const HEAD_LENGTH: u64 = 4096;

/// Every segment starts at a multiple of this, in bytes: a cache line, and any SIMD width in use.
pub(crate) const SEGMENT_ALIGNMENT: u64 = 64;

/// Bytes before a segment that are reserved for its length.
pub(crate) const LENGTH_BYTES: u64 = 4;

/// Files shorter than this, in bytes, are one plain FlatBuffer: FLATBUFFERS_MAX_BUFFER_SIZE, 2^31 - 1.
pub(crate) const FLATBUFFER_LIMIT: u64 = 2147483647;

/// The shortest FlatBuffer, in bytes: root offset, identifier, and the root table's offset to its vtable.
pub(crate) const MIN_BUFFER_LENGTH: u64 = 12;

/// The largest integer up to which a double holds every integer exactly: 2^53 - 1.
pub(crate) const MAX_SAFE_INTEGER: u64 = 9007199254740991;

/// Most dimensions of a tensor: the limit of NumPy and PyTorch.
pub(crate) const MAX_RANK: u64 = 64;

/// Longest name in bytes of UTF-8: far beyond any state dict, and short enough for a message.
pub(crate) const MAX_NAME_BYTES: u64 = 65535;

/// The depth in tables of an attribute's value: below the root, its state and its entry. See max_depth.
pub(crate) const ATTRIBUTE_DEPTH: u64 = 4;

/// Deepest nesting of a config that is given as an object; reveals one that contains itself.
pub(crate) const MAX_CONFIG_DEPTH: u64 = 200;

/// Deepest nesting of tables: the default of FlatBuffers' verifiers.
pub(crate) const MAX_DEPTH: u64 = 64;

/// The verifier adds up the ranges that it visits. Their sum may be this many times the metadata's length.
pub(crate) const BUDGET_PER_BYTE: u64 = 4;

/// Bytes that the verifier may visit in addition.
pub(crate) const BUDGET_BASE: u64 = 65536;

/// Largest length and entry of a vtable: some runtimes read them as signed 16 bits.
pub(crate) const MAX_VTABLE_NUMBER: u64 = 32767;

/// Four bytes at byte 4 of a file.
pub(crate) const IDENTIFIER: &[u8; 4] = b"LWCK";

/// The type of a tensor's elements. The names are those of PyTorch and ml_dtypes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// IEEE 754 binary64.
    Float64,
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary16.
    Float16,
    /// The upper half of a binary32.
    BFloat16,
    /// OCP 8-bit float, finite.
    Float8E4M3Fn,
    /// OCP 8-bit float.
    Float8E5M2,
    /// 8-bit float, finite, without a negative zero.
    Float8E4M3FnUz,
    /// 8-bit float, finite, without a negative zero.
    Float8E5M2FnUz,
    /// A power of two, eight bits of exponent: the scale of the OCP microscaling formats.
    Float8E8M0Fnu,
    /// OCP microscaling float of 6 bits, packed.
    Float6E2M3Fn,
    /// OCP microscaling float of 6 bits, packed.
    Float6E3M2Fn,
    /// OCP microscaling float of 4 bits, packed.
    Float4E2M1Fn,
    /// Two's complement integer.
    Int8,
    /// Two's complement integer.
    Int16,
    /// Two's complement integer.
    Int32,
    /// Two's complement integer.
    Int64,
    /// Unsigned integer.
    Uint8,
    /// Unsigned integer.
    Uint16,
    /// Unsigned integer.
    Uint32,
    /// Unsigned integer.
    Uint64,
    /// One byte an element: 0 is false, anything else is true (writers write 1).
    Bool,
    /// Two float32 an element: the real part, then the imaginary one.
    Complex64,
    /// Two float64 an element: the real part, then the imaginary one.
    Complex128,
    /// Two's complement integer of 4 bits, packed.
    Int4,
    /// Unsigned integer of 4 bits, packed.
    Uint4,
}

/// The numbers that elements are viewed as; a complex number is two of them.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum View {
    F64,
    F32,
    U16,
    U8,
    I8,
    I16,
    I32,
    I64,
    U32,
    U64,
}

impl DType {
    /// All dtypes, floats first.
    pub const ALL: &'static [DType] = &[
        DType::Float64,
        DType::Float32,
        DType::Float16,
        DType::BFloat16,
        DType::Float8E4M3Fn,
        DType::Float8E5M2,
        DType::Float8E4M3FnUz,
        DType::Float8E5M2FnUz,
        DType::Float8E8M0Fnu,
        DType::Float6E2M3Fn,
        DType::Float6E3M2Fn,
        DType::Float4E2M1Fn,
        DType::Int8,
        DType::Int16,
        DType::Int32,
        DType::Int64,
        DType::Uint8,
        DType::Uint16,
        DType::Uint32,
        DType::Uint64,
        DType::Bool,
        DType::Complex64,
        DType::Complex128,
        DType::Int4,
        DType::Uint4,
    ];

    /// The name in the schema: `float32`.
    pub fn name(self) -> &'static str {
        match self {
            DType::Float64 => "float64",
            DType::Float32 => "float32",
            DType::Float16 => "float16",
            DType::BFloat16 => "bfloat16",
            DType::Float8E4M3Fn => "float8_e4m3fn",
            DType::Float8E5M2 => "float8_e5m2",
            DType::Float8E4M3FnUz => "float8_e4m3fnuz",
            DType::Float8E5M2FnUz => "float8_e5m2fnuz",
            DType::Float8E8M0Fnu => "float8_e8m0fnu",
            DType::Float6E2M3Fn => "float6_e2m3fn",
            DType::Float6E3M2Fn => "float6_e3m2fn",
            DType::Float4E2M1Fn => "float4_e2m1fn",
            DType::Int8 => "int8",
            DType::Int16 => "int16",
            DType::Int32 => "int32",
            DType::Int64 => "int64",
            DType::Uint8 => "uint8",
            DType::Uint16 => "uint16",
            DType::Uint32 => "uint32",
            DType::Uint64 => "uint64",
            DType::Bool => "bool",
            DType::Complex64 => "complex64",
            DType::Complex128 => "complex128",
            DType::Int4 => "int4",
            DType::Uint4 => "uint4",
        }
    }

    /// Bits of an element. Below 8 elements are packed, from the least significant bit of each
    /// byte upwards without gaps.
    pub fn bits(self) -> u32 {
        match self {
            DType::Float64 => 64,
            DType::Float32 => 32,
            DType::Float16 => 16,
            DType::BFloat16 => 16,
            DType::Float8E4M3Fn => 8,
            DType::Float8E5M2 => 8,
            DType::Float8E4M3FnUz => 8,
            DType::Float8E5M2FnUz => 8,
            DType::Float8E8M0Fnu => 8,
            DType::Float6E2M3Fn => 6,
            DType::Float6E3M2Fn => 6,
            DType::Float4E2M1Fn => 4,
            DType::Int8 => 8,
            DType::Int16 => 16,
            DType::Int32 => 32,
            DType::Int64 => 64,
            DType::Uint8 => 8,
            DType::Uint16 => 16,
            DType::Uint32 => 32,
            DType::Uint64 => 64,
            DType::Bool => 8,
            DType::Complex64 => 64,
            DType::Complex128 => 128,
            DType::Int4 => 4,
            DType::Uint4 => 4,
        }
    }

    /// The dtype of a number in a file, where there is one.
    pub(crate) fn of_code(code: u8) -> Option<DType> {
        match code {
            1 => Some(DType::Float64),
            2 => Some(DType::Float32),
            3 => Some(DType::Float16),
            4 => Some(DType::BFloat16),
            5 => Some(DType::Float8E4M3Fn),
            6 => Some(DType::Float8E5M2),
            7 => Some(DType::Float8E4M3FnUz),
            8 => Some(DType::Float8E5M2FnUz),
            9 => Some(DType::Float8E8M0Fnu),
            10 => Some(DType::Float6E2M3Fn),
            11 => Some(DType::Float6E3M2Fn),
            12 => Some(DType::Float4E2M1Fn),
            16 => Some(DType::Int8),
            17 => Some(DType::Int16),
            18 => Some(DType::Int32),
            19 => Some(DType::Int64),
            20 => Some(DType::Uint8),
            21 => Some(DType::Uint16),
            22 => Some(DType::Uint32),
            23 => Some(DType::Uint64),
            24 => Some(DType::Bool),
            25 => Some(DType::Complex64),
            26 => Some(DType::Complex128),
            27 => Some(DType::Int4),
            28 => Some(DType::Uint4),
            _ => None,
        }
    }

    pub(crate) fn view(self) -> View {
        match self {
            DType::Float64 => View::F64,
            DType::Float32 => View::F32,
            DType::Float16 => View::U16,
            DType::BFloat16 => View::U16,
            DType::Float8E4M3Fn => View::U8,
            DType::Float8E5M2 => View::U8,
            DType::Float8E4M3FnUz => View::U8,
            DType::Float8E5M2FnUz => View::U8,
            DType::Float8E8M0Fnu => View::U8,
            DType::Float6E2M3Fn => View::U8,
            DType::Float6E3M2Fn => View::U8,
            DType::Float4E2M1Fn => View::U8,
            DType::Int8 => View::I8,
            DType::Int16 => View::I16,
            DType::Int32 => View::I32,
            DType::Int64 => View::I64,
            DType::Uint8 => View::U8,
            DType::Uint16 => View::U16,
            DType::Uint32 => View::U32,
            DType::Uint64 => View::U64,
            DType::Bool => View::U8,
            DType::Complex64 => View::F32,
            DType::Complex128 => View::F64,
            DType::Int4 => View::U8,
            DType::Uint4 => View::U8,
        }
    }
}

/// The kind of an [`Error`](crate::Error). Stable; the same codes in every language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The bytes do not begin like a checkpoint: the identifier is wrong, or the file is too short for one.
    NotACheckpoint,
    /// The file's format version is newer than this library's.
    Version,
    /// The file is shorter or longer than it says: torn, truncated, or appended to.
    FileLength,
    /// The metadata's checksum does not match.
    MetadataChecksum,
    /// The metadata is not a valid FlatBuffer of our schema.
    FlatBuffer,
    /// The metadata is a valid FlatBuffer, but says something that the format does not allow; see the rule.
    Format,
    /// A tensor's bytes do not match its checksum.
    TensorChecksum,
    /// A checkpoint's state has no tensor of that name.
    NoSuchTensor,
    /// The file and the state that it should be read or restored into do not match.
    StateMismatch,
    /// A tensor or the metadata needs more memory, or a longer array, than is possible.
    TensorTooLarge,
    /// The checkpoint was closed.
    Closed,
    /// A file could not be opened or read; see the cause.
    Read,
    /// The file was changed while it was being read, or it is not the version that a save or a load requires.
    FileChanged,
    /// The machine is big-endian.
    BigEndian,
}

impl ErrorCode {
    /// The code as text: `CKPT_FORMAT`.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::NotACheckpoint => "CKPT_NOT_A_CHECKPOINT",
            ErrorCode::Version => "CKPT_VERSION",
            ErrorCode::FileLength => "CKPT_FILE_LENGTH",
            ErrorCode::MetadataChecksum => "CKPT_METADATA_CHECKSUM",
            ErrorCode::FlatBuffer => "CKPT_FLATBUFFER",
            ErrorCode::Format => "CKPT_FORMAT",
            ErrorCode::TensorChecksum => "CKPT_TENSOR_CHECKSUM",
            ErrorCode::NoSuchTensor => "CKPT_NO_SUCH_TENSOR",
            ErrorCode::StateMismatch => "CKPT_STATE_MISMATCH",
            ErrorCode::TensorTooLarge => "CKPT_TENSOR_TOO_LARGE",
            ErrorCode::Closed => "CKPT_CLOSED",
            ErrorCode::Read => "CKPT_READ",
            ErrorCode::FileChanged => "CKPT_FILE_CHANGED",
            ErrorCode::BigEndian => "CKPT_BIG_ENDIAN",
        }
    }
}

/// The names of the rules.
#[allow(dead_code)]
pub(crate) mod rule {
    /// The root table, its vtable and its first fields lie within the head.
    pub(crate) const HEAD: &str = "head";
    /// The version is not 0.
    pub(crate) const VERSION: &str = "version";
    /// The metadata fits into the file, and holds its own checksum.
    pub(crate) const METADATA_LENGTH: &str = "metadata_length";
    /// Metadata and vectors are neither too short nor too long.
    pub(crate) const FLATBUFFER_LENGTH: &str = "flatbuffer.length";
    /// The metadata carries the schema's identifier.
    pub(crate) const FLATBUFFER_IDENTIFIER: &str = "flatbuffer.identifier";
    /// What is read lies within the metadata.
    pub(crate) const FLATBUFFER_RANGE: &str = "flatbuffer.range";
    /// Shared parts do not stand for far more than the metadata's length.
    pub(crate) const FLATBUFFER_BUDGET: &str = "flatbuffer.budget";
    /// Numbers, offsets and elements are aligned.
    pub(crate) const FLATBUFFER_ALIGNMENT: &str = "flatbuffer.alignment";
    /// An offset is not 0, and leads forward within the metadata.
    pub(crate) const FLATBUFFER_OFFSET: &str = "flatbuffer.offset";
    /// Tables are not nested too deep.
    pub(crate) const FLATBUFFER_DEPTH: &str = "flatbuffer.depth";
    /// A vtable has a valid length.
    pub(crate) const FLATBUFFER_VTABLE: &str = "flatbuffer.vtable";
    /// A table has a valid length.
    pub(crate) const FLATBUFFER_TABLE: &str = "flatbuffer.table";
    /// A table has its required fields.
    pub(crate) const FLATBUFFER_REQUIRED: &str = "flatbuffer.required";
    /// A field lies within its table.
    pub(crate) const FLATBUFFER_FIELD: &str = "flatbuffer.field";
    /// A bool is 0 or 1.
    pub(crate) const FLATBUFFER_BOOL: &str = "flatbuffer.bool";
    /// A string ends with a zero byte.
    pub(crate) const FLATBUFFER_STRING: &str = "flatbuffer.string";
    /// Text is valid UTF-8.
    pub(crate) const TEXT_UTF8: &str = "text.utf8";
    /// An integer is at most 2^53 - 1 either way.
    pub(crate) const INTEGER_SAFE: &str = "integer.safe";
    /// The config is JSON text.
    pub(crate) const CONFIG_JSON: &str = "config.json";
    /// A metric has a value.
    pub(crate) const METRIC_VALUE: &str = "metric.value";
    /// A metric appears once.
    pub(crate) const METRIC_UNIQUE: &str = "metric.unique";
    /// A metric's name is valid.
    pub(crate) const METRIC_NAME: &str = "metric.name";
    /// A key appears once in its map.
    pub(crate) const ATTRIBUTE_UNIQUE: &str = "attribute.unique";
    /// A value holds what its kind says, and nothing else.
    pub(crate) const VALUE_KIND: &str = "value.kind";
    /// A state's name is valid, unique, and the one that its field requires.
    pub(crate) const STATE_NAME: &str = "state.name";
    /// A tensor's dtype is one of the schema.
    pub(crate) const TENSOR_DTYPE: &str = "tensor.dtype";
    /// A tensor does not have too many dimensions.
    pub(crate) const TENSOR_RANK: &str = "tensor.rank";
    /// A tensor's name is valid.
    pub(crate) const TENSOR_NAME: &str = "tensor.name";
    /// A tensor's name appears once in its state.
    pub(crate) const TENSOR_UNIQUE: &str = "tensor.unique";
    /// A tensor has as many bytes as its dtype and shape imply.
    pub(crate) const TENSOR_BYTE_LENGTH: &str = "tensor.byte_length";
    /// A segment starts at the position that the preceding one implies.
    pub(crate) const TENSOR_OFFSET: &str = "tensor.offset";
    /// A segment ends within the file.
    pub(crate) const TENSOR_RANGE: &str = "tensor.range";
    /// Tensors that share a segment agree on its length and checksum.
    pub(crate) const TENSOR_ALIAS: &str = "tensor.alias";
    /// A tensor's `data` leads to its segment if the file is a plain FlatBuffer, and is absent otherwise.
    pub(crate) const TENSOR_DATA: &str = "tensor.data";
    /// The file ends with its last segment.
    pub(crate) const FILE_LENGTH: &str = "file_length";
    /// The bytes before a segment are zero, except for its length.
    pub(crate) const GAP: &str = "gap";
}

/// The tables of the schema; the root is `CHECKPOINT`.
pub(crate) static CHECKPOINT: Table = Table {
    name: "Checkpoint",
    fields: &[
        Field { name: "version", slot: 4, required: false, holds: Holds::Number(4) },
        Field { name: "metadata_length", slot: 6, required: false, holds: Holds::Number(4) },
        Field { name: "metadata_crc32", slot: 8, required: false, holds: Holds::Number(4) },
        Field { name: "file_length", slot: 10, required: false, holds: Holds::Number(8) },
        Field { name: "epoch", slot: 12, required: false, holds: Holds::Number(8) },
        Field { name: "step", slot: 14, required: false, holds: Holds::Number(8) },
        Field { name: "loss", slot: 16, required: false, holds: Holds::Number(8) },
        Field { name: "metrics", slot: 18, required: false, holds: Holds::Tables(&METRIC) },
        Field { name: "config", slot: 20, required: false, holds: Holds::Text },
        Field { name: "model", slot: 22, required: true, holds: Holds::Table(&STATE) },
        Field { name: "optimizer", slot: 24, required: false, holds: Holds::Table(&STATE) },
        Field { name: "extras", slot: 26, required: false, holds: Holds::Tables(&STATE) },
        Field { name: "sequence", slot: 28, required: false, holds: Holds::Number(8) },
        Field { name: "saved_at", slot: 30, required: false, holds: Holds::Number(8) },
    ],
};

pub(crate) static ENTRY: Table = Table {
    name: "Entry",
    fields: &[
        Field { name: "key", slot: 4, required: true, holds: Holds::Text },
        Field { name: "value", slot: 6, required: true, holds: Holds::Table(&VALUE) },
    ],
};

pub(crate) static METRIC: Table = Table {
    name: "Metric",
    fields: &[
        Field { name: "name", slot: 4, required: true, holds: Holds::Text },
        Field { name: "value", slot: 6, required: false, holds: Holds::Number(8) },
    ],
};

pub(crate) static STATE: Table = Table {
    name: "State",
    fields: &[
        Field { name: "name", slot: 4, required: true, holds: Holds::Text },
        Field { name: "kind", slot: 6, required: false, holds: Holds::Text },
        Field { name: "attributes", slot: 8, required: false, holds: Holds::Tables(&ENTRY) },
        Field { name: "tensors", slot: 10, required: true, holds: Holds::Tables(&TENSOR) },
    ],
};

pub(crate) static TENSOR: Table = Table {
    name: "Tensor",
    fields: &[
        Field { name: "name", slot: 4, required: true, holds: Holds::Text },
        Field { name: "dtype", slot: 6, required: false, holds: Holds::Number(1) },
        Field { name: "shape", slot: 8, required: true, holds: Holds::Numbers(8) },
        Field { name: "offset", slot: 10, required: false, holds: Holds::Number(8) },
        Field { name: "byte_length", slot: 12, required: false, holds: Holds::Number(8) },
        Field { name: "crc32", slot: 14, required: false, holds: Holds::Number(4) },
        Field { name: "data", slot: 16, required: false, holds: Holds::Segment },
    ],
};

pub(crate) static VALUE: Table = Table {
    name: "Value",
    fields: &[
        Field { name: "kind", slot: 4, required: false, holds: Holds::Number(1) },
        Field { name: "boolean", slot: 6, required: false, holds: Holds::Bool },
        Field { name: "integer", slot: 8, required: false, holds: Holds::Number(8) },
        Field { name: "uinteger", slot: 10, required: false, holds: Holds::Number(8) },
        Field { name: "number", slot: 12, required: false, holds: Holds::Number(8) },
        Field { name: "text", slot: 14, required: false, holds: Holds::Text },
        Field { name: "list", slot: 16, required: false, holds: Holds::Tables(&VALUE) },
        Field { name: "map", slot: 18, required: false, holds: Holds::Tables(&ENTRY) },
    ],
};
