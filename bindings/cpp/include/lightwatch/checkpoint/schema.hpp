// The tables of schema/checkpoint.fbs, as data for the verifier. A test holds them against what
// flatc says of the schema; the slots are those of the code that it generates.

#ifndef LIGHTWATCH_CHECKPOINT_SCHEMA_HPP
#define LIGHTWATCH_CHECKPOINT_SCHEMA_HPP

#include <cstddef>
#include <cstdint>

#include "lightwatch/checkpoint/checkpoint_generated.h"
#include "lightwatch/checkpoint/span.hpp"

namespace lightwatch {
namespace detail {

constexpr char file_identifier[] = "LWCK";

enum class TableType : std::uint8_t { checkpoint, entry, metric, state, tensor, value };

enum class FieldType : std::uint8_t {
  /// A number of `size` bytes.
  number,
  boolean,
  string,
  /// A table of type `table`.
  table,
  /// A vector of numbers of `size` bytes.
  numbers,
  /// A vector of tables of type `table`.
  tables,
  /// A vector of bytes that lie outside of the metadata.
  segment
};

struct FieldDescription {
  const char *name;
  std::uint16_t slot;
  bool required;
  FieldType type;
  /// In bytes; 0 where there is none.
  std::uint8_t size;
  TableType table;
};

struct TableDescription {
  const char *name;
  /// In the order of their slots.
  Span<const FieldDescription> fields;
};

constexpr FieldDescription number_field(const char *name, std::uint16_t slot, std::uint8_t size) {
  return {name, slot, false, FieldType::number, size, TableType::checkpoint};
}

constexpr FieldDescription string_field(const char *name, std::uint16_t slot,
                                        bool required = false) {
  return {name, slot, required, FieldType::string, 0, TableType::checkpoint};
}

constexpr FieldDescription table_field(const char *name, std::uint16_t slot, TableType table,
                                       bool required = false) {
  return {name, slot, required, FieldType::table, 0, table};
}

constexpr FieldDescription tables_field(const char *name, std::uint16_t slot, TableType table,
                                        bool required = false) {
  return {name, slot, required, FieldType::tables, 0, table};
}

inline constexpr FieldDescription checkpoint_fields[] = {
    number_field("version", format::Checkpoint::VT_VERSION, 4),
    number_field("metadata_length", format::Checkpoint::VT_METADATA_LENGTH, 4),
    number_field("metadata_crc32", format::Checkpoint::VT_METADATA_CRC32, 4),
    number_field("file_length", format::Checkpoint::VT_FILE_LENGTH, 8),
    number_field("epoch", format::Checkpoint::VT_EPOCH, 8),
    number_field("step", format::Checkpoint::VT_STEP, 8),
    number_field("loss", format::Checkpoint::VT_LOSS, 8),
    tables_field("metrics", format::Checkpoint::VT_METRICS, TableType::metric),
    string_field("config", format::Checkpoint::VT_CONFIG),
    table_field("model", format::Checkpoint::VT_MODEL, TableType::state, true),
    table_field("optimizer", format::Checkpoint::VT_OPTIMIZER, TableType::state),
    tables_field("extras", format::Checkpoint::VT_EXTRAS, TableType::state)};

inline constexpr FieldDescription entry_fields[] = {
    string_field("key", format::Entry::VT_KEY, true),
    table_field("value", format::Entry::VT_VALUE, TableType::value, true)};

inline constexpr FieldDescription metric_fields[] = {
    string_field("name", format::Metric::VT_NAME, true),
    number_field("value", format::Metric::VT_VALUE, 8)};

inline constexpr FieldDescription state_fields[] = {
    string_field("name", format::State::VT_NAME, true),
    string_field("kind", format::State::VT_KIND),
    tables_field("attributes", format::State::VT_ATTRIBUTES, TableType::entry),
    tables_field("tensors", format::State::VT_TENSORS, TableType::tensor, true)};

inline constexpr FieldDescription tensor_fields[] = {
    string_field("name", format::Tensor::VT_NAME, true),
    number_field("dtype", format::Tensor::VT_DTYPE, 1),
    {"shape", format::Tensor::VT_SHAPE, true, FieldType::numbers, 8, TableType::checkpoint},
    number_field("offset", format::Tensor::VT_OFFSET, 8),
    number_field("byte_length", format::Tensor::VT_BYTE_LENGTH, 8),
    number_field("crc32", format::Tensor::VT_CRC32, 4),
    {"data", format::Tensor::VT_DATA, false, FieldType::segment, 1, TableType::checkpoint}};

inline constexpr FieldDescription value_fields[] = {
    number_field("kind", format::Value::VT_KIND, 1),
    {"boolean", format::Value::VT_BOOLEAN, false, FieldType::boolean, 1, TableType::checkpoint},
    number_field("integer", format::Value::VT_INTEGER, 8),
    number_field("uinteger", format::Value::VT_UINTEGER, 8),
    number_field("number", format::Value::VT_NUMBER, 8),
    string_field("text", format::Value::VT_TEXT),
    tables_field("list", format::Value::VT_LIST, TableType::value),
    tables_field("map", format::Value::VT_MAP, TableType::entry)};

template <std::size_t n>
constexpr TableDescription describe_table(const char *name, const FieldDescription (&fields)[n]) {
  return {name, {fields, n}};
}

/// By TableType.
inline constexpr TableDescription tables[] = {
    describe_table("Checkpoint", checkpoint_fields), describe_table("Entry", entry_fields),
    describe_table("Metric", metric_fields),         describe_table("State", state_fields),
    describe_table("Tensor", tensor_fields),         describe_table("Value", value_fields)};

constexpr const TableDescription &description_of(TableType type) {
  return tables[static_cast<std::size_t>(type)];
}

}  // namespace detail
}  // namespace lightwatch

#endif
