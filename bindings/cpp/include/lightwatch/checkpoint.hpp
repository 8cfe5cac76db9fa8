/// Reads lightwatch checkpoints (.ckpt) over mapped memory. Nothing in a file is believed before it has
/// been checked; errors are CheckpointError.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lightwatch/attribute.hpp"
#include "lightwatch/crc32.hpp"
#include "lightwatch/dtype.hpp"
#include "lightwatch/error.hpp"
#include "lightwatch/flatbuffer_verifier.hpp"
#include "lightwatch/head.hpp"
#include "lightwatch/mapped_file.hpp"
#include "lightwatch/metadata.hpp"

namespace lightwatch {

namespace detail {

/// An open file, and which of its segments have been checked. Shared by all views of it.
struct OpenFile {
  explicit OpenFile(const std::string& path) : file(path) {}

  /// Checks the bytes before a segment. Throws CKPT_FORMAT, rule `gap`.
  void check_gap(const Segment& s, std::string_view tensor) const {
    for (std::uint64_t at = s.gap_start; at < s.offset; at++) {
      std::uint8_t expected = 0;
      if (at >= s.offset - 4 && is_plain(metadata.file_length)) {
        expected = static_cast<std::uint8_t>(s.byte_length >> (8 * (at - (s.offset - 4))));
      }
      if (file.data()[at] != expected) {
        fail_format("gap", "the bytes before " + quote(tensor) + " are not what they have to be");
      }
    }
  }

  /// Checks the bytes before a segment and its checksum, once. Throws CKPT_FORMAT, rule `gap`, or
  /// CKPT_TENSOR_CHECKSUM.
  void check(std::size_t i, std::string_view tensor) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (checked[i]) return;
    const Segment& s = metadata.segments[i];
    check_gap(s, tensor);
    if (crc32(file.data() + s.offset, static_cast<std::size_t>(s.byte_length)) != s.crc32) {
      throw CheckpointError("CKPT_TENSOR_CHECKSUM", "",
                            "the bytes of " + quote(tensor) + " are damaged");
    }
    checked[i] = true;
  }

  MappedFile file;
  Metadata metadata;
  std::vector<bool> checked;
  std::mutex mutex;
  bool verify = true;
};

}  // namespace detail

/// Elements in place. The memory is the mapped file's; it stays for as long as the tensor, or a copy of
/// it, or the checkpoint does.
template <typename T>
class Span {
 public:
  Span(const T* data, std::size_t size) : data_(data), size_(size) {}
  const T* data() const noexcept { return data_; }
  /// In elements.
  std::size_t size() const noexcept { return size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }

 private:
  const T* data_;
  std::size_t size_;
};

/// A tensor of a checkpoint. Keeps the mapped file for as long as it lives.
class Tensor {
 public:
  Tensor(std::shared_ptr<detail::OpenFile> file, const detail::TensorRecord* record)
      : file_(std::move(file)), record_(record) {}

  const std::string& name() const noexcept { return record_->name; }
  DType dtype() const noexcept { return record_->dtype; }
  /// In elements, outermost first; empty for a scalar.
  const std::vector<std::uint64_t>& shape() const noexcept { return record_->shape; }
  /// Of its first byte, from the start of the file.
  std::uint64_t offset() const noexcept { return record_->offset; }
  std::uint64_t byte_length() const noexcept { return record_->byte_length; }

  /// The bytes, in place. The first time they are held against their checksum: throws
  /// CKPT_TENSOR_CHECKSUM, or CKPT_FORMAT with rule `gap`.
  Span<std::uint8_t> bytes() const {
    if (file_->verify) file_->check(record_->segment, record_->name);
    return {file_->file.data() + record_->offset, static_cast<std::size_t>(record_->byte_length)};
  }

  /// The elements, in place; see `holds` for which type is which dtype's. Throws like `bytes`, and
  /// CKPT_STATE_MISMATCH where the dtype is not read as T.
  template <typename T>
  Span<T> as() const {
    if (!holds<T>(record_->dtype)) {
      throw CheckpointError("CKPT_STATE_MISMATCH", "",
                            detail::quote(record_->name) + " is " +
                                std::string(dtype_name(record_->dtype)));
    }
    // Segments start at multiples of 64 of a file that is mapped at a page.
    const Span<std::uint8_t> data = bytes();
    return {reinterpret_cast<const T*>(data.data()), data.size() / sizeof(T)};
  }

 private:
  std::shared_ptr<detail::OpenFile> file_;
  const detail::TensorRecord* record_;
};

/// A saved state: named tensors in the order of the state dict, attributes, and a kind (`AdamW`).
class State {
 public:
  State(const std::shared_ptr<detail::OpenFile>& file, const detail::StateRecord* record)
      : record_(record), file_(file) {
    index_.reserve(record->tensors.size());
    tensors_.reserve(record->tensors.size());
    for (const detail::TensorRecord& tensor : record->tensors) {
      index_.emplace(tensor.name, tensors_.size());
      tensors_.emplace_back(file, &tensor);
    }
  }

