/// What the metadata of a file says, decoded and checked by all rules of the format.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "lightwatch/attribute.hpp"
#include "lightwatch/dtype.hpp"
#include "lightwatch/error.hpp"
#include "lightwatch/flatbuffer_verifier.hpp"

namespace lightwatch::detail {

constexpr std::uint64_t kMaxSafeInteger = (std::uint64_t{1} << 53) - 1;
constexpr std::uint32_t kMaxRank = 64;
constexpr std::size_t kMaxNameBytes = 65535;

struct TensorRecord {
  std::string name;
  DType dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t offset;
  std::uint64_t byte_length;
  std::uint32_t crc32;
  /// Position of `data`, of its length; absent where there is none.
  std::optional<std::uint64_t> vector_offset;
  /// Index of its segment.
  std::size_t segment = 0;
};

struct StateRecord {
  std::string name;
  std::optional<std::string> kind;
  Attributes attributes;
  std::vector<TensorRecord> tensors;
};

/// The bytes of one tensor, or of several over the same memory.
struct Segment {
  /// Where what stands before it ends; from there to `offset` is the gap.
  std::uint64_t gap_start;
  std::uint64_t offset;
  std::uint64_t byte_length;
  std::uint32_t crc32;
};

struct Metadata {
  std::uint32_t version;
  std::uint32_t metadata_length;
  std::uint64_t file_length;
  std::int64_t epoch;
  std::int64_t step;
  std::optional<double> loss;
  std::vector<std::pair<std::string, double>> metrics;
  std::optional<std::string> config;
  /// The model, the optimizer where there is one, the extras.
  std::vector<StateRecord> states;
  bool has_optimizer = false;
  std::vector<Segment> segments;
};

/// Whether the tensors of a file of this length are FlatBuffers vectors as well.
inline bool is_plain(std::uint64_t file_length) {
  return file_length < static_cast<std::uint64_t>(kFlatBufferLimit);
}

/// Decodes metadata that the verifier has passed. Throws CKPT_FORMAT where a value has no meaning.
class Decoder {
 public:
  explicit Decoder(const std::uint8_t* data) : data_(data) {}

  Metadata decode() const {
    const format::Checkpoint& root = *format::GetCheckpoint(data_);
    Metadata m{};
    m.version = root.version();
    m.metadata_length = root.metadata_length();
    m.file_length = safe(root.file_length(), "file_length");
    if (root.metrics() != nullptr) {
      std::unordered_set<std::string> known;
      for (const format::Metric* metric : *root.metrics()) {
        std::string name = text(metric->name(), "the name of a metric");
        const auto value = metric->value();
        if (!value.has_value()) {
          fail_format("metric.value", "the metric " + quote(name) + " has no value");
        }
        if (!known.insert(name).second) {
          fail_format("metric.unique", "the metric " + quote(name) + " is there twice");
        }
        m.metrics.emplace_back(std::move(name), *value);
      }
    }
    m.epoch = safe(root.epoch(), "epoch");
    m.step = safe(root.step(), "step");
    if (root.loss().has_value()) m.loss = *root.loss();
    if (root.config() != nullptr) m.config = text(root.config(), "the config");
    m.states.push_back(state(*root.model()));
    if (root.optimizer() != nullptr) {
      m.has_optimizer = true;
      m.states.push_back(state(*root.optimizer()));
    }
    if (root.extras() != nullptr) {
      for (const format::State* extra : *root.extras()) m.states.push_back(state(*extra));
    }
    return m;
  }

 private:
  static std::string text(const flatbuffers::String* string, const char* what) {
    std::string copy(string->data(), string->size());
    if (!is_utf8(copy)) fail_format("text.utf8", std::string(what) + " is not valid UTF-8");
    return copy;
  }

  static std::uint64_t safe(std::uint64_t value, const std::string& what) {
    if (value <= kMaxSafeInteger) return value;
    fail_format("integer.safe", what + " is " + std::to_string(value) + ", beyond 2^53 - 1");
  }

