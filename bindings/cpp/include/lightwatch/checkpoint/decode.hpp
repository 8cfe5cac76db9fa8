// Decodes the bytes of the metadata into plain values, after the verifier has passed them. Only
// this file touches the generated accessors. The rules then validate what the values mean for each
// other.

#ifndef LIGHTWATCH_CHECKPOINT_DECODE_HPP
#define LIGHTWATCH_CHECKPOINT_DECODE_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/checkpoint_generated.h"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/little_endian.hpp"
#include "lightwatch/checkpoint/metadata.hpp"
#include "lightwatch/checkpoint/quote.hpp"
#include "lightwatch/checkpoint/safe_integer.hpp"
#include "lightwatch/checkpoint/utf8.hpp"

namespace lightwatch {
namespace detail {

class Decoder {
 public:
  /// Decodes metadata that the verifier has passed, aligned to eight bytes. The result points into
  /// it.
  explicit Decoder(const std::uint8_t *bytes) : bytes_(bytes) {}

  /// Throws CKPT_FORMAT if a value has no meaning by itself: text that is not UTF-8, an unknown
  /// dtype, an integer beyond 2^53 - 1, a duplicate key.
  Metadata decode() const {
    const format::Checkpoint &root = *format::GetCheckpoint(bytes_);
    Metadata metadata;
    metadata.version = root.version();
    metadata.metadata_length = root.metadata_length();
    metadata.file_length = safe(root.file_length(), "file_length");
    metadata.metrics = metrics(root);
    metadata.epoch = safe(root.epoch(), "epoch");
    metadata.step = safe(root.step(), "step");
    if (const auto loss = root.loss()) metadata.loss = *loss;
    if (root.config() != nullptr) metadata.config = text(*root.config(), "the config");
    if (const auto number = root.sequence()) metadata.sequence = safe(*number, "sequence");
    if (const auto time = root.saved_at()) metadata.saved_at = safe(*time, "saved_at");

    const auto *extras = root.extras();
    const std::uint32_t extra_count = extras == nullptr ? 0 : extras->size();
    metadata.has_optimizer = root.optimizer() != nullptr;
    metadata.states.reserve(std::size_t{2} + extra_count);
    metadata.states.push_back(state(*root.model()));
    if (metadata.has_optimizer) metadata.states.push_back(state(*root.optimizer()));
    for (std::uint32_t i = 0; i < extra_count; i++) metadata.states.push_back(state(*extras->Get(i)));
    return metadata;
  }

 private:
  using Entries = flatbuffers::Vector<flatbuffers::Offset<format::Entry>>;

  NameMap<double> metrics(const format::Checkpoint &root) const {
    const auto *vector = root.metrics();
    if (vector == nullptr) return {};
    const std::uint32_t count = vector->size();
    NameIndex index(count, [vector](std::size_t i) {
      return view(*vector->Get(static_cast<std::uint32_t>(i))->name());
    });
    std::vector<std::pair<std::string, double>> entries;
    for (std::uint32_t i = 0; i < count; i++) {
      const format::Metric &metric = *vector->Get(i);
      const std::string_view name = text(*metric.name(), "the name of a metric");
      const auto value = metric.value();
      if (!value) broken(rule::metric_value, "the metric " + quote(name) + " has no value");
      if (i == index.first_duplicate()) {
        broken(rule::metric_unique, "the metric " + quote(name) + " appears twice");
      }
      entries.emplace_back(name, *value);
    }
    return {std::move(entries), std::move(index)};
  }

  StateRecord state(const format::State &table) const {
    StateRecord record;
    record.name = text(*table.name(), "the name of a state");
    if (table.attributes() != nullptr) record.attributes = entries(*table.attributes());
    const auto &tensors = *table.tensors();
    record.tensors.reserve(tensors.size());
    for (std::uint32_t i = 0; i < tensors.size(); i++) {
      record.tensors.push_back(tensor(*tensors.Get(i), record.name));
    }
    if (table.kind() != nullptr) record.kind = text(*table.kind(), "the kind of a state");
    return record;
  }

  TensorRecord tensor(const format::Tensor &table, std::string_view state_name) const {
    TensorRecord record{};
    record.name = text(*table.name(), "the name of a tensor");
    ErrorDetails at;
    const auto fail = [&](const char *rule, const std::string &message) {
      at.rule = rule;
      at.state = state_name;
      at.tensor = record.name;
      throw CheckpointError(ErrorCode::format, message, at);
    };
    const auto code = static_cast<std::uint8_t>(table.dtype());
    record.dtype = static_cast<DType>(code);
    if (dtype_name(record.dtype) == nullptr) {
      fail(rule::tensor_dtype, "the tensor " + quote(record.name) + " has the unknown dtype " +
                               std::to_string(code));
    }
    const auto &shape = *table.shape();
    if (shape.size() > max_rank) {
      fail(rule::tensor_rank, "the tensor " + quote(record.name) + " has " +
                              std::to_string(shape.size()) + " dimensions, more than " +
                              std::to_string(max_rank));
    }
    record.rank = static_cast<std::uint8_t>(shape.size());
    // In place: the machine is little-endian, and the verifier has ensured the alignment.
    record.dimensions = static_cast<const std::uint64_t *>(static_cast<const void *>(shape.Data()));
    const auto check = [&](std::uint64_t number, const char *what) {
      if (is_safe(number)) return;
      fail(rule::integer_safe, std::string(what) + " of the tensor " + quote(record.name) + " is " +
                               std::to_string(number) + ", beyond 2^53 - 1");
    };
    for (const std::uint64_t length : record.shape()) check(length, "a dimension");
    record.offset = table.offset();
    check(record.offset, "an offset");
    record.byte_length = table.byte_length();
    check(record.byte_length, "a length");
    record.crc32 = table.crc32();
    record.vector_offset = vector_offset(table);
    return record;
  }

