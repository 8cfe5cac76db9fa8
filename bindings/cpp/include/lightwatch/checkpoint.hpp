// Reads .ckpt files, the checkpoints of training runs: `lightwatch::load_checkpoint(path)`.
//
// The metadata is checked in full when a file is opened; the file is mapped, and a tensor is a view
// of it, checked when its bytes are first asked for. Everything that is wrong with a file is a
// lightwatch::CheckpointError.

#ifndef LIGHTWATCH_CHECKPOINT_HPP
#define LIGHTWATCH_CHECKPOINT_HPP

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/attribute.hpp"
#include "lightwatch/checkpoint/contents.hpp"
#include "lightwatch/checkpoint/dtype.hpp"
#include "lightwatch/checkpoint/element.hpp"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/head.hpp"
#include "lightwatch/checkpoint/load_options.hpp"
#include "lightwatch/checkpoint/name_map.hpp"
#include "lightwatch/checkpoint/read_metadata.hpp"
#include "lightwatch/checkpoint/regular_file.hpp"
#include "lightwatch/checkpoint/span.hpp"
#include "lightwatch/checkpoint/state.hpp"
#include "lightwatch/checkpoint/tensor.hpp"

namespace lightwatch {

/// An open checkpoint. A handle, cheap to copy; the file is closed and unmapped with the last
/// handle of it (Checkpoint, State, Tensor, or `Tensor::owner()`). Does not change, and may be used
/// by several threads at once.
///
/// Where the file is mapped, whoever truncates it or writes into it ends, or misleads, its readers
/// (a read beyond its new end is SIGBUS). Renaming a new file over it, as writers of this format
/// do, is safe.
class Checkpoint {
 public:
  /// Version of the file format.
  std::uint32_t version() const noexcept { return metadata().version; }
  std::int64_t epoch() const noexcept { return metadata().epoch; }
  /// Optimizer steps taken.
  std::int64_t step() const noexcept { return metadata().step; }
  /// Nothing where there was none yet.
  std::optional<double> loss() const noexcept { return metadata().loss; }
  /// In the order of the file. They are there for as long as this handle.
  const NameMap<double> &metrics() const noexcept { return metadata().metrics; }
  /// The config's JSON text as it was given, where there is one. It is there for as long as this
  /// handle.
  std::optional<std::string_view> config() const noexcept { return metadata().config; }
  /// The place of this save in the order of the saves of its run, where the writer gave one: a run
  /// that went back to an earlier step is resumed where this is largest. At most 2^53 - 1.
  std::optional<std::uint64_t> sequence() const noexcept { return metadata().sequence; }
  /// When it was saved by the writer's clock, in milliseconds since 1970, where the writer gave the
  /// time. At most 2^53 - 1.
  std::optional<std::uint64_t> saved_at() const noexcept { return metadata().saved_at; }

  State model() const noexcept { return State(contents_, &metadata().states[0]); }

  /// Nothing where none was saved.
  std::optional<State> optimizer() const noexcept {
    if (!metadata().has_optimizer) return std::nullopt;
    return State(contents_, &metadata().states[1]);
  }

  /// Whatever else was saved, in the order of the file.
  std::vector<State> extras() const {
    return states_from(metadata().has_optimizer ? 2 : 1);
  }

  /// The extra of that name, where there is one.
  std::optional<State> extra(std::string_view name) const {
    for (State &state : extras()) {
      if (state.name() == name) return std::move(state);
    }
    return std::nullopt;
  }

  /// The model's state, the optimizer's where there is one, then the extras', as their tensors
  /// follow each other in the file.
  std::vector<State> states() const { return states_from(0); }

  /// Length of the file in bytes.
  std::uint64_t byte_length() const noexcept { return metadata().file_length; }
  /// Length of the part that is not tensors, in bytes.
  std::uint64_t metadata_length() const noexcept { return metadata().metadata_length; }
  /// Whether the tensors are the file's own bytes.
  bool mapped() const noexcept { return contents_->mapped(); }

  /// Reads all of the file, and checks every tensor's checksum and the bytes between them. Throws
  /// the first fault: CKPT_TENSOR_CHECKSUM, CKPT_FORMAT (rule `gap`), CKPT_READ or
  /// CKPT_FILE_CHANGED.
  void verify() const {
    contents_->for_each_segment(
        [this](const detail::Asker &asker) { contents_->check(asker); });
  }

 private:
  friend Checkpoint load_checkpoint(const std::string &path, const LoadOptions &options);

  explicit Checkpoint(std::shared_ptr<const detail::Contents> contents) noexcept
      : contents_(std::move(contents)) {}

  const detail::Metadata &metadata() const noexcept { return contents_->metadata(); }

  std::vector<State> states_from(std::size_t first) const {
    std::vector<State> states;
    const std::vector<detail::StateRecord> &records = metadata().states;
    for (std::size_t i = first; i < records.size(); i++) {
      states.push_back(State(contents_, &records[i]));
    }
    return states;
  }

  std::shared_ptr<const detail::Contents> contents_;
};

/// Opens a checkpoint: reads and checks its metadata, and maps its tensors, of which it looks at no
/// more than the length in front of each, so that the cost does not depend on their size. Throws a
/// CheckpointError where the file cannot be read or is no whole and sound checkpoint,
/// std::invalid_argument where `path` holds a zero byte.
inline Checkpoint load_checkpoint(const std::string &path, const LoadOptions &options = {}) {
  if (path.find('\0') != std::string::npos) {
    throw std::invalid_argument("a path must not contain a zero byte");
  }
  try {
    detail::require_little_endian();
    detail::RegularFile file(path);
    const detail::OwnedBytes metadata = detail::read_metadata(file);
    return Checkpoint(
        std::make_shared<const detail::Contents>(std::move(file), metadata, options, path));
  } catch (const CheckpointError &error) {
    throw error.with_path(path);
  }
}

}  // namespace lightwatch

#endif
