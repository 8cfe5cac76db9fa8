/// The strict verifier: that metadata can be read through generated accessors without one of them
/// reading outside of it, or something that is not what the schema says. Beside the rules of FlatBuffers' own
/// verifier: fields inside their table, elements aligned, no null offsets in vectors, booleans 0 or 1, and
/// a bound on what sharing can blow up. docs/format.md has the rules; they are the same in all languages.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "lightwatch/error.hpp"
#include "lightwatch/generated/checkpoint_generated.h"

namespace lightwatch::detail {

/// Longest buffer that FlatBuffers' verifiers take, exclusive.
constexpr std::int64_t kFlatBufferLimit = 0x7fffffff;

class FlatBufferVerifier {
 public:
  FlatBufferVerifier(const std::uint8_t* data, std::size_t length)
      : data_(data), length_(static_cast<std::int64_t>(length)), budget_(4 * length_ + 65536) {}

  /// Throws CKPT_FLATBUFFER with the rule that is broken.
  void verify() {
    if (length_ < 12 || length_ >= kFlatBufferLimit) fail("length", "it has a wrong length", 0);
    if (std::memcmp(data_ + 4, "LWCK", 4) != 0) fail("identifier", "it has another identifier", 4);
    table(offset(0), kCheckpoint);
  }

 private:
  enum Base { kNumber, kBool, kString, kTable, kNumbers, kTables, kSegment };
  enum Kind { kTensor, kValue, kEntry, kState, kMetric, kCheckpoint };

  struct Field {
    const char* name;
    std::uint16_t slot;
    Base base;
    /// Of a number or of an element, in bytes.
    std::int64_t size;
    Kind table;
    bool required;
  };

  static const std::vector<Field>& fields(Kind kind) {
    using namespace format;
    static const std::vector<Field> all[] = {
        {{"name", Tensor::VT_NAME, kString, 1, kTensor, true},
         {"dtype", Tensor::VT_DTYPE, kNumber, 1, kTensor, false},
         {"shape", Tensor::VT_SHAPE, kNumbers, 8, kTensor, true},
         {"offset", Tensor::VT_OFFSET, kNumber, 8, kTensor, false},
         {"byte_length", Tensor::VT_BYTE_LENGTH, kNumber, 8, kTensor, false},
         {"crc32", Tensor::VT_CRC32, kNumber, 4, kTensor, false},
         {"data", Tensor::VT_DATA, kSegment, 4, kTensor, false}},
        {{"kind", Value::VT_KIND, kNumber, 1, kValue, false},
         {"boolean", Value::VT_BOOLEAN, kBool, 1, kValue, false},
         {"integer", Value::VT_INTEGER, kNumber, 8, kValue, false},
         {"uinteger", Value::VT_UINTEGER, kNumber, 8, kValue, false},
         {"number", Value::VT_NUMBER, kNumber, 8, kValue, false},
         {"text", Value::VT_TEXT, kString, 1, kValue, false},
         {"list", Value::VT_LIST, kTables, 4, kValue, false},
         {"map", Value::VT_MAP, kTables, 4, kEntry, false}},
        {{"key", Entry::VT_KEY, kString, 1, kEntry, true},
         {"value", Entry::VT_VALUE, kTable, 4, kValue, true}},
        {{"name", State::VT_NAME, kString, 1, kState, true},
         {"kind", State::VT_KIND, kString, 1, kState, false},
         {"attributes", State::VT_ATTRIBUTES, kTables, 4, kEntry, false},
         {"tensors", State::VT_TENSORS, kTables, 4, kTensor, true}},
        {{"name", Metric::VT_NAME, kString, 1, kMetric, true},
         {"value", Metric::VT_VALUE, kNumber, 8, kMetric, false}},
        {{"version", Checkpoint::VT_VERSION, kNumber, 4, kCheckpoint, false},
         {"metadata_length", Checkpoint::VT_METADATA_LENGTH, kNumber, 4, kCheckpoint, false},
         {"metadata_crc32", Checkpoint::VT_METADATA_CRC32, kNumber, 4, kCheckpoint, false},
         {"file_length", Checkpoint::VT_FILE_LENGTH, kNumber, 8, kCheckpoint, false},
         {"epoch", Checkpoint::VT_EPOCH, kNumber, 8, kCheckpoint, false},
         {"step", Checkpoint::VT_STEP, kNumber, 8, kCheckpoint, false},
         {"loss", Checkpoint::VT_LOSS, kNumber, 8, kCheckpoint, false},
         {"metrics", Checkpoint::VT_METRICS, kTables, 4, kMetric, false},
         {"config", Checkpoint::VT_CONFIG, kString, 1, kCheckpoint, false},
         {"model", Checkpoint::VT_MODEL, kTable, 4, kState, true},
         {"optimizer", Checkpoint::VT_OPTIMIZER, kTable, 4, kState, false},
         {"extras", Checkpoint::VT_EXTRAS, kTables, 4, kState, false}},
    };
    return all[kind];
  }