  static std::int64_t safe(std::int64_t value, const std::string& what) {
    constexpr auto limit = static_cast<std::int64_t>(kMaxSafeInteger);
    if (value >= -limit && value <= limit) return value;
    fail_format("integer.safe", what + " is " + std::to_string(value) + ", beyond 2^53 - 1");
  }

  StateRecord state(const format::State& s) const {
    StateRecord record;
    record.name = text(s.name(), "the name of a state");
    if (s.attributes() != nullptr) record.attributes = entries(*s.attributes());
    record.tensors.reserve(s.tensors()->size());
    for (const format::Tensor* t : *s.tensors()) record.tensors.push_back(tensor(*t));
    if (s.kind() != nullptr) record.kind = text(s.kind(), "the kind of a state");
    return record;
  }

  TensorRecord tensor(const format::Tensor& t) const {
    TensorRecord r{};
    r.name = text(t.name(), "the name of a tensor");
    r.dtype = t.dtype();
    if (dtype_bits(r.dtype) == 0) {
      fail_format("tensor.dtype", "the tensor " + quote(r.name) + " has an unknown dtype");
    }
    if (t.shape()->size() > kMaxRank) {
      fail_format("tensor.rank", "the tensor " + quote(r.name) + " has " +
                                     std::to_string(t.shape()->size()) + " dimensions");
    }
    for (const std::uint64_t length : *t.shape()) r.shape.push_back(safe(length, "a dimension"));
    r.offset = safe(t.offset(), "an offset");
    r.byte_length = safe(t.byte_length(), "a length");
    r.crc32 = t.crc32();
    // Not by the accessor: what the offset leads to lies beyond what the verifier has looked at.
    const auto& table = reinterpret_cast<const flatbuffers::Table&>(t);
    if (const std::uint8_t* at = table.GetAddressOf(format::Tensor::VT_DATA)) {
      std::uint32_t offset = 0;
      std::memcpy(&offset, at, sizeof offset);
      r.vector_offset = static_cast<std::uint64_t>(at - data_) + offset;
    }
    return r;
  }

  template <typename Vector>
  Attributes entries(const Vector& vector) const {
    Attributes attributes;
    std::unordered_set<std::string> known;
    for (const format::Entry* entry : vector) {
      std::string key = text(entry->key(), "a key");
      if (!known.insert(key).second) {
        fail_format("attribute.unique", "the key " + quote(key) + " is there twice");
      }
      attributes.emplace_back(std::move(key), attribute(*entry->value()));
    }
    return attributes;
  }

  Attribute attribute(const format::Value& v) const {
    const auto boolean = v.boolean();
    const auto integer = v.integer();
    const auto uinteger = v.uinteger();
    const auto number = v.number();
    const int present = int{boolean.has_value()} + int{integer.has_value()} +
                        int{uinteger.has_value()} + int{number.has_value()} +
                        int{v.text() != nullptr} + int{v.list() != nullptr} +
                        int{v.map() != nullptr};
    const auto kind = static_cast<unsigned>(v.kind());
    if (present == (kind == 1 ? 0 : 1)) {
      switch (kind) {
        case 1: return Attribute{nullptr};
        case 2: if (boolean.has_value()) return Attribute{*boolean}; break;
        case 3: if (integer.has_value()) return Attribute{safe(*integer, "an attribute")}; break;
        case 4: if (integer.has_value()) return Attribute{BigInt{*integer}}; break;
        case 5:
          if (uinteger.has_value() && (*uinteger >> 63) != 0) return Attribute{BigInt{*uinteger}};
          break;
        case 6: if (number.has_value()) return Attribute{*number}; break;
        case 7:
          if (v.text() != nullptr) return Attribute{text(v.text(), "a text among the attributes")};
          break;
        case 8:
          if (v.list() != nullptr) {
            std::vector<Attribute> list;
            for (const format::Value* item : *v.list()) list.push_back(attribute(*item));
            return Attribute{std::move(list)};
          }
          break;
        case 9: if (v.map() != nullptr) return Attribute{entries(*v.map())}; break;
        default: break;
      }
    }
    fail_format("value.kind", "an attribute does not hold what its kind says");
  }

