// Verifies that the generated accessors read only bytes of the metadata, and only values that the
// schema allows.
//
// The rules are those of FlatBuffers' own verifier, and this verifier never accepts what that one
// refuses. It is stricter where another language would misread the bytes: fields must lie in their
// table, vectors have no null offsets, booleans are 0 or 1, and a budget limits how far sharing can
// multiply the data. UTF-8 is verified where text is decoded.

#ifndef LIGHTWATCH_CHECKPOINT_VERIFIER_HPP
#define LIGHTWATCH_CHECKPOINT_VERIFIER_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/layout.hpp"
#include "lightwatch/checkpoint/little_endian.hpp"
#include "lightwatch/checkpoint/tables.hpp"

namespace lightwatch {
namespace detail {

/// A vtable starts with its own length and that of the table, two bytes each.
constexpr std::uint32_t vtable_header = 4;

class Verifier {
 public:
  /// Takes `length` bytes, the whole buffer, which must not change. Shared tables and strings are
  /// legal, and a small buffer can stand for an enormous tree. So every visited range is added up,
  /// shared or not, and the sum has a budget.
  Verifier(const std::uint8_t *bytes, std::size_t length)
      : bytes_(bytes), length_(length), budget_(budget_per_byte * length + budget_base) {}

  /// Throws CKPT_FLATBUFFER with the broken rule and its position.
  void verify() {
    if (length_ < min_buffer_length || length_ >= flatbuffer_limit) {
      fail(rule::flatbuffer_length, "it is " + std::to_string(length_) + " bytes long", 0);
    }
    if (std::memcmp(bytes_ + 4, file_identifier, 4) != 0) {
      fail(rule::flatbuffer_identifier, std::string("its identifier is not ") + file_identifier, 4);
    }
    table(offset(0, "the root"), root_table);
  }

 private:
  // Positions have 64 bits, so that no sum of two numbers of a file can wrap. They are signed,
  // because a vtable may lie before the buffer's start.
  using Position = std::int64_t;

  template <class T>
  T read(Position at) const noexcept {
    return read_number<T>(bytes_ + at);
  }

  /// Verifies that `length` bytes at `at` lie in the buffer. A length equal to the buffer's fails,
  /// as in FlatBuffers.
  void range(Position at, std::uint64_t length, const char *what) {
    if (at < 0 || length >= length_ || static_cast<std::uint64_t>(at) > length_ - length) {
      fail(rule::flatbuffer_range,
           std::string(what) + " of " + std::to_string(length) + " bytes reaches outside the buffer",
           at);
    }
    if (length > budget_) {
      fail(rule::flatbuffer_budget, "it stands for far more than its " + std::to_string(length_) + " bytes", at);
    }
    budget_ -= length;
  }

  /// Verifies that a number of `size` bytes at `at` lies in the buffer, aligned to `align`.
  void inlined(Position at, std::uint64_t size, Position align, const char *what) {
    if (at % align != 0) {
      fail(rule::flatbuffer_alignment,
           std::string(what) + " is not aligned to " + std::to_string(align) + " bytes", at);
    }
    range(at, size, what);
  }

  /// Returns the target of the offset at `at`.
  Position offset(Position at, const char *what) {
    inlined(at, 4, 4, what);
    const auto offset = read<std::uint32_t>(at);
    if (offset == 0) fail(rule::flatbuffer_offset, std::string(what) + " has a null offset", at);
    if (offset > 0x7fffffff || static_cast<std::uint64_t>(at) + offset >= length_) {
      fail(rule::flatbuffer_offset, std::string("the offset of ") + what + " leads outside the buffer", at);
    }
    return at + offset;
  }