  [[noreturn]] static void fail(const char* rule, const std::string& what, std::int64_t at) {
    throw CheckpointError("CKPT_FLATBUFFER", std::string("flatbuffer.") + rule,
                          "the metadata is no sound FlatBuffer: " + what + " (at byte " +
                              std::to_string(at) + ")");
  }

  template <typename T>
  T read(std::int64_t at) const {
    T value;
    std::memcpy(&value, data_ + at, sizeof value);
    return value;
  }

  void range(std::int64_t at, std::int64_t length) {
    if (!(at >= 0 && length < length_ && at <= length_ - length)) {
      fail("range", std::to_string(length) + " bytes reach outside of the buffer", at);
    }
    budget_ -= length;
    if (budget_ < 0) fail("budget", "it stands for far more than its bytes", at);
  }

  void number(std::int64_t at, std::int64_t size, std::int64_t align) {
    if (at % align != 0) fail("alignment", "a value is not aligned", at);
    range(at, size);
  }

  std::int64_t offset(std::int64_t at) {
    number(at, 4, 4);
    const auto value = static_cast<std::int64_t>(read<std::uint32_t>(at));
    if (value == 0) fail("offset", "an offset is null", at);
    if (value > 0x7fffffff || at + value >= length_) {
      fail("offset", "an offset leads outside of the buffer", at);
    }
    return at + value;
  }

  void table(std::int64_t at, Kind kind) {
    number(at, 4, 4);
    if (++depth_ > 64) fail("depth", "it has tables nested more than 64 deep", at);
    const std::int64_t vtable = at - read<std::int32_t>(at);
    number(vtable, 4, 2);
    const std::int64_t vtable_length = read<std::uint16_t>(vtable);
    const std::int64_t table_length = read<std::uint16_t>(vtable + 2);
    if (vtable_length < 4 || vtable_length > 0x7fff || vtable_length % 2 != 0) {
      fail("vtable", "a vtable has a wrong length", vtable);
    }
    range(vtable, vtable_length);
    if (table_length < 4) fail("table", "a table has a wrong length", vtable + 2);
    range(at, table_length);
    for (const Field& field : fields(kind)) {
      const std::int64_t entry =
          field.slot < vtable_length ? read<std::uint16_t>(vtable + field.slot) : 0;
      if (entry != 0) {
        this->field(field, at, entry, table_length);
      } else if (field.required) {
        fail("required", std::string("a table lacks its required field ") + field.name, at);
      }
    }
    depth_--;
  }

  void field(const Field& field, std::int64_t table_at, std::int64_t entry,
             std::int64_t table_length) {
    const bool scalar = field.base == kNumber || field.base == kBool;
    if (entry < 4 || entry > 0x7fff || entry + (scalar ? field.size : 4) > table_length) {
      fail("field", std::string(field.name) + " lies outside of its table", table_at);
    }
    const std::int64_t at = table_at + entry;
    switch (field.base) {
      case kNumber:
      case kBool:
        number(at, field.size, field.size);
        if (field.base == kBool && data_[at] > 1) {
          fail("bool", std::string(field.name) + " is neither 0 nor 1", at);
        }
        return;
      case kString: {
        const std::int64_t end = numbers(offset(at), 1);
        range(end, 1);
        if (data_[end] != 0) fail("string", "a string does not end with a zero byte", end);
        return;
      }
      case kTable:
        table(offset(at), field.table);
        return;
      case kNumbers:
        numbers(offset(at), field.size);
        return;
      case kTables: {
        const std::int64_t vector = offset(at);
        const std::int64_t count = vector_length(vector, 4);
        for (std::int64_t i = 0; i < count; i++) table(offset(vector + 4 + 4 * i), field.table);
        return;
      }
      case kSegment:
        // Its elements lie beyond the metadata; the format's own rules say where.
        number(at, 4, 4);
        return;
    }
  }

  std::int64_t vector_length(std::int64_t at, std::int64_t size) {
    number(at, 4, 4);
    const auto count = static_cast<std::int64_t>(read<std::uint32_t>(at));
    if (count * size >= kFlatBufferLimit) fail("length", "a vector is too long", at);
    range(at, 4 + count * size);
    return count;
  }

  /// Returns where the vector ends.
  std::int64_t numbers(std::int64_t at, std::int64_t size) {
    const std::int64_t count = vector_length(at, size);
    if (count > 0 && (at + 4) % size != 0) {
      fail("alignment", "the elements of a vector are not aligned", at + 4);
    }
    return at + 4 + count * size;
  }

  const std::uint8_t* data_;
  std::int64_t length_;
  std::int64_t budget_;
  int depth_ = 0;
};

}  // namespace lightwatch::detail
