// Encodes plain values into the bytes of the metadata. No byte of a tensor passes through here. The
// metadata is built with open fields where a value depends on its own length. Then the layout is
// planned, and the open fields are patched in place. The checksums come last, after the segments
// have been written.
//
// The order of building is that of the libraries for TypeScript and Python, so that all write the
// same bytes for the same state.

#ifndef LIGHTWATCH_CHECKPOINT_ENCODE_HPP
#define LIGHTWATCH_CHECKPOINT_ENCODE_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/checkpoint_generated.h"
#include "lightwatch/checkpoint/save_content.hpp"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/head.hpp"
#include "lightwatch/checkpoint/layout.hpp"
#include "lightwatch/checkpoint/little_endian.hpp"

namespace lightwatch {
namespace detail {

/// Builds the tables. FlatBuffers' builder continues past its assertions into undefined behaviour,
/// so its input must fit: see `check_size`.
class MetadataBuilder {
 public:
  MetadataBuilder() : builder_(64 * 1024) {
    // Stores every field, even with its default value, because open fields are patched later.
    builder_.ForceDefaults(true);
  }

  /// A tensor's table, by the builder's offset, and its segment.
  using Placed = std::pair<flatbuffers::uoffset_t, std::size_t>;
  const std::vector<Placed> &placed() const noexcept { return placed_; }
  flatbuffers::uoffset_t root() const noexcept { return root_; }

  /// Throws CKPT_TENSOR_TOO_LARGE if the metadata could exceed what a builder takes.
  std::vector<std::uint8_t> build(const SaveContent &content) {
    check_size(content);
    const flatbuffers::Offset<format::Checkpoint> root = checkpoint(content);
    root_ = root.o;
    format::FinishCheckpointBuffer(builder_, root);
    const std::uint8_t *bytes = builder_.GetBufferPointer();
    return {bytes, bytes + builder_.GetSize()};
  }

 private:
  template <class T>
  using Offsets = std::vector<flatbuffers::Offset<T>>;

  /// More than any table with its vtable and padding.
  static constexpr std::uint64_t table_bytes = 256;
  /// Limit of the metadata: half of what the builder takes, because it doubles its buffer.
  static constexpr std::uint64_t most_bytes = std::uint64_t{1} << 30;

  static std::uint64_t size_of(const Attribute &value) {
    std::uint64_t size = table_bytes;
    if (const std::string *text = value.text()) size += text->size();
    if (const std::vector<Attribute> *list = value.list()) {
      for (const Attribute &item : *list) size += size_of(item);
    }
    if (const Attributes *map = value.map()) size += size_of(*map);
    return size;
  }

  static std::uint64_t size_of(const Attributes &map) {
    std::uint64_t size = 0;
    for (const auto &[key, value] : map) size += table_bytes + key.size() + size_of(value);
    return size;
  }

  static void check_size(const SaveContent &content) {
    const Progress &progress = content.progress();
    std::uint64_t size = table_bytes + (progress.config ? progress.config->size() : 0);
    for (const auto &metric : progress.metrics) size += table_bytes + metric.first.size();
    for (const StateContent &state : content.states()) {
      size += table_bytes + state.name.size() + size_of(state.dict.attributes);
      if (state.dict.kind) size += state.dict.kind->size();
      for (const auto &[name, view] : state.dict.tensors) {
        size += table_bytes + name.size() + 8 * view.shape.size();
      }
    }
    if (size <= most_bytes) return;
    throw CheckpointError(ErrorCode::tensor_too_large,
                          "the names, attributes and config take more than " +
                              std::to_string(most_bytes) + " bytes");
  }

