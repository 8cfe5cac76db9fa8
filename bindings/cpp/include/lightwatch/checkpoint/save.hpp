// Saving: first the segments, then the metadata, which holds their checksums, and last the commit.

#ifndef LIGHTWATCH_CHECKPOINT_SAVE_HPP
#define LIGHTWATCH_CHECKPOINT_SAVE_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/concurrency.hpp"
#include "lightwatch/checkpoint/encode.hpp"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/file_commit.hpp"
#include "lightwatch/checkpoint/little_endian.hpp"
#include "lightwatch/checkpoint/name_map.hpp"
#include "lightwatch/checkpoint/save_content.hpp"
#include "lightwatch/checkpoint/segment_writer.hpp"
#include "lightwatch/checkpoint/state_dict.hpp"
#include "lightwatch/checkpoint/warning.hpp"

namespace lightwatch {

/// What to save besides the model and the optimizer, and how.
struct SaveOptions {
  std::int64_t epoch = 0;
  /// Optimizer steps taken.
  std::int64_t step = 0;
  /// Absent if there is no loss yet. NaN and the infinities are kept as they are.
  std::optional<double> loss{};
  NameMap<double> metrics{};
  /// JSON text.
  std::optional<std::string> config{};
  /// Other objects with a state: `options.extras.emplace_back("ema", lightwatch::state_of(ema))`.
  std::vector<std::pair<std::string, StateDict>> extras{};
  /// The position of this save among the saves of its run. It must be greater than that of every
  /// earlier save.
  std::optional<std::uint64_t> sequence{};
  /// The time of the save, in milliseconds since 1970. If absent, the same state gives the same
  /// bytes.
  std::optional<std::uint64_t> saved_at{};
  /// True: the save returns when the checkpoint survives a power cut. False: nothing is synced;
  /// after a kill at any time the path still holds the old file or the new one.
  bool durable = true;
  /// Takes warnings. By default they are printed to std::clog.
  OnWarning on_warning{};
};

/// The result of a save.
struct SaveReport {
  /// Length of the file in bytes.
  std::uint64_t byte_length;
  /// Number of tensors. Tensors that share a segment are counted one by one.
  std::size_t tensors;
  /// How far the commit went.
  Durability durability;
};

/// The state of anything with a `state_dict()`, or of a range of names and tensors, for
/// `SaveOptions::extras`. The tensors are views of it.
template <class Source>
StateDict state_of(Source &&source) {
  return detail::collect_state(source);
}

namespace detail {

inline SaveReport write_content(const std::string &path, const SaveContent &content,
                                const SaveOptions &options) {
  if (path.empty() || path.back() == '/') {
    throw std::invalid_argument(quote(path) + " names a folder, and a checkpoint is a file");
  }
  if (path.find('\0') != std::string::npos) {
    throw std::invalid_argument("a path must not contain a zero byte");
  }
  try {
    require_little_endian();
    UnsealedMetadata metadata(content);
    FileCommit file(path, metadata.file_length(), options.durable, options.on_warning);
    const std::vector<SegmentSource> sources = content.sources();
    const std::vector<std::uint32_t> checksums =
        write_segments(file, sources, metadata);
    const std::vector<std::uint8_t> &sealed = metadata.seal(checksums);
    file.write(sealed.data(), sealed.size(), 0);
    // While the disk is busy.
    do_both([&] { check_unchanged(sources, checksums); }, [&] { file.sync(); });
    const Durability durability = file.commit();
    std::size_t tensors = 0;
    for (const StateContent &state : content.states()) tensors += state.segments.size();
    return {metadata.file_length(), tensors, durability};
  } catch (const CheckpointError &error) {
    throw error.with_path(path);
  }
}

}  // namespace detail

/// Saves a model and an optimizer (`nullptr` for none) with the options' progress, metrics and
/// extras. When this returns, the checkpoint is complete and survives a power cut. Until then, or
/// if it throws, the path keeps its old content at every instant. The tensors are read during the
/// call and not kept. Missing folders are created, and a symbolic link is followed.
///
/// Throws a CheckpointError: CKPT_NOT_COMMITTED or CKPT_TENSOR_CHANGED (nothing was saved), or
/// CKPT_NOT_DURABLE (the new file is in place, but a power cut may undo it). Throws
/// std::invalid_argument, with the name of the tensor or the path of the value, for values that a
/// file cannot hold.
template <class Model, class Optimizer>
SaveReport save_checkpoint(const std::string &path, Model &&model, Optimizer &&optimizer,
                           const SaveOptions &options) {
  detail::SaveContent content({options.epoch, options.step, options.loss, options.metrics,
                           options.config, options.sequence, options.saved_at});
  content.add_model(detail::collect_state(model));
  if (auto state = detail::collect_optional_state(optimizer)) content.add_optimizer(*std::move(state));
  for (const auto &[name, state] : options.extras) content.add_extra(name, state);
  return detail::write_content(path, content, options);
}

/// The same, with the arguments in the framework's order. `config` is JSON text; an empty string
/// means no config.
template <class Model, class Optimizer>
SaveReport save_checkpoint(const std::string &path, Model &&model, Optimizer &&optimizer,
                           std::int64_t epoch, std::int64_t step, double loss,
                           const std::string &config = "") {
  SaveOptions options;
  options.epoch = epoch;
  options.step = step;
  options.loss = loss;
  if (!config.empty()) options.config = config;
  return save_checkpoint(path, model, optimizer, options);
}

}  // namespace lightwatch

#endif