  const std::string& name() const noexcept { return record_->name; }
  const std::optional<std::string>& kind() const noexcept { return record_->kind; }
  const Attributes& attributes() const noexcept { return record_->attributes; }
  const std::vector<Tensor>& tensors() const noexcept { return tensors_; }
  bool contains(std::string_view name) const { return index_.count(name) != 0; }

  /// Throws CKPT_NO_SUCH_TENSOR.
  const Tensor& at(std::string_view name) const {
    const auto found = index_.find(name);
    if (found == index_.end()) {
      throw CheckpointError("CKPT_NO_SUCH_TENSOR", "",
                            detail::quote(record_->name) + " has no tensor " + detail::quote(name));
    }
    return tensors_[found->second];
  }

 private:
  const detail::StateRecord* record_;
  std::shared_ptr<detail::OpenFile> file_;
  std::unordered_map<std::string_view, std::size_t> index_;
  std::vector<Tensor> tensors_;
};

/// An open checkpoint. What it hands out stays good after it is gone.
class Checkpoint {
 public:
  explicit Checkpoint(std::shared_ptr<detail::OpenFile> file) : file_(std::move(file)) {
    for (const detail::StateRecord& record : file_->metadata.states) {
      states_.emplace_back(file_, &record);
    }
  }

  std::uint32_t version() const noexcept { return file_->metadata.version; }
  std::uint32_t metadata_length() const noexcept { return file_->metadata.metadata_length; }
  std::uint64_t byte_length() const noexcept { return file_->metadata.file_length; }
  std::int64_t epoch() const noexcept { return file_->metadata.epoch; }
  /// Optimizer steps taken.
  std::int64_t step() const noexcept { return file_->metadata.step; }
  std::optional<double> loss() const noexcept { return file_->metadata.loss; }
  const std::vector<std::pair<std::string, double>>& metrics() const noexcept {
    return file_->metadata.metrics;
  }
  /// JSON text.
  const std::optional<std::string>& config() const noexcept { return file_->metadata.config; }

  const State& model() const noexcept { return states_[0]; }
  /// Null where none was saved.
  const State* optimizer() const noexcept {
    return file_->metadata.has_optimizer ? &states_[1] : nullptr;
  }
  /// The model's, the optimizer's if there is one, then the extras.
  const std::vector<State>& states() const noexcept { return states_; }

  /// Checks every byte of the file. Throws the first fault.
  void verify() const {
    for (const State& state : states_) {
      for (const detail::TensorRecord& t : record(state)) file_->check(t.segment, t.name);
    }
  }

 private:
  const std::vector<detail::TensorRecord>& record(const State& state) const {
    return file_->metadata.states[static_cast<std::size_t>(&state - states_.data())].tensors;
  }

  std::shared_ptr<detail::OpenFile> file_;
  std::vector<State> states_;
};

/// Opens a checkpoint: maps it, and checks all of its metadata, at a cost that does not depend on the size
/// of the tensors. `verify`: whether a tensor's checksum is checked before its bytes are handed out.
inline Checkpoint load_checkpoint(const std::string& path, bool verify = true) {
  const std::uint16_t one = 1;
  if (*reinterpret_cast<const std::uint8_t*>(&one) != 1) {
    throw CheckpointError("CKPT_BIG_ENDIAN", "", "checkpoints are little-endian");
  }
  auto open = std::make_shared<detail::OpenFile>(path);
  const std::uint64_t size = open->file.size();
  const detail::Head head = detail::read_head(open->file.data(), size);
  // A copy, which nobody changes after it has been checked.
  const std::vector<std::uint8_t> metadata(open->file.data(),
                                           open->file.data() + head.metadata_length);
  if (detail::metadata_checksum(metadata.data(), metadata.size(), head.crc_offset) !=
      head.metadata_crc32) {
    throw CheckpointError("CKPT_METADATA_CHECKSUM", "", "the metadata is damaged");
  }
  detail::FlatBufferVerifier(metadata.data(), metadata.size()).verify();
  open->metadata = detail::Decoder(metadata.data()).decode();
  detail::check_rules(open->metadata);
  // FlatBuffers' own verifier as well, over the whole file where that is one FlatBuffer.
  const bool plain = detail::is_plain(size);
  flatbuffers::Verifier verifier(plain ? open->file.data() : metadata.data(),
                                 plain ? static_cast<std::size_t>(size) : metadata.size(), 64,
                                 std::numeric_limits<flatbuffers::uoffset_t>::max());
  if (!format::VerifyCheckpointBuffer(verifier)) {
    // The lengths before the segments are all that it looks at and our rules have not yet.
    for (const detail::StateRecord& state : open->metadata.states) {
      for (const detail::TensorRecord& tensor : state.tensors) {
        open->check_gap(open->metadata.segments[tensor.segment], tensor.name);
      }
    }
    throw CheckpointError("CKPT_FLATBUFFER", "flatbuffer.range",
                          "the file is no sound FlatBuffer by FlatBuffers' own verifier");
  }
  open->checked.resize(open->metadata.segments.size());
  open->verify = verify;
  return Checkpoint(std::move(open));
}

}  // namespace lightwatch