  /// Where the offset of `data` leads, as an unsigned number: a backward offset becomes a huge
  /// forward one, and is refused. The accessor would make a pointer of it.
  std::uint64_t vector_offset(const format::Tensor &table) const {
    const auto *at = static_cast<const std::uint8_t *>(static_cast<const void *>(&table));
    const std::uint8_t *vtable = at - read_number<std::int32_t>(at);
    constexpr std::uint16_t slot = format::Tensor::VT_DATA;
    if (slot >= read_number<std::uint16_t>(vtable)) return 0;
    const auto entry = read_number<std::uint16_t>(vtable + slot);
    if (entry == 0) return 0;
    const auto position = static_cast<std::uint64_t>(at - bytes_) + entry;
    return position + read_number<std::uint32_t>(at + entry);
  }

  Attributes entries(const Entries &vector) const {
    const std::uint32_t count = vector.size();
    NameIndex index(count, [&vector](std::size_t i) {
      return view(*vector.Get(static_cast<std::uint32_t>(i))->key());
    });
    std::vector<std::pair<std::string, Attribute>> entries;
    for (std::uint32_t i = 0; i < count; i++) {
      const format::Entry &entry = *vector.Get(i);
      const std::string_view key = text(*entry.key(), "a key");
      if (i == index.first_duplicate()) {
        broken(rule::attribute_unique, "the key " + quote(key) + " appears twice");
      }
      entries.emplace_back(key, value(*entry.value()));
    }
    return {std::move(entries), std::move(index)};
  }

  Attribute value(const format::Value &table) const {
    const auto boolean = table.boolean();
    const auto integer = table.integer();
    const auto uinteger = table.uinteger();
    const auto number = table.number();
    const auto *string = table.text();
    const auto *list = table.list();
    const auto *map = table.map();
    const int present = (boolean.has_value() ? 1 : 0) + (integer.has_value() ? 1 : 0) +
                        (uinteger.has_value() ? 1 : 0) + (number.has_value() ? 1 : 0) +
                        (string != nullptr ? 1 : 0) + (list != nullptr ? 1 : 0) +
                        (map != nullptr ? 1 : 0);
    const auto code = static_cast<std::uint8_t>(table.kind());
    const auto kind = static_cast<AttributeKind>(code);
    if (present == (kind == AttributeKind::null ? 0 : 1)) {
      constexpr std::uint64_t least_uint64 = std::uint64_t{1} << 63;
      switch (kind) {
        case AttributeKind::null: return {};
        case AttributeKind::boolean:
          if (boolean) return Attribute::of_boolean(*boolean);
          break;
        case AttributeKind::integer:
          if (integer) {
            return Attribute::of_integer(safe(*integer, "an integer among the attributes"));
          }
          break;
        case AttributeKind::int64:
          if (integer) return Attribute::of_int64(*integer);
          break;
        case AttributeKind::uint64:
          if (uinteger && *uinteger >= least_uint64) return Attribute::of_uint64(*uinteger);
          break;
        case AttributeKind::float64:
          if (number) return Attribute::of_float64(*number);
          break;
        case AttributeKind::text:
          if (string != nullptr) {
            return Attribute::of_text(std::string(text(*string, "a text among the attributes")));
          }
          break;
        case AttributeKind::list:
          if (list != nullptr) {
            std::vector<Attribute> items;
            items.reserve(list->size());
            for (std::uint32_t i = 0; i < list->size(); i++) items.push_back(value(*list->Get(i)));
            return Attribute::of_list(std::move(items));
          }
          break;
        case AttributeKind::map:
          if (map != nullptr) return Attribute::of_map(entries(*map));
          break;
      }
    }
    broken(rule::value_kind, "an attribute of kind " + std::to_string(code) +
                             " does not hold what its kind says");
  }

  static std::string_view view(const flatbuffers::String &string) noexcept {
    return {string.c_str(), string.size()};
  }

  static std::string_view text(const flatbuffers::String &string, const char *what) {
    const std::string_view bytes = view(string);
    if (!is_utf8(bytes)) broken(rule::text_utf8, std::string(what) + " is not valid UTF-8");
    return bytes;
  }

  template <class Integer>
  static Integer safe(Integer number, const char *what) {
    if (!is_safe(number)) {
      broken(rule::integer_safe,
             std::string(what) + " is " + std::to_string(number) + ", beyond 2^53 - 1");
    }
    return number;
  }

  [[noreturn]] static void broken(const char *rule, const std::string &message) {
    ErrorDetails details;
    details.rule = rule;
    throw CheckpointError(ErrorCode::format, message, details);
  }

  const std::uint8_t *bytes_;
};

}  // namespace detail
}  // namespace lightwatch

#endif
