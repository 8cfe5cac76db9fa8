// What the generated tables are made of, as data for the verifier.

#ifndef LIGHTWATCH_CHECKPOINT_SCHEMA_HPP
#define LIGHTWATCH_CHECKPOINT_SCHEMA_HPP

#include <cstddef>
#include <cstdint>

#include "lightwatch/checkpoint/span.hpp"

namespace lightwatch {
namespace detail {

/// Which table: by its place in the list of them.
enum class TableType : std::uint8_t;

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
  /// Of a number, in bytes; 0 where there is none.
  std::uint8_t size;
  /// Where `type` says that there is one.
  TableType table;
};

struct TableDescription {
  const char *name;
  /// In the order of their slots.
  Span<const FieldDescription> fields;
};

template <std::size_t n>
constexpr TableDescription describe_table(const char *name, const FieldDescription (&fields)[n]) {
  return {name, {fields, n}};
}

/// Which type of C++ views a dtype's elements: a number, or its own complex one.
enum class ViewKind : std::uint8_t { none, float_number, int_number, uint_number, complex_number };

struct DTypeRow {
  /// Null where there is no such dtype.
  const char *name;
  /// Of an element.
  unsigned bits;
  ViewKind view;
  /// Bytes of the type that views it.
  std::size_t view_size;
};

}  // namespace detail
}  // namespace lightwatch

#endif