  flatbuffers::Offset<format::Checkpoint> checkpoint(const SaveContent &content) {
    const Progress &progress = content.progress();
    const std::vector<StateContent> &states = content.states();
    const auto model = state(states[0]);
    flatbuffers::Offset<format::State> optimizer;
    if (content.has_optimizer()) optimizer = state(states[1]);
    Offsets<format::State> extras;
    for (std::size_t i = content.has_optimizer() ? 2 : 1; i < states.size(); i++) {
      extras.push_back(state(states[i]));
    }
    const auto extras_vector = vector_unless_empty(extras);
    Offsets<format::Metric> metrics;
    for (const auto &[name, value] : progress.metrics) {
      const auto text = builder_.CreateString(name);
      format::MetricBuilder metric(builder_);
      metric.add_name(text);
      metric.add_value(value);
      metrics.push_back(metric.Finish());
    }
    const auto metrics_vector = vector_unless_empty(metrics);
    flatbuffers::Offset<flatbuffers::String> config;
    if (progress.config) config = builder_.CreateString(*progress.config);

    format::CheckpointBuilder root(builder_);
    root.add_version(format_version);
    root.add_metadata_length(0);
    root.add_metadata_crc32(0);
    root.add_file_length(0);
    root.add_epoch(progress.epoch);
    root.add_step(progress.step);
    if (progress.loss) root.add_loss(*progress.loss);
    // Vectors that were not made are not added.
    root.add_metrics(metrics_vector);
    root.add_config(config);
    root.add_model(model);
    root.add_optimizer(optimizer);
    root.add_extras(extras_vector);
    if (progress.sequence) root.add_sequence(*progress.sequence);
    if (progress.saved_at) root.add_saved_at(*progress.saved_at);
    return root.Finish();
  }

  template <class T>
  flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<T>>> vector_unless_empty(
      const Offsets<T> &offsets) {
    if (offsets.empty()) return {};
    return builder_.CreateVector(offsets);
  }

  flatbuffers::Offset<format::State> state(const StateContent &content) {
    const StateDict &dict = content.dict;
    Offsets<format::Tensor> tables;
    tables.reserve(dict.tensors.size());
    for (std::size_t i = 0; i < dict.tensors.size(); i++) {
      const auto &[name, view] = dict.tensors[i];
      tables.push_back(tensor(name, view));
      placed_.emplace_back(tables.back().o, content.segments[i]);
    }
    const auto tensors = builder_.CreateVector(tables);
    const auto attributes = vector_unless_empty(entries(dict.attributes));
    const auto name = builder_.CreateString(content.name);
    flatbuffers::Offset<flatbuffers::String> kind;
    if (dict.kind) kind = builder_.CreateString(*dict.kind);
    format::StateBuilder table(builder_);
    table.add_name(name);
    table.add_kind(kind);
    table.add_attributes(attributes);
    table.add_tensors(tensors);
    return table.Finish();
  }

  flatbuffers::Offset<format::Tensor> tensor(const std::string &name, const TensorView &view) {
    const auto text = builder_.CreateString(name);
    // The builder does not align a vector without elements; those of the other languages do.
    if (view.shape.empty()) builder_.Align(sizeof(std::uint64_t));
    const auto shape = builder_.CreateVector(view.shape);
    format::TensorBuilder table(builder_);
    table.add_name(text);
    table.add_dtype(static_cast<format::DType>(view.dtype));
    table.add_shape(shape);
    table.add_offset(0);
    table.add_byte_length(0);
    table.add_crc32(0);
    // An offset to bytes that are not in this buffer.
    builder_.AddElement<flatbuffers::uoffset_t>(format::Tensor::VT_DATA, 0);
    return table.Finish();
  }

  Offsets<format::Entry> entries(const Attributes &map) {
    Offsets<format::Entry> tables;
    for (const auto &[key, item] : map) {
      const auto text = builder_.CreateString(key);
      const auto of_item = value(item);
      format::EntryBuilder entry(builder_);
      entry.add_key(text);
      entry.add_value(of_item);
      tables.push_back(entry.Finish());
    }
    return tables;
  }

  /// A value: first what its field refers to, then the table.
  flatbuffers::Offset<format::Value> value(const Attribute &attribute) {
    flatbuffers::Offset<flatbuffers::String> text;
    if (const std::string *string = attribute.text()) text = builder_.CreateString(*string);
    flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<format::Value>>> list;
    if (const std::vector<Attribute> *items = attribute.list()) {
      Offsets<format::Value> tables;
      for (const Attribute &item : *items) tables.push_back(value(item));
      list = builder_.CreateVector(tables);
    }
    flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<format::Entry>>> map;
    if (const Attributes *members = attribute.map()) map = builder_.CreateVector(entries(*members));

    // A uint64 that an int64 holds is one in a file.
    AttributeKind kind = attribute.kind();
    constexpr std::uint64_t least_uint64 = std::uint64_t{1} << 63;
    const bool small = attribute.uint64().value_or(least_uint64) < least_uint64;
    if (small) kind = AttributeKind::int64;
    format::ValueBuilder table(builder_);
    table.add_kind(static_cast<format::ValueKind>(kind));
    if (attribute.boolean()) table.add_boolean(*attribute.boolean());
    if (attribute.int64()) table.add_integer(*attribute.int64());
    if (small) table.add_integer(static_cast<std::int64_t>(*attribute.uint64()));
    if (kind == AttributeKind::uint64) table.add_uinteger(*attribute.uint64());
    if (attribute.float64()) table.add_number(*attribute.float64());
    table.add_text(text);
    table.add_list(list);
    table.add_map(map);
    return table.Finish();
  }

