// Generated from schema/checkpoint.fbs and schema/tables.json; do not edit: npm run gen

#ifndef LIGHTWATCH_CHECKPOINT_TABLES_HPP
#define LIGHTWATCH_CHECKPOINT_TABLES_HPP

#include <cstdint>

#include "lightwatch/checkpoint/schema.hpp"

namespace lightwatch {

/// The newest version of the format that this library reads, and the version that it writes.
inline constexpr std::uint32_t format_version = 1;

/// The type of a tensor's elements; the numbers are those of the file.
enum class DType : std::uint8_t {
  /// IEEE 754 binary64.
  float64 = 1,
  /// IEEE 754 binary32.
  float32 = 2,
  /// IEEE 754 binary16.
  float16 = 3,
  /// The upper half of a binary32.
  bfloat16 = 4,
  /// OCP 8-bit float, finite.
  float8_e4m3fn = 5,
  /// OCP 8-bit float.
  float8_e5m2 = 6,
  /// 8-bit float, finite, without a negative zero.
  float8_e4m3fnuz = 7,
  /// 8-bit float, finite, without a negative zero.
  float8_e5m2fnuz = 8,
  /// A power of two, eight bits of exponent: the scale of the OCP microscaling formats.
  float8_e8m0fnu = 9,
  /// OCP microscaling float of 6 bits, packed.
  float6_e2m3fn = 10,
  /// OCP microscaling float of 6 bits, packed.
  float6_e3m2fn = 11,
  /// OCP microscaling float of 4 bits, packed.
  float4_e2m1fn = 12,
  /// Two's complement integer.
  int8 = 16,
  /// Two's complement integer.
  int16 = 17,
  /// Two's complement integer.
  int32 = 18,
  /// Two's complement integer.
  int64 = 19,
  /// Unsigned integer.
  uint8 = 20,
  /// Unsigned integer.
  uint16 = 21,
  /// Unsigned integer.
  uint32 = 22,
  /// Unsigned integer.
  uint64 = 23,
  /// One byte an element: 0 is false, anything else is true (writers write 1).
  boolean = 24,
  /// Two float32 an element: the real part, then the imaginary one.
  complex64 = 25,
  /// Two float64 an element: the real part, then the imaginary one.
  complex128 = 26,
  /// Two's complement integer of 4 bits, packed.
  int4 = 27,
  /// Unsigned integer of 4 bits, packed.
  uint4 = 28,
};

/// The kind of a CheckpointError, for programs. The codes are the same in every language.
enum class ErrorCode {
  /// The bytes do not begin like a checkpoint: the identifier is wrong, or the file is too short for one.
  not_a_checkpoint,
  /// The file's format version is newer than this library's.
  version,
  /// The file is shorter or longer than it says: torn, truncated, or appended to.
  file_length,
  /// The metadata's checksum does not match.
  metadata_checksum,
  /// The metadata is not a valid FlatBuffer of our schema.
  flatbuffer,
  /// The metadata is a valid FlatBuffer, but says something that the format does not allow; see the rule.
  format,
  /// A tensor's bytes do not match its checksum.
  tensor_checksum,
  /// A checkpoint's state has no tensor of that name.
  no_such_tensor,
  /// The file and the state that it should be read or restored into do not match.
  state_mismatch,
  /// A restore failed after everything had been verified; see `cause` and `restored`.
  restore_incomplete,
  /// A tensor or the metadata needs more memory, or a longer array, than is possible.
  tensor_too_large,
  /// The checkpoint was closed.
  closed,
  /// A file could not be opened or read; see the cause.
  read,
  /// The file was changed while it was being read, or it is not the version that a save or a load requires.
  file_changed,
  /// A tensor was changed, or its memory transferred or resized, during a save (nothing was committed); or memory was transferred or resized during a restore or a read into it.
  tensor_changed,
  /// A save failed before its commit: what was at the path before is still there. See the cause.
  not_committed,
  /// The new file is in place, but the folder could not be synced: a power cut may undo it.
  not_durable,
  /// The machine is big-endian.
  big_endian,
};

/// The code as text, as all implementations have it: "CKPT_FORMAT".
constexpr const char *to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::not_a_checkpoint: return "CKPT_NOT_A_CHECKPOINT";
    case ErrorCode::version: return "CKPT_VERSION";
    case ErrorCode::file_length: return "CKPT_FILE_LENGTH";
    case ErrorCode::metadata_checksum: return "CKPT_METADATA_CHECKSUM";
    case ErrorCode::flatbuffer: return "CKPT_FLATBUFFER";
    case ErrorCode::format: return "CKPT_FORMAT";
    case ErrorCode::tensor_checksum: return "CKPT_TENSOR_CHECKSUM";
    case ErrorCode::no_such_tensor: return "CKPT_NO_SUCH_TENSOR";
    case ErrorCode::state_mismatch: return "CKPT_STATE_MISMATCH";
    case ErrorCode::restore_incomplete: return "CKPT_RESTORE_INCOMPLETE";
    case ErrorCode::tensor_too_large: return "CKPT_TENSOR_TOO_LARGE";
    case ErrorCode::closed: return "CKPT_CLOSED";
    case ErrorCode::read: return "CKPT_READ";
    case ErrorCode::file_changed: return "CKPT_FILE_CHANGED";
    case ErrorCode::tensor_changed: return "CKPT_TENSOR_CHANGED";
    case ErrorCode::not_committed: return "CKPT_NOT_COMMITTED";
    case ErrorCode::not_durable: return "CKPT_NOT_DURABLE";
    case ErrorCode::big_endian: return "CKPT_BIG_ENDIAN";
  }
  return "CKPT_UNKNOWN";
}

