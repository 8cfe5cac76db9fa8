// The metadata of a checkpoint as plain values, as decode returns them.

#ifndef LIGHTWATCH_CHECKPOINT_METADATA_HPP
#define LIGHTWATCH_CHECKPOINT_METADATA_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lightwatch/checkpoint/attribute.hpp"
#include "lightwatch/checkpoint/dtype.hpp"
#include "lightwatch/checkpoint/name_index.hpp"
#include "lightwatch/checkpoint/name_map.hpp"
#include "lightwatch/checkpoint/span.hpp"

namespace lightwatch {
namespace detail {

/// The names of these two states in a file.
constexpr std::string_view model_name = "model";
constexpr std::string_view optimizer_name = "optimizer";

/// A tensor as the file describes it. Its name and shape are where the metadata is. A file may have
/// a hundred thousand of them.
struct TensorRecord {
  std::string_view name;
  const std::uint64_t *dimensions;
  /// Of its segment, in bytes from the start of the file.
  std::uint64_t offset;
  /// In bytes.
  std::uint64_t byte_length;
  /// Position of the length of the `data` vector; 0 if there is none, which is not a possible
  /// position.
  std::uint64_t vector_offset;
  std::uint32_t crc32;
  /// The number of its segment; set by the rules.
  std::uint32_t segment;
  DType dtype;
  std::uint8_t rank;

  Span<const std::uint64_t> shape() const noexcept { return {dimensions, rank}; }
};

struct StateRecord {
  std::string_view name;
  std::optional<std::string_view> kind;
  Attributes attributes;
  /// In the order of the state dict.
  std::vector<TensorRecord> tensors;
  /// Over the tensors' names; made by the rules.
  NameIndex tensor_index;
};

struct Metadata {
  std::uint32_t version = 0;
  std::uint32_t metadata_length = 0;
  std::uint64_t file_length = 0;
  std::int64_t epoch = 0;
  std::int64_t step = 0;
  std::optional<double> loss;
  NameMap<double> metrics;
  std::optional<std::string_view> config;
  std::optional<std::uint64_t> sequence;
  /// In milliseconds since 1970.
  std::optional<std::uint64_t> saved_at;
  /// The model, the optimizer where there is one, the extras: the order of their segments in the
  /// file.
  std::vector<StateRecord> states;
  bool has_optimizer = false;
};

}  // namespace detail
}  // namespace lightwatch

#endif