  flatbuffers::FlatBufferBuilder builder_;
  std::vector<Placed> placed_;
  flatbuffers::uoffset_t root_ = 0;
};

/// Metadata that is complete except for its checksums.
class UnsealedMetadata {
 public:
  /// Throws CKPT_TENSOR_TOO_LARGE.
  explicit UnsealedMetadata(const SaveContent &content) {
    MetadataBuilder build;
    bytes_ = build.build(content);
    // The builder's offsets count from the end.
    root_ = bytes_.size() - build.root();
    for (const auto &[table, segment] : build.placed()) {
      placed_.emplace_back(bytes_.size() - table, segment);
    }
    const std::vector<std::uint64_t> &lengths = content.segment_lengths();
    std::uint64_t end = bytes_.size();
    for (const std::uint64_t length : lengths) {
      offsets_.push_back(segment_start(end));
      end = offsets_.back() + length;
      if (end > max_safe_integer) too_long();
    }
    file_length_ = end;
    for (const auto &[table, segment] : placed_) {
      const std::uint64_t offset = offsets_[segment];
      put(position(table, format::Tensor::VT_OFFSET), offset);
      put(position(table, format::Tensor::VT_BYTE_LENGTH), lengths[segment]);
      const std::size_t data = position(table, format::Tensor::VT_DATA);
      put(data, plain() ? static_cast<std::uint32_t>(offset - length_bytes - data) : 0u);
    }
    if (!plain()) remove_data();
    put(position(root_, format::Checkpoint::VT_METADATA_LENGTH),
        static_cast<std::uint32_t>(bytes_.size()));
    put(position(root_, format::Checkpoint::VT_FILE_LENGTH), file_length_);
  }

  /// Length of the metadata in bytes.
  std::uint64_t length() const noexcept { return bytes_.size(); }
  /// Offsets of the segments, in bytes from the start of the file.
  const std::vector<std::uint64_t> &offsets() const noexcept { return offsets_; }
  std::uint64_t file_length() const noexcept { return file_length_; }
  /// Whether tensors have `data`.
  bool plain() const noexcept { return is_plain_flatbuffer(file_length_); }

  /// Writes the checksum of each segment and of the metadata, and returns the finished bytes.
  const std::vector<std::uint8_t> &seal(const std::vector<std::uint32_t> &checksums) {
    for (const auto &[table, segment] : placed_) {
      put(position(table, format::Tensor::VT_CRC32), checksums[segment]);
    }
    const std::size_t at = position(root_, format::Checkpoint::VT_METADATA_CRC32);
    put(at, metadata_checksum({bytes_.data(), bytes_.size()}, static_cast<std::uint32_t>(at)));
    return bytes_;
  }

 private:
  std::size_t vtable_of(std::size_t table) const {
    const auto back = read_number<std::int32_t>(bytes_.data() + table);
    return static_cast<std::size_t>(static_cast<std::int64_t>(table) - back);
  }

  /// The position of a field of a table.
  std::size_t position(std::size_t table, std::size_t slot) const {
    return table + read_number<std::uint16_t>(bytes_.data() + vtable_of(table) + slot);
  }

  template <class T>
  void put(std::size_t at, T number) {
    std::memcpy(bytes_.data() + at, &number, sizeof number);
  }

  /// Removes `data` from every tensor by clearing its entry in the vtable. The metadata keeps its
  /// length, so the planned layout stays valid. (Only tensors have a vtable with all of these
  /// fields, so no other table shares it.)
  void remove_data() {
    for (const auto &placed : placed_) {
      put<std::uint16_t>(vtable_of(placed.first) + format::Tensor::VT_DATA, 0);
    }
  }

  [[noreturn]] static void too_long() {
    throw CheckpointError(ErrorCode::tensor_too_large, "the file would be longer than 2^53 - 1 bytes");
  }

  std::vector<std::uint8_t> bytes_;
  std::size_t root_;
  std::vector<std::pair<std::size_t, std::size_t>> placed_;
  std::vector<std::uint64_t> offsets_;
  std::uint64_t file_length_ = 0;
};

}  // namespace detail
}  // namespace lightwatch

#endif