  const std::uint8_t* data_;
};

/// Why a string cannot be a name, or null where it can.
inline const char* name_fault(const std::string& name) {
  if (name.empty()) return "is empty";
  if (name.find('\0') != std::string::npos) return "contains U+0000";
  if (name.size() > kMaxNameBytes) return "is longer than 65535 bytes";
  return nullptr;
}

/// Bytes that a dtype and a shape take, or nothing where that is no safe number of whole bytes.
inline std::optional<std::uint64_t> implied_byte_length(const TensorRecord& tensor) {
  std::uint64_t count = 1;
  bool empty = false;
  for (const std::uint64_t length : tensor.shape) {
    if (length == 0) {
      empty = true;
    } else {
      if (count > kMaxSafeInteger / length) return std::nullopt;
      count *= length;
    }
  }
  if (empty) return 0;
  const std::uint64_t bits = dtype_bits(tensor.dtype);
  if (bits % 8 == 0) {
    if (count > kMaxSafeInteger / (bits / 8)) return std::nullopt;
    return count * (bits / 8);
  }
  if (count > kMaxSafeInteger / bits || count * bits % 8 != 0) return std::nullopt;
  return count * bits / 8;
}

/// Checks the rules that hold values together, and finds the segments. Throws CKPT_FORMAT.
inline void check_rules(Metadata& m) {
  std::unordered_set<std::string> taken{"model", "optimizer"};
  for (std::size_t i = 0; i < m.states.size(); i++) {
    const std::string& name = m.states[i].name;
    if (i == 0 || (i == 1 && m.has_optimizer)) {
      if (name != (i == 0 ? "model" : "optimizer")) {
        fail_format("state.name", "a state is called " + quote(name));
      }
    } else {
      const char* fault = taken.count(name) != 0 ? "is taken" : name_fault(name);
      if (fault != nullptr) {
        fail_format("state.name", "an extra's name, " + quote(name) + ", " + fault);
      }
      taken.insert(name);
    }
  }
  for (const auto& [name, value] : m.metrics) {
    if (const char* fault = name_fault(name)) {
      fail_format("metric.name", "a metric's name, " + quote(name) + ", " + fault);
    }
  }
  const bool plain = is_plain(m.file_length);
  std::unordered_map<std::uint64_t, std::size_t> known;
  std::uint64_t end = m.metadata_length;
  for (StateRecord& state : m.states) {
    std::unordered_set<std::string_view> names;
    for (TensorRecord& t : state.tensors) {
      const std::string name = quote(t.name);
      if (const char* fault = name_fault(t.name)) {
        fail_format("tensor.name", "a tensor's name, " + name + ", " + fault);
      }
      if (!names.insert(t.name).second) fail_format("tensor.unique", name + " is there twice");
      if (implied_byte_length(t) != t.byte_length) {
        fail_format("tensor.byte_length", name + " has not the length that its shape takes");
      }
      const auto found = known.find(t.offset);
      if (found == known.end()) {
        const std::uint64_t expected = (end + 4 + 63) / 64 * 64;
        if (t.offset != expected) {
          fail_format("tensor.offset", name + " is at " + std::to_string(t.offset) +
                                           ", and has to be at " + std::to_string(expected));
        }
        t.segment = m.segments.size();
        known.emplace(t.offset, t.segment);
        m.segments.push_back({end, t.offset, t.byte_length, t.crc32});
        end = t.offset + t.byte_length;
        if (end > m.file_length) {
          fail_format("tensor.range", name + " reaches beyond the end of the file");
        }
      } else {
        t.segment = found->second;
        const Segment& segment = m.segments[t.segment];
        if (segment.byte_length != t.byte_length || segment.crc32 != t.crc32) {
          fail_format("tensor.alias", name + " shares its place with a tensor unlike it");
        }
      }
      const auto vector = plain ? std::optional<std::uint64_t>(t.offset - 4) : std::nullopt;
      if (t.vector_offset != vector) {
        fail_format("tensor.data", "the data of " + name + " is not what its offset says");
      }
    }
  }
  if (end != m.file_length) {
    fail_format("file_length", "the file has bytes that belong to nothing");
  }
}

}  // namespace lightwatch::detail