  void table(Position at, TableType type) {
    const TableDescription &description = table_descriptions[static_cast<std::size_t>(type)];
    inlined(at, 4, 4, description.name);
    if (++depth_ > max_depth) {
      fail(rule::flatbuffer_depth, "it has tables nested more than " + std::to_string(max_depth) + " deep", at);
    }
    const Position vtable = at - read<std::int32_t>(at);
    inlined(vtable, vtable_header, 2, "a vtable");
    const std::uint32_t vtable_length = read<std::uint16_t>(vtable);
    const std::uint32_t table_length = read<std::uint16_t>(vtable + 2);
    if (vtable_length < vtable_header || vtable_length > max_vtable_number ||
        vtable_length % 2 != 0) {
      fail(rule::flatbuffer_vtable,
           std::string("the vtable of ") + description.name + " has a length of " +
               std::to_string(vtable_length),
           vtable);
    }
    range(vtable, vtable_length, "a vtable");
    if (table_length < 4) {
      fail(rule::flatbuffer_table,
           std::string(description.name) + " has a length of " + std::to_string(table_length),
           vtable + 2);
    }
    range(at, table_length, description.name);
    for (const FieldDescription &described : description.fields) {
      const std::uint32_t entry =
          described.slot < vtable_length ? read<std::uint16_t>(vtable + described.slot) : 0;
      if (entry != 0) {
        field(described, at, entry, table_length, description.name);
      } else if (described.required) {
        fail(rule::flatbuffer_required,
             std::string(description.name) + " lacks its required field " + described.name, at);
      }
    }
    depth_--;
  }

  void field(const FieldDescription &described, Position table_at, std::uint32_t entry,
             std::uint32_t table_length, const char *table_name) {
    const bool is_number =
        described.type == FieldType::number || described.type == FieldType::boolean;
    const std::uint32_t size = is_number ? described.size : 4;
    if (entry < 4 || entry > max_vtable_number || entry + size > table_length) {
      fail(rule::flatbuffer_field,
           std::string(table_name) + "." + described.name + " lies outside its table", table_at);
    }
    const Position at = table_at + entry;
    const char *name = described.name;
    switch (described.type) {
      case FieldType::number: return inlined(at, size, size, name);
      case FieldType::boolean:
        inlined(at, size, size, name);
        if (bytes_[at] > 1) fail(rule::flatbuffer_bool, std::string(name) + " is neither 0 nor 1", at);
        return;
      case FieldType::string: return string(offset(at, name), name);
      case FieldType::table: return table(offset(at, name), described.table);
      case FieldType::numbers: return numbers(offset(at, name), described.size, name);
      case FieldType::tables: return tables_at(offset(at, name), described.table, name);
      // The elements lie after the metadata; the rules of the format say where.
      case FieldType::segment: return inlined(at, 4, 4, name);
    }
  }

  void string(Position at, const char *what) {
    const Position end = at + 4 + vector_length(at, 1, what);
    range(end, 1, what);
    if (bytes_[end] != 0) fail(rule::flatbuffer_string, std::string(what) + " does not end with a zero byte", end);
  }

  void numbers(Position at, std::uint32_t size, const char *what) {
    const std::uint32_t length = vector_length(at, size, what);
    if (length > 0 && (at + 4) % size != 0) {
      fail(rule::flatbuffer_alignment,
           std::string("the elements of ") + what + " are not aligned to " + std::to_string(size) +
               " bytes",
           at + 4);
    }
  }

  void tables_at(Position at, TableType type, const char *what) {
    const std::uint32_t length = vector_length(at, 4, what);
    for (std::uint32_t i = 0; i < length; i++) {
      table(offset(at + 4 + Position{4} * i, what), type);
    }
  }

  std::uint32_t vector_length(Position at, std::uint64_t size, const char *what) {
    inlined(at, 4, 4, what);
    const auto length = read<std::uint32_t>(at);
    if (length * size >= flatbuffer_limit) {
      fail(rule::flatbuffer_length, std::string(what) + " has " + std::to_string(length) + " elements", at);
    }
    range(at, 4 + length * size, what);
    return length;
  }

  [[noreturn]] static void fail(const char *rule, const std::string &message, Position at) {
    ErrorDetails details;
    details.rule = rule;
    if (at >= 0) details.offset = static_cast<std::uint64_t>(at);
    throw CheckpointError(ErrorCode::flatbuffer,
                          "the metadata is not a valid FlatBuffer: " + message + " (at byte " +
                              std::to_string(at) + ")",
                          details);
  }

  const std::uint8_t *bytes_;
  std::uint64_t length_;
  std::uint64_t budget_;
  unsigned depth_ = 0;
};

/// Verifies a whole buffer against the schema. Throws CKPT_FLATBUFFER.
inline void verify_flatbuffer(const std::uint8_t *bytes, std::size_t length) {
  Verifier(bytes, length).verify();
}

}  // namespace detail
}  // namespace lightwatch

#endif