namespace detail {

/// The root table and its vtable lie within this many bytes from the start of a file.
inline constexpr std::uint64_t head_length = 4096;

/// Every segment starts at a multiple of this, in bytes: a cache line, and any SIMD width in use.
inline constexpr std::uint64_t segment_alignment = 64;

/// Bytes before a segment that are reserved for its length.
inline constexpr std::uint64_t length_bytes = 4;

/// Files shorter than this, in bytes, are one plain FlatBuffer: FLATBUFFERS_MAX_BUFFER_SIZE, 2^31 - 1.
inline constexpr std::uint64_t flatbuffer_limit = 2147483647;

/// The shortest FlatBuffer, in bytes: root offset, identifier, and the root table's offset to its vtable.
inline constexpr std::uint64_t min_buffer_length = 12;

/// The largest integer up to which a double holds every integer exactly: 2^53 - 1.
inline constexpr std::uint64_t max_safe_integer = 9007199254740991;

/// Most dimensions of a tensor: the limit of NumPy and PyTorch.
inline constexpr std::uint64_t max_rank = 64;

/// Longest name in bytes of UTF-8: far beyond any state dict, and short enough for a message.
inline constexpr std::uint64_t max_name_bytes = 65535;

/// The depth in tables of an attribute's value: below the root, its state and its entry. See max_depth.
inline constexpr std::uint64_t attribute_depth = 4;

/// Deepest nesting of a config that is given as an object; reveals one that contains itself.
inline constexpr std::uint64_t max_config_depth = 200;

/// Deepest nesting of tables: the default of FlatBuffers' verifiers.
inline constexpr std::uint64_t max_depth = 64;

/// The verifier adds up the ranges that it visits. Their sum may be this many times the metadata's length.
inline constexpr std::uint64_t budget_per_byte = 4;

/// Bytes that the verifier may visit in addition.
inline constexpr std::uint64_t budget_base = 65536;

/// Largest length and entry of a vtable: some runtimes read them as signed 16 bits.
inline constexpr std::uint64_t max_vtable_number = 32767;

inline constexpr char file_identifier[] = "LWCK";

/// By the number in a file, from 0 on; those that are no dtype have no name.
inline constexpr DTypeRow dtype_rows[] = {
    {nullptr, 0, ViewKind::none, 0},
    {"float64", 64, ViewKind::float_number, 8},
    {"float32", 32, ViewKind::float_number, 4},
    {"float16", 16, ViewKind::uint_number, 2},
    {"bfloat16", 16, ViewKind::uint_number, 2},
    {"float8_e4m3fn", 8, ViewKind::uint_number, 1},
    {"float8_e5m2", 8, ViewKind::uint_number, 1},
    {"float8_e4m3fnuz", 8, ViewKind::uint_number, 1},
    {"float8_e5m2fnuz", 8, ViewKind::uint_number, 1},
    {"float8_e8m0fnu", 8, ViewKind::uint_number, 1},
    {"float6_e2m3fn", 6, ViewKind::uint_number, 1},
    {"float6_e3m2fn", 6, ViewKind::uint_number, 1},
    {"float4_e2m1fn", 4, ViewKind::uint_number, 1},
    {nullptr, 0, ViewKind::none, 0},
    {nullptr, 0, ViewKind::none, 0},
    {nullptr, 0, ViewKind::none, 0},
    {"int8", 8, ViewKind::int_number, 1},
    {"int16", 16, ViewKind::int_number, 2},
    {"int32", 32, ViewKind::int_number, 4},
    {"int64", 64, ViewKind::int_number, 8},
    {"uint8", 8, ViewKind::uint_number, 1},
    {"uint16", 16, ViewKind::uint_number, 2},
    {"uint32", 32, ViewKind::uint_number, 4},
    {"uint64", 64, ViewKind::uint_number, 8},
    {"bool", 8, ViewKind::uint_number, 1},
    {"complex64", 64, ViewKind::complex_number, 8},
    {"complex128", 128, ViewKind::complex_number, 16},
    {"int4", 4, ViewKind::uint_number, 1},
    {"uint4", 4, ViewKind::uint_number, 1},
};

/// The names of the rules.
namespace rule {
/// The root table, its vtable and its first fields lie within the head.
inline constexpr char head[] = "head";
/// The version is not 0.
inline constexpr char version[] = "version";
/// The metadata fits into the file, and holds its own checksum.
inline constexpr char metadata_length[] = "metadata_length";
/// Metadata and vectors are neither too short nor too long.
inline constexpr char flatbuffer_length[] = "flatbuffer.length";
/// The metadata carries the schema's identifier.
inline constexpr char flatbuffer_identifier[] = "flatbuffer.identifier";
/// What is read lies within the metadata.
inline constexpr char flatbuffer_range[] = "flatbuffer.range";
/// Shared parts do not stand for far more than the metadata's length.
inline constexpr char flatbuffer_budget[] = "flatbuffer.budget";
/// Numbers, offsets and elements are aligned.
inline constexpr char flatbuffer_alignment[] = "flatbuffer.alignment";
/// An offset is not 0, and leads forward within the metadata.
inline constexpr char flatbuffer_offset[] = "flatbuffer.offset";
/// Tables are not nested too deep.
inline constexpr char flatbuffer_depth[] = "flatbuffer.depth";
/// A vtable has a valid length.
inline constexpr char flatbuffer_vtable[] = "flatbuffer.vtable";
/// A table has a valid length.
inline constexpr char flatbuffer_table[] = "flatbuffer.table";
/// A table has its required fields.
inline constexpr char flatbuffer_required[] = "flatbuffer.required";
/// A field lies within its table.
inline constexpr char flatbuffer_field[] = "flatbuffer.field";
/// A bool is 0 or 1.
inline constexpr char flatbuffer_bool[] = "flatbuffer.bool";
/// A string ends with a zero byte.
inline constexpr char flatbuffer_string[] = "flatbuffer.string";
/// Text is valid UTF-8.
inline constexpr char text_utf8[] = "text.utf8";
/// An integer is at most 2^53 - 1 either way.
inline constexpr char integer_safe[] = "integer.safe";
/// The config is JSON text.
inline constexpr char config_json[] = "config.json";
/// A metric has a value.
inline constexpr char metric_value[] = "metric.value";
/// A metric appears once.
inline constexpr char metric_unique[] = "metric.unique";
/// A metric's name is valid.
inline constexpr char metric_name[] = "metric.name";
/// A key appears once in its map.
inline constexpr char attribute_unique[] = "attribute.unique";
/// A value holds what its kind says, and nothing else.
inline constexpr char value_kind[] = "value.kind";
/// A state's name is valid, unique, and the one that its field requires.
inline constexpr char state_name[] = "state.name";
/// A tensor's dtype is one of the schema.
inline constexpr char tensor_dtype[] = "tensor.dtype";
/// A tensor does not have too many dimensions.
inline constexpr char tensor_rank[] = "tensor.rank";
/// A tensor's name is valid.
inline constexpr char tensor_name[] = "tensor.name";
/// A tensor's name appears once in its state.
inline constexpr char tensor_unique[] = "tensor.unique";
/// A tensor has as many bytes as its dtype and shape imply.
inline constexpr char tensor_byte_length[] = "tensor.byte_length";
/// A segment starts at the position that the preceding one implies.
inline constexpr char tensor_offset[] = "tensor.offset";
/// A segment ends within the file.
inline constexpr char tensor_range[] = "tensor.range";
/// Tensors that share a segment agree on its length and checksum.
inline constexpr char tensor_alias[] = "tensor.alias";
/// A tensor's `data` leads to its segment if the file is a plain FlatBuffer, and is absent otherwise.
inline constexpr char tensor_data[] = "tensor.data";
/// The file ends with its last segment.
inline constexpr char file_length[] = "file_length";
/// The bytes before a segment are zero, except for its length.
inline constexpr char gap[] = "gap";
}  // namespace rule

enum class TableType : std::uint8_t { checkpoint, entry, metric, state, tensor, value };

/// The root of a file.
inline constexpr TableType root_table = TableType::checkpoint;

inline constexpr FieldDescription checkpoint_fields[] = {
    {"version", 4, false, FieldType::number, 4, TableType::checkpoint},
    {"metadata_length", 6, false, FieldType::number, 4, TableType::checkpoint},
    {"metadata_crc32", 8, false, FieldType::number, 4, TableType::checkpoint},
    {"file_length", 10, false, FieldType::number, 8, TableType::checkpoint},
    {"epoch", 12, false, FieldType::number, 8, TableType::checkpoint},
    {"step", 14, false, FieldType::number, 8, TableType::checkpoint},
    {"loss", 16, false, FieldType::number, 8, TableType::checkpoint},
    {"metrics", 18, false, FieldType::tables, 0, TableType::metric},
    {"config", 20, false, FieldType::string, 0, TableType::checkpoint},
    {"model", 22, true, FieldType::table, 0, TableType::state},
    {"optimizer", 24, false, FieldType::table, 0, TableType::state},
    {"extras", 26, false, FieldType::tables, 0, TableType::state},
    {"sequence", 28, false, FieldType::number, 8, TableType::checkpoint},
    {"saved_at", 30, false, FieldType::number, 8, TableType::checkpoint},
};

inline constexpr FieldDescription entry_fields[] = {
    {"key", 4, true, FieldType::string, 0, TableType::checkpoint},
    {"value", 6, true, FieldType::table, 0, TableType::value},
};

inline constexpr FieldDescription metric_fields[] = {
    {"name", 4, true, FieldType::string, 0, TableType::checkpoint},
    {"value", 6, false, FieldType::number, 8, TableType::checkpoint},
};

inline constexpr FieldDescription state_fields[] = {
    {"name", 4, true, FieldType::string, 0, TableType::checkpoint},
    {"kind", 6, false, FieldType::string, 0, TableType::checkpoint},
    {"attributes", 8, false, FieldType::tables, 0, TableType::entry},
    {"tensors", 10, true, FieldType::tables, 0, TableType::tensor},
};

inline constexpr FieldDescription tensor_fields[] = {
    {"name", 4, true, FieldType::string, 0, TableType::checkpoint},
    {"dtype", 6, false, FieldType::number, 1, TableType::checkpoint},
    {"shape", 8, true, FieldType::numbers, 8, TableType::checkpoint},
    {"offset", 10, false, FieldType::number, 8, TableType::checkpoint},
    {"byte_length", 12, false, FieldType::number, 8, TableType::checkpoint},
    {"crc32", 14, false, FieldType::number, 4, TableType::checkpoint},
    {"data", 16, false, FieldType::segment, 1, TableType::checkpoint},
};

inline constexpr FieldDescription value_fields[] = {
    {"kind", 4, false, FieldType::number, 1, TableType::checkpoint},
    {"boolean", 6, false, FieldType::boolean, 1, TableType::checkpoint},
    {"integer", 8, false, FieldType::number, 8, TableType::checkpoint},
    {"uinteger", 10, false, FieldType::number, 8, TableType::checkpoint},
    {"number", 12, false, FieldType::number, 8, TableType::checkpoint},
    {"text", 14, false, FieldType::string, 0, TableType::checkpoint},
    {"list", 16, false, FieldType::tables, 0, TableType::value},
    {"map", 18, false, FieldType::tables, 0, TableType::entry},
};

/// By TableType.
inline constexpr TableDescription table_descriptions[] = {
    describe_table("Checkpoint", checkpoint_fields),
    describe_table("Entry", entry_fields),
    describe_table("Metric", metric_fields),
    describe_table("State", state_fields),
    describe_table("Tensor", tensor_fields),
    describe_table("Value", value_fields),
};

}  // namespace detail
}  // namespace lightwatch

#endif
