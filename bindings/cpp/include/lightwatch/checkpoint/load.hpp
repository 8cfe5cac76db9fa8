// Opens a checkpoint: reads and verifies its metadata, and maps its tensors.

#ifndef LIGHTWATCH_CHECKPOINT_LOAD_HPP
#define LIGHTWATCH_CHECKPOINT_LOAD_HPP

#include <cstdint>
#include <limits>
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

/// A value of a checkpoint, read as a field or by a call: `checkpoint.epoch`, `checkpoint.epoch()`.
template <class T>
class Field {
 public:
  const T &operator()() const noexcept { return value_; }
  operator const T &() const noexcept { return value_; }

 private:
  friend class Checkpoint;

  explicit Field(T value) noexcept : value_(std::move(value)) {}

  T value_;
};

/// The loss of a checkpoint. As a field: a number, or NaN if there was none yet. By a call: nothing
/// then.
class LossField {
 public:
  const std::optional<double> &operator()() const noexcept { return value_; }
  operator double() const noexcept {
    return value_.value_or(std::numeric_limits<double>::quiet_NaN());
  }

 private:
  friend class Checkpoint;

  explicit LossField(std::optional<double> value) noexcept : value_(value) {}

  std::optional<double> value_;
};

/// An open checkpoint. A handle, cheap to copy; the file is closed and unmapped with the last
/// handle of it (Checkpoint, State, Tensor, or `Tensor::owner()`). It does not change, and several
/// threads may use it at once.
///
/// If a program truncates a mapped file, a read beyond its new end kills its readers (SIGBUS); if
/// it writes into the file, readers see other bytes. Renaming a new file over it, as writers of
/// this format do, is safe.
class Checkpoint {
 public:
  Field<std::int64_t> epoch;
  /// Optimizer steps taken.
  Field<std::int64_t> step;
  LossField loss;
  /// The model's tensors by their names, in the order of the file.
  State model_state;
  /// The optimizer's; empty where none was saved.
  State optimizer_state;
  /// The config's JSON text as it was given; empty where there is none.
  std::string config_json;

  /// Version of the file format.
  std::uint32_t version() const noexcept { return metadata().version; }
  /// In the order of the file. They are there for as long as this handle.
  const NameMap<double> &metrics() const noexcept { return metadata().metrics; }
  /// The config's JSON text as it was given, where there is one. It is there for as long as this
  /// handle.
  std::optional<std::string_view> config() const noexcept { return metadata().config; }
  /// The position of this save in the order of its run's saves, if the writer gave one. A run that
  /// went back to an earlier step resumes from the checkpoint with the largest one. At most 2^53 -
  /// 1.
  std::optional<std::uint64_t> sequence() const noexcept { return metadata().sequence; }
  /// Time of the save by the writer's clock, in milliseconds since 1970, if the writer gave one. At
  /// most 2^53 - 1.
  std::optional<std::uint64_t> saved_at() const noexcept { return metadata().saved_at; }

  State model() const noexcept { return model_state; }

  /// Nothing where none was saved.
  std::optional<State> optimizer() const noexcept {
    if (!metadata().has_optimizer) return std::nullopt;
    return optimizer_state;
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
  /// Length of the metadata in bytes: everything before the tensors.
  std::uint64_t metadata_length() const noexcept { return metadata().metadata_length; }
  /// Whether the tensors are the file's own bytes.
  bool mapped() const noexcept { return contents_->mapped(); }

  /// Reads the whole file, and verifies every tensor's checksum and the bytes between tensors.
  /// Throws the first fault: CKPT_TENSOR_CHECKSUM, CKPT_FORMAT (rule `gap`), CKPT_READ or
  /// CKPT_FILE_CHANGED.
  void verify() const {
    contents_->for_each_segment(
        [this](const detail::Asker &asker) { contents_->check(asker); });
  }

 private:
  friend Checkpoint load_checkpoint(const std::string &path, const LoadOptions &options);

  explicit Checkpoint(std::shared_ptr<const detail::Contents> contents)
      : epoch(contents->metadata().epoch),
        step(contents->metadata().step),
        loss(contents->metadata().loss),
        model_state(contents, &contents->metadata().states[0]),
        optimizer_state(contents, optimizer_record(contents->metadata())),
        config_json(contents->metadata().config.value_or("")),
        contents_(std::move(contents)) {}

  static const detail::StateRecord *optimizer_record(const detail::Metadata &metadata) {
    static const detail::StateRecord none{detail::optimizer_name, std::nullopt, {}, {}, {}};
    return metadata.has_optimizer ? &metadata.states[1] : &none;
  }

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

/// Opens a checkpoint: reads and verifies its metadata, and maps its tensors. Of these it reads
/// only the length in front of each, so the cost does not depend on their size. Throws a
/// CheckpointError if the file cannot be read or is not a complete and valid checkpoint, and
/// std::invalid_argument if `path` holds a zero byte.
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
